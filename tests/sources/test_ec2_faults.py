"""AWS in trouble: throttled, broken, slow, skewed, not enabled. What is tried again, what is not, and what it costs a person.

Real botocore clients throughout; their answers are cut short before anything is sent (botocore's `before-send`), for no AWS
endpoint can be had here.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from bot.sources.aws import Account, Boto, pause_before_retry, rest_after, why_not
from bot.sources.cache import TtlCache
from bot.sources.ec2 import Ec2, Ec2Question
from bot.sources.ec2_calls import ACTIONS, CALLS, EXTRAS
from bot.sources.regions import is_opt_in, is_region, partition_of
from tests.sources.recorded_aws import REGION, Recorder

FACTS: Final = frozenset(call.fact for call in CALLS)
POLICY: Final = Path(__file__).parents[2] / "deploy" / "iam" / "policy.json"


def question(*facts: str, **more: Any) -> Ec2Question:  # noqa: ANN401
    return Ec2Question(region=REGION, leave_out=FACTS - set(facts), also=EXTRAS & set(facts), **more)


def refusal(code: str) -> bytes:
    """EC2's error document."""
    return f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>".encode()


SUBNETS: Final = (
    b"<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId>"
    b"<availabilityZone>ap-northeast-2a</availabilityZone><availableIpAddressCount>7</availableIpAddressCount>"
    b"</item></subnetSet></DescribeSubnetsResponse>"
)
Answer = tuple[int, bytes] | Exception


@dataclass
class Wire:
    """In place of AWS: hands out the answers one by one (the last for ever), counts what was sent."""

    answers: list[Answer]
    sent: int = 0
    gate: threading.Event | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def before_send(self, request: Any, **_: object) -> AWSResponse:  # noqa: ANN401
        if self.gate is not None:
            assert self.gate.wait(10)
        with self.lock:
            answer = self.answers[min(self.sent, len(self.answers) - 1)]
            self.sent += 1
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return AWSResponse(request.url, status, {}, _Raw(body))


class _Raw(BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


@dataclass
class Wired:
    """Clients as the bot makes them, with their line cut at the wire."""

    wire: Wire
    boto: Boto = field(default_factory=Boto)
    taken: set[int] = field(default_factory=set)

    def client(self, service: str, region: str, account: Account) -> Any:  # noqa: ANN401
        client = self.boto.client(service, region, account)
        if id(client) not in self.taken:
            self.taken.add(id(client))
            client.meta.events.register_first("before-send", self.wire.before_send)
        return client

    def close(self) -> None:
        self.boto.close()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("bot.sources.aws.random.random", lambda: 0.0)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)


async def asked(wire: Wire, what: Ec2Question, **more: Any) -> tuple[Any, list[str]]:  # noqa: ANN401
    ec2 = Ec2(Wired(wire), **more)
    try:
        seen = await ec2.observe_ec2(what)
    finally:
        ec2.close()
    return seen.facts, [gap.why for gap in seen.missing]


THROTTLED: Final = (503, refusal("RequestLimitExceeded"))
BROKEN: Final = (500, refusal("InternalError"))
REFUSALS: Final[tuple[tuple[str, Answer, str, str], ...]] = (
    ("region not enabled", (401, refusal("AuthFailure")), "ap-east-1", "the region ap-east-1 is not enabled"),
    ("clock skew", (400, refusal("RequestExpired")), REGION, "the clock of this machine differs from AWS's"),
    ("endpoint down", EndpointConnectionError(endpoint_url="https://x"), REGION, "AWS does not answer "),
    ("nothing allowed", (403, refusal("UnauthorizedOperation")), REGION, "no access to "),
)
"""What AWS answers to everything -> where, and what the person is told."""


@pytest.mark.parametrize(
    ("answers", "sent", "read"),
    [
        ([THROTTLED, THROTTLED, THROTTLED, (200, SUBNETS)], 4, 1),
        ([THROTTLED], 4, 0),
        ([BROKEN, (200, SUBNETS)], 2, 1),
        ([BROKEN], 2, 0),
        ([(502, b"<html>bad gateway</html>")], 2, 0),
        ([ReadTimeoutError(endpoint_url="https://x")], 2, 0),
        ([(403, refusal("UnauthorizedOperation"))], 1, 0),
        ([(400, refusal("InvalidParameterValue"))], 1, 0),
        ([EndpointConnectionError(endpoint_url="https://x")], 2, 0),
    ],
)
async def test_only_what_may_change_is_tried_again(answers: list[Answer], sent: int, read: int) -> None:
    wire = Wire(answers)
    facts, why = await asked(wire, question("subnets", subnet_ids=frozenset({"subnet-1"})))
    assert wire.sent == sent
    assert (len(facts.subnets or ()), len(why)) == (read, 1 - read)


