"""The families of cases: each moment gets the causes that are right and no other, word for word as reviewed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.app import answer_from_snapshot
from bot.diagnosis.departure import Departure
from bot.diagnosis.timeline import MOST
from bot.karpenter import SignalKind, parse_refusal, parse_text, read_line
from bot.karpenter.refusals import format_refusal
from bot.model.diagnosis import Diagnosis
from bot.sources.pod_search import PodQuestion
from tests.families import ALL, GOLDEN, NAMES, FamilyCase, answers, base, write

RELEASE = (1, 8, 1)
every_case = pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.family}-{case.name}")


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


@every_case
def test_the_answer_is_right(case: FamilyCase) -> None:
    expected, found = case.expect, case.diagnosis
    assert [cause.id for cause in found.causes] == expected["causes"]
    assert {cause.id for cause in found.causes}.isdisjoint(expected.get("not_causes", ()))
    facts: dict[str, Any] = dict(found.causes[0].facts) if found.causes else {}
    if found.causes and found.causes[0].id != "node-disrupted":
        facts |= {name: value for cause in reversed(found.causes) for name, value in cause.facts.items()}
    for name, value in expected.get("facts", {}).items():
        assert _plain(facts[name]) == value, name
    if isinstance(case.answer, Diagnosis):
        assert case.answer.verdict == expected["verdict"]
    else:
        _assert_gone(case.answer, expected)


def _assert_gone(found: Departure, expected: Mapping[str, Any]) -> None:
    assert (found.state, found.reason, list(found.pods)) == (expected["state"], expected["reason"], expected["pods"])
    assert [remedy.id for remedy in found.diagnosis.remedies] == expected["remedies"]
    told = [moment.what for moment in found.timeline]
    assert set(expected["timeline"]) <= set(told)
    assert len(told) <= MOST
    shields = {one.id: one.state for one in found.shields}
    assert {name: shields[name] for name in expected.get("shields", {})} == expected.get("shields", {})


@every_case
def test_its_lines_are_karpenters_of_its_release(case: FamilyCase) -> None:
    for text in case.log:
        (line,) = parse_text(text)
        assert read_line(line).kind is not SignalKind.OTHER, text
        if line.message == "could not schedule pod":
            parsed = parse_refusal(line.error)
            assert parsed is not None
            assert format_refusal(parsed, RELEASE) == line.error
    assert all(event.time is None or event.time <= base().now for event in case.world.events)


@pytest.mark.parametrize("family", NAMES)
def test_the_answers_are_the_reviewed_ones(family: str) -> None:
    for name, text in answers(family).items():
        reviewed = (GOLDEN / name).read_text(encoding="utf-8")
        assert text == reviewed, f"{name} differs; if that is meant: make golden, then read the diff"
        assert '"playbookProblems": []' in text or not name.endswith(".json")


def test_no_answer_is_left_of_a_family_that_is_gone() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == {
        f"{n}.{end}" for n in NAMES for end in ("en.txt", "ko.txt", "json")
    }


def test_a_moment_written_as_a_snapshot_folder_gets_the_same_answer(tmp_path: Path) -> None:
    case = next(one for one in ALL if one.name == "foretold-zero")
    write(f"{case.family}/{case.name}", tmp_path / "moment")
    asked = PodQuestion.parse(case.ask.partition(" ")[2])
    found = answer_from_snapshot(tmp_path / "moment", asked).diagnosis
    assert (found.verdict, [cause.facts for cause in found.causes]) == (
        case.diagnosis.verdict,
        [cause.facts for cause in case.diagnosis.causes],
    )
    assert json.loads(answers(case.family)[f"{case.family}.json"])[case.name]["verdict"] == found.verdict
