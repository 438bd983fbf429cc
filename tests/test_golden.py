"""Every recorded case answers word for word what was reviewed; `make golden` rewrites the answers."""

from __future__ import annotations

import pytest

from tests.recorded import GOLDEN, RECORDED, RecordedCase


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name)
def test_the_answer_is_the_reviewed_one(case: RecordedCase) -> None:
    for name, text in case.answers().items():
        reviewed = (GOLDEN / name).read_text(encoding="utf-8")
        assert text == reviewed, f"{name} differs; if that is meant: make golden, then read the diff"


def test_no_golden_answer_is_left_of_a_case_that_is_gone() -> None:
    wanted = {
        name
        for case in RECORDED
        for name in (*(f"{case.name}.{lang}.txt" for lang in ("en", "ko")), f"{case.name}.json")
    }
    there = {file.name for file in GOLDEN.iterdir() if file.suffix in (".txt", ".json")}
    assert there == wanted


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name)
def test_no_playbook_had_to_be_replaced(case: RecordedCase) -> None:
    assert '"playbookProblems": []' in case.json()