def test_throttled_calls_wait_longer_each_time_and_others_hardly(monkeypatch: pytest.MonkeyPatch) -> None:
    throttled = (None, {"Error": {"Code": "Throttling"}})
    assert [pause_before_retry(throttled, attempts) for attempts in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, None]
    monkeypatch.setattr("bot.sources.aws.random.random", lambda: 1.0)
    assert pause_before_retry(throttled, 3) == 4.0


async def test_a_throttled_refresh_goes_out_with_the_old_figures_and_says_how_old() -> None:
    now = [0.0]
    wire = Wire([(200, SUBNETS), THROTTLED])
    ec2 = Ec2(Wired(wire), TtlCache(lambda: now[0]))
    what = question("subnets", subnet_ids=frozenset({"subnet-1"}))
    await ec2.observe_ec2(what)
    now[0] = 600.0
    seen = await ec2.observe_ec2(what)
    ec2.close()
    assert [s.available_ip_address_count for s in seen.facts.subnets or ()] == [7]
    assert seen.ages == {"subnets": 600.0}
    [gap] = seen.missing
    assert (gap.what, gap.why) == (
        "newer subnets",
        "AWS limits the rate of ec2:DescribeSubnets just now: RequestLimitExceeded; used are those of 10 min ago",
    )


async def test_a_failure_is_not_asked_for_again_at_once() -> None:
    now = [0.0]
    for answer, rest in ((BROKEN, 30.0), ((403, refusal("UnauthorizedOperation")), 300.0)):
        now[0] = 0.0
        wire = Wire([answer])
        ec2 = Ec2(Wired(wire), TtlCache(lambda: now[0]))
        what = question("subnets", subnet_ids=frozenset({"subnet-1"}))
        first = await ec2.observe_ec2(what)
        sent = wire.sent
        now[0] = rest - 1
        assert (await ec2.observe_ec2(what)).missing == first.missing
        assert wire.sent == sent
        now[0] = rest + 1
        await ec2.observe_ec2(what)
        assert wire.sent == 2 * sent
        ec2.close()


async def test_a_slow_answer_is_not_waited_for_and_serves_the_next_question() -> None:
    wire = Wire([(200, SUBNETS)], gate=threading.Event())
    ec2 = Ec2(Wired(wire), patience=0.05)
    what = question("subnets", subnet_ids=frozenset({"subnet-1"}))
    began = time.perf_counter()
    seen = await ec2.observe_ec2(what)
    assert time.perf_counter() - began < 5
    assert [g.why for g in seen.missing] == [
        "AWS takes too long to answer ec2:DescribeSubnets; the next question may have it"
    ]
    assert wire.gate is not None
    wire.gate.set()
    for _ in range(200):
        again = await ec2.observe_ec2(what)
        if again.facts.subnets:
            break
        await asyncio.sleep(0.01)
    assert again.facts.subnets
    assert wire.sent == 1
    ec2.close()


@pytest.mark.parametrize(
    ("code", "message", "region", "words"),
    [
        ("RequestExpired", "Request has expired.", REGION, "the clock of this machine differs from AWS's"),
        ("AuthFailure", "Signature not yet current: 2026", REGION, "the clock of this machine differs from AWS's"),
        (
            "InvalidSignatureException",
            "Signature expired: 2026",
            REGION,
            "the clock of this machine differs from AWS's",
        ),
        ("AuthFailure", "not able to validate", "ap-east-1", "the region ap-east-1 is not enabled"),
        ("AuthFailure", "not able to validate", REGION, "AWS does not accept the credentials for ec2:X: AuthFailure"),
        ("502", "<html>", REGION, "AWS answers ec2:X with HTTP 502"),
        ("OptInRequired", "not subscribed", "ap-east-1", "no access to ec2:X: OptInRequired"),
    ],
)
def test_each_refusal_says_what_is_to_be_mended(code: str, message: str, region: str, words: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "X")
    said = why_not(error, "ec2:X", region)
    assert words in said
    assert ("not enabled" in said) == (region == "ap-east-1" and code == "AuthFailure")
    assert rest_after(error) in (30.0, 300.0)


