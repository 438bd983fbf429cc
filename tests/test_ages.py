"""How old EC2's facts are stands in every answer to `why`: words in both languages, Slack, JSON; and prices carry their day."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot import app
from bot.catalogues import Catalogues
from bot.contract import as_json
from bot.model.diagnosis import Diagnosis
from bot.model.world import World
from bot.packaged import load_playbooks
from bot.playbooks import plain, render
from bot.slack.blocks import answer
from bot.sources.ec2 import Ec2, Ec2Observation, Ec2Question
from bot.sources.pod_search import PodQuestion, find_pod
from bot.terminal import render_text
from tests.market.worlds import recorded
from tests.recorded import RECORDED

AGES = {"instance_types": 10_800.0, "zones": 10_799.0, "spot_prices": 125.0, "subnets": 40.4, "quotas": 0.0}
CASE = next(case for case in RECORDED if case.name == "spot-just-refused")
PLAYBOOKS = load_playbooks()


class Cached(Ec2):
    """AWS's answers as they come out of a cache."""

    async def observe_ec2(self, question: Ec2Question) -> Ec2Observation:  # noqa: ARG002 (there is one answer)
        return Ec2Observation(facts=recorded().ec2, ages=AGES)


@pytest.fixture(scope="module")
def aged() -> Diagnosis:
    return replace(CASE.answered.diagnosis, ec2_ages=AGES)


async def test_ages_come_with_the_facts_into_the_diagnosis() -> None:
    world = await app.with_ec2(World(now=recorded().now), Cached(), app.Place(region="ap-northeast-2"))
    assert world.ec2_ages == AGES
    pod = find_pod(recorded(), PodQuestion.parse(CASE.spec["question"]))
    assert app.decided(replace(recorded(), ec2_ages=AGES), pod, Catalogues()).ec2_ages == AGES


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "subnets 40 s old; spot prices 2 min old; zones, instance types 3 h old"),
        ("ko", "서브넷: 40초 전; 스팟 가격: 2분 전; 영역, 인스턴스 타입: 3시간 전"),
    ],
)
def test_one_compact_line_tells_them(aged: Diagnosis, language: str, words: str) -> None:
    rendered, phrases = render(aged, PLAYBOOKS, language), PLAYBOOKS.phrases(language)
    assert rendered.ages is not None
    assert plain(rendered.ages) == words
    assert words in render_text(rendered, phrases, width=500)
    message: Any = answer(rendered, phrases).as_json()
    assert sum(words in json.dumps(block, ensure_ascii=False) for block in message["blocks"]) == 1


def test_the_json_has_every_age_and_a_recording_has_none(aged: Diagnosis) -> None:
    whole = as_json(aged, render(aged, PLAYBOOKS, "en"), 1.0)
    assert whole["agesSeconds"] == {
        "instanceTypes": 10_800.0, "zones": 10_799.0, "spotPrices": 125.0, "subnets": 40.4, "quotas": 0.0,
    }  # fmt: skip
    own = CASE.answered.diagnosis
    rendered = render(own, PLAYBOOKS, "en")
    assert (rendered.ages, as_json(own, rendered, 1.0)["agesSeconds"]) == (None, {})


def test_every_price_of_every_remedy_carries_its_day() -> None:
    """All remedies of all recorded cases: the cheapest's own price, the on-demand one beside it, the one compared with."""
    seen = 0
    for case in RECORDED:
        for remedy in case.answered.diagnosis.remedies:
            best, beside = remedy.opens.cheapest, remedy.opens.compared
            if best is not None and best.price_per_hour is not None and best.capacity_type != "reserved":
                seen += 1
                assert best.as_of, (case.name, remedy.id)
                assert best.on_demand_price_per_hour is None or best.on_demand_as_of, (case.name, remedy.id)
            assert beside is None or beside.capacity_type == "reserved" or beside.as_of, (case.name, remedy.id)
    assert seen > 20
