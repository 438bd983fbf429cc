"""Our decisions are Karpenter's, on a few hundred random cases (`make parity` holds ten thousand against it)."""

from __future__ import annotations

import pytest

from tests.oracle.client import Oracle
from tests.oracle.features import FEATURES
from tests.oracle.generate import generate
from tests.oracle.parity import Report, compare, questions
from tests.oracle.worlds import world_of

pytestmark = pytest.mark.oracle


def _agreeing(report: Report) -> Report:
    told = [f"{q.case['id']} {q.pod}: {kind}\n  ours   {q.mine}\n  theirs {a}" for q, a, kind in report.differing]
    assert not told, "\n".join(told)
    return report


@pytest.mark.parametrize("feature", sorted(FEATURES))
def test_each_feature_alone(oracle: Oracle, feature: str) -> None:
    report = _agreeing(compare(oracle, generate(1, 6, feature=feature)))
    assert report.verdicts.total(), f"no case of {feature} could be compared"


def test_features_together(oracle: Oracle) -> None:
    report = _agreeing(compare(oracle, generate(2, 200)))
    assert {"blocked", "launchable", "ignored", "fits-existing-node"} <= report.verdicts.keys()


def test_a_wrong_decision_would_be_seen(oracle: Oracle) -> None:
    """The comparison can fail: pods that were exchanged behind Karpenter's back are decided otherwise."""
    cases = list(generate(3, 40, feature="resources"))
    verdicts = list(oracle.decide_all(cases))
    shifted = [{**case, "pods": other["pods"]} for case, other in zip(cases, cases[1:] + cases[:1], strict=True)]
    found = [
        question.difference([verdict])[0]
        for case, verdict in zip(shifted, verdicts, strict=True)
        for question in questions(case, *world_of(case), verdict)
    ]
    assert {"verdict", "message"} <= set(found)
