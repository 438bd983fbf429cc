"""Every call to AWS is optional, and every listing is read to its end: one story for each call of the table."""

from __future__ import annotations

import pytest

from bot.app import Place, Shared
from bot.catalogues import Catalogues
from bot.market.words import offerings_sheet
from bot.markets import Offered, offerings_of
from bot.packaged import load_playbooks
from bot.playbooks import plain
from bot.sources.aws import Boto
from bot.sources.cache import TtlCache
from bot.sources.ec2 import Ec2, Ec2Question
from bot.sources.ec2_calls import CALLS, EXTRAS, FACTS, Call
from tests.sources.recorded_aws import P5_ANSWERS, REGION, Recorder
from tests.sources.test_ec2_faults import REFUSALS, Wire, Wired

BY_ACTION = {call.action: call for call in reversed(CALLS)}  # of two with one action, the one of every answer


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)


@pytest.fixture(scope="module")
def boto() -> Boto:
    """Clients are costly to make: one set for all."""
    return Boto()


def everything(also: frozenset[str] = EXTRAS) -> Ec2Question:
    return Ec2Question(
        region=REGION,
        also=also,
        instance_types=frozenset({"p5.48xlarge"}),
        subnet_ids=frozenset({"subnet-1"}),
    )


@pytest.mark.parametrize("call", BY_ACTION.values(), ids=BY_ACTION)
async def test_a_call_that_is_not_permitted_costs_one_line_and_its_own_fact(call: Call) -> None:
    operation = call.action.partition(":")[2]
    ec2 = Ec2(Recorder(denied=operation))
    # no question asks for spot prices twice: `offerings` takes those of now out of the day's
    seen = await ec2.observe_ec2(everything(EXTRAS - {"spot_history"}))
    ec2.close()
    assert [(gap.what, gap.why) for gap in seen.missing] == [(call.what, f"no access to {call.action}: AccessDenied")]
    told = {fact for fact in FACTS - {"spot_history"} if getattr(seen.facts, fact) is not None}
    assert FACTS - {"spot_history"} - told == {call.fact}


async def test_every_listing_is_read_to_its_last_page(boto: Boto) -> None:
    recorder = Recorder(two_pages=True)
    ec2 = Ec2(recorder)
    await ec2.observe_ec2(everything())
    ec2.close()
    paged = 0
    for action, calls in recorder.called.items():
        service = BY_ACTION[action].service
        operation = boto.client(service, REGION, everything().account).meta.method_to_api_mapping
        name = next(own for own, api in operation.items() if api == action.partition(":")[2])
        second = [call for call in calls if call.get("NextToken")]
        if boto.client(service, REGION, everything().account).can_paginate(name):
            paged += 1
            assert len(second) == len(calls) / 2, action
        else:
            assert not second, action
    assert (paged, len(recorder.called)) == (10, 12)  # zones and the caller's identity come whole


async def offered(wire: Wire, region: str = REGION) -> Offered:
    """What `offerings p5.48xlarge` answers with AWS in that trouble, without a cluster."""
    shared = Shared(ec2=Ec2(Wired(wire)), catalogues=Catalogues())
    try:
        return await offerings_of(None, shared, Place(), "p5.48xlarge", region)
    finally:
        shared.ec2.close()


@pytest.mark.parametrize("trouble", REFUSALS, ids=[one[0] for one in REFUSALS])
async def test_offerings_answers_in_every_trouble_and_says_which(trouble: tuple[str, object, str, str]) -> None:
    _, answer, region, words = trouble
    found = await offered(Wire([answer]), region)  # type: ignore[list-item]
    assert (found.table.offered, found.table.asked.instance_types) == (None, ("p5.48xlarge",))
    about_ec2 = [gap.why for gap in found.table.missing if "ec2:" in gap.why]  # the answer is one of EC2's protocol
    assert len(about_ec2) >= 6
    assert all(words in why for why in about_ec2), about_ec2
    for language, title in (("en", "could not be read"), ("ko", "읽지 못했습니다")):
        sheet = offerings_sheet(found.table, load_playbooks().phrases(language), found.ages)
        assert title in plain(sheet.title)
        assert len(sheet.missing) == len(found.table.missing)


async def test_throttled_offerings_go_out_with_what_is_there_marked_as_old() -> None:
    now = [0.0]
    recorder = Recorder(answers=P5_ANSWERS)
    shared = Shared(ec2=Ec2(recorder, TtlCache(lambda: now[0])), catalogues=Catalogues())
    fresh = await offerings_of(None, shared, Place(), "p5.48xlarge", REGION)
    recorder.denied, recorder.code, now[0] = "*", "RequestLimitExceeded", 13 * 3600.0
    stale = await offerings_of(None, shared, Place(), "p5.48xlarge", REGION)
    shared.ec2.close()
    assert [row.price for row in stale.table.rows] == [row.price for row in fresh.table.rows]
    assert 31.5 in [row.price for row in stale.table.rows]
    gap = next(gap for gap in stale.table.missing if gap.what == "newer spot prices of the last day")
    limited = "AWS limits the rate of ec2:DescribeSpotPriceHistory just now: RequestLimitExceeded"
    assert gap.why == f"{limited}; used are those of 780 min ago"
    phrases = load_playbooks().phrases("en")
    [ages] = [
        part for part in offerings_sheet(stale.table, phrases, stale.ages).parts if part.heading == "From the cache"
    ]
    assert "13 h old" in plain(ages.lines[0])


@pytest.mark.parametrize(
    ("region", "unpriced"),
    [
        ("us-gov-west-1", {"on-demand prices: the Pricing API has no dollar prices for us-gov-west-1"}),
        (
            "cn-north-1",
            {
                "on-demand prices: prices in China are in yuan, which the bot does not tell",
                "spot prices of the last day: prices in China are in yuan, which the bot does not tell",
            },
        ),
    ],
)
async def test_other_partitions_are_answered_without_the_prices_that_they_lack(region: str, unpriced: set[str]) -> None:
    recorder = Recorder()
    shared = Shared(ec2=Ec2(recorder), catalogues=Catalogues())
    found = await offerings_of(None, shared, Place(), "p5.48xlarge", region)
    shared.ec2.close()
    assert {str(gap) for gap in found.table.missing} - {"nodes and NodePools: no cluster was asked"} == unpriced
    assert "pricing:GetProducts" not in recorder.called
    assert ("ec2:DescribeSpotPriceHistory" in recorder.called) == (region == "us-gov-west-1")
    assert found.table.offered is False  # read, and none there
