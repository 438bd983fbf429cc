"""Too many OR-terms for too many NodePools: the answer is bounded, and says so."""

from __future__ import annotations

import pytest

from bot.diagnosis import diagnose, refusal
from bot.diagnosis.verdicts import TERMS_CUT
from bot.model.diagnosis import Verdict
from tests.oracle.generate import generate
from tests.oracle.worlds import world_of


def test_a_cut_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    for case in generate(4, 8, feature="many-terms"):
        world, (pod, *_) = world_of(case)
        whole = diagnose(world, pod)
        assert TERMS_CUT not in whole.notes
        if whole.verdict is Verdict.BLOCKED and whole.causes and whole.nodepools:
            seen += 1
            with monkeypatch.context() as patched:
                patched.setattr(refusal, "MOST_PARTITIONS", 3)
                cut = diagnose(world, pod)
            assert TERMS_CUT in cut.notes
            assert cut.verdict is whole.verdict
            assert cut.causes
            assert [p.karpenter_message for p in cut.nodepools] == [p.karpenter_message for p in whole.nodepools]
    assert seen
