"""What could not be read is said in every language, and a reason without words is found by `playbooks check`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot import packaged
from bot.model.gaps import WHATS, WHYS, gap_in, gap_of
from bot.model.world import Missing
from bot.playbooks import plain
from bot.playbooks.check import check_playbooks
from bot.playbooks.gap_words import GAPS, gap_line
from bot.sources.aws import reason
from bot.sources.ec2_calls import CALLS
from bot.sources.errors import ReadFailed, missing_read
from bot.sources.snapshot import EC2_FILES

PLAYBOOKS = packaged.load_playbooks()
KOREAN, ENGLISH = PLAYBOOKS.phrases("ko"), PLAYBOOKS.phrases("en")


def hangul(text: str) -> bool:
    return any("가" <= letter <= "힣" for letter in text)


@pytest.mark.parametrize("code", [code for code in WHYS if code not in ("cluster-silent", "aws-other", "aws-failed")])
def test_every_reason_is_said_in_korean(code: str) -> None:
    facts = {name: str(value) for name, value in GAPS[f"missing-why.{code}"].items()}
    gap = gap_of("spot prices", (code, facts))
    said = plain(gap_line(gap, KOREAN))
    assert said.startswith("스팟 가격")
    assert hangul(said.removeprefix("스팟 가격"))
    assert plain(gap_line(gap, ENGLISH)) == str(gap)


def test_every_fact_of_ec2_has_a_name_in_every_language() -> None:
    assert {call.what for call in CALLS} | {file.what for file in EC2_FILES} <= set(WHATS)


def test_a_part_of_a_thing_and_older_data_are_said_too() -> None:
    denied = PermissionError("no")
    stale = gap_of(
        "spot prices",
        ("aws-denied", {**reason(denied, "ec2:X")[1], "code": "AccessDenied", "minutes": "12"}),
        part="newer",
    )
    assert str(stale) == "newer spot prices: no access to ec2:X: AccessDenied; used are those of 12 min ago"
    assert plain(gap_line(stale, KOREAN)) == "스팟 가격(최신 값): `ec2:X` 권한 없음: AccessDenied. 12분 전 값을 사용함"
    setting = gap_in("SCHEDULER_CONFIG", "not-simulated", part="setting")
    assert plain(gap_line(setting, KOREAN)).startswith("Karpenter의 SCHEDULER_CONFIG: ")


@pytest.mark.parametrize(
    ("status", "message", "english"),
    [
        (403, "forbidden", "pods: no permission to list pods in namespace ml"),
        (404, "", "pods: the cluster does not serve pods"),
        (0, "no answer", "pods: no answer when asked to list pods in namespace ml"),
        (500, "", "pods: HTTP 500 when asked to list pods in namespace ml"),
    ],
)
def test_a_read_that_failed_names_verb_and_resource(status: int, message: str, english: str) -> None:
    gap = missing_read(ReadFailed(status, message), "list", "pods", " in namespace ml")
    assert str(gap) == english
    assert hangul(plain(gap_line(gap, KOREAN)))


def test_a_gap_without_a_code_is_said_as_it_is() -> None:
    assert plain(gap_line(Missing(what="x", why="of some kind"), KOREAN)) == "x: of some kind"


@pytest.mark.parametrize(
    "key", ["missing-why.aws-denied", "missing-what.subnets", "missing-part.newer", "missing-stale"]
)
def test_a_sentence_that_is_missing_is_found(key: str) -> None:
    without = {name: dict(sentences) for name, sentences in PLAYBOOKS.sentences.items()}
    del without["ko"][key]
    problems = check_playbooks(replace(PLAYBOOKS, sentences=without))
    assert [p.message for p in problems] == [f"no sentence for `{key}`"]