def test_an_empty_price_list_is_no_error_and_no_price() -> None:
    ec2 = Ec2(Wired(Wire([(200, b'{"PriceList": []}')])))
    seen = asyncio.run(ec2.observe_ec2(question("on_demand_prices", instance_types=frozenset({"p5.48xlarge"}))))
    ec2.close()
    assert (seen.facts.on_demand_prices, seen.missing) == ((), ())


def test_regions_partitions_and_what_has_to_be_enabled() -> None:
    assert [partition_of(r) for r in (REGION, "us-gov-west-1", "cn-north-1", "us-iso-east-1", "eu-isoe-west-1")] == [
        "aws", "aws-us-gov", "aws-cn", "aws-iso", "aws-iso-e",
    ]  # fmt: skip
    assert [is_opt_in(r) for r in (REGION, "ap-east-1", "us-gov-west-1", "")] == [False, True, False, False]
    assert [is_region(r) for r in (REGION, "us-gov-west-1", "ap-northeast-2a", "use1-az4", "seoul", "")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip


# -- answers written from AWS's documentation (recorded_aws.py says which) ----------------------------------------------


async def test_the_policy_allows_exactly_what_the_code_calls() -> None:
    recorder = Recorder()
    ec2 = Ec2(recorder)
    for narrow in (None, frozenset({"p5.48xlarge", "m5.large"})):
        subnets = frozenset({"subnet-1"})
        seen = await ec2.observe_ec2(Ec2Question(region=REGION, also=EXTRAS, instance_types=narrow, subnet_ids=subnets))
        assert not seen.missing
    ec2.close()
    policy = json.loads(POLICY.read_text())
    [statement] = policy["Statement"]
    assert statement["Effect"] == "Allow"
    assert sorted(recorder.called) == sorted(statement["Action"])
    assert sorted(ACTIONS) == sorted([*recorder.called, "sts:AssumeRole"])
    assert not any("*" in action for action in statement["Action"])
    role = json.loads((POLICY.parent / "assume-role.json").read_text())
    assert [s["Action"] for s in role["Statement"]] == [["sts:AssumeRole"]]


async def test_answers_of_calls_that_moto_lacks_are_read() -> None:
    recorder = Recorder()
    ec2 = Ec2(recorder)
    seen = await ec2.observe_ec2(
        Ec2Question(region=REGION, also=EXTRAS, instance_types=frozenset({"p5.48xlarge", "g6e.xlarge"}))
    )
    one = await ec2.observe_ec2(question("placement_scores", instance_types=frozenset({"p5.48xlarge"})))
    ec2.close()
    facts = seen.facts
    assert [(s.availability_zone_id, s.score, s.instance_type) for s in facts.placement_scores or ()] == [
        ("apne2-az1", 7, ""), ("apne2-az3", 2, ""),
    ]  # fmt: skip
    assert {s.instance_type for s in one.facts.placement_scores or ()} == {"p5.48xlarge"}
    [block] = facts.capacity_blocks or ()  # g6e is not sold in blocks, so it was not asked for
    assert (block.instance_type, block.upfront_fee, block.capacity_block_duration_hours) == (
        "p5.48xlarge",
        "755.2800",
        24,
    )
    assert [(u.label, u.values) for u in facts.quota_usage or ()] == [("P/OnDemand", (192.0, 96.0)), ("G/Spot", ())]
    [quota] = facts.quotas or ()
    assert quota.usage_metric is not None
    assert quota.usage_metric.metric_dimensions["Class"] == "P/OnDemand"
    assert [i.account for i in facts.identity or ()] == ["111122223333"]
    starts = [call["StartTime"] for call in recorder.called["ec2:DescribeSpotPriceHistory"]]
    assert max(starts) - min(starts) > max(starts) - max(starts)  # one from now, one from a day ago
    scored = recorder.called["ec2:GetSpotPlacementScores"][0]
    assert scored["InstanceTypes"] == ["g6e.xlarge", "p5.48xlarge"]
    assert (scored["RegionNames"], scored["SingleAvailabilityZone"]) == ([REGION], True)


async def test_extras_are_asked_for_only_by_name() -> None:
    recorder = Recorder()
    ec2 = Ec2(recorder)
    await ec2.observe_ec2(Ec2Question(region=REGION))
    ec2.close()
    named = {call.action for call in CALLS if call.extra} - {call.action for call in CALLS if not call.extra}
    assert not named & recorder.called.keys()
