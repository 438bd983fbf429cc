"""Karpenter itself, asked about the cluster after each remedy: it gives the pod a node."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.diagnosis.explained import explained, from_generator
from tests.oracle.client import Oracle
from tests.oracle.drafts import CaseDraft, NodePoolDraft, PodDraft, expression
from tests.oracle.edits import with_edits
from tests.oracle.instance_type_drafts import InstanceTypeDraft
from tests.oracle.parity import qualified
from tests.oracle.worlds import world_of

pytestmark = pytest.mark.oracle
PLACED = ("launchable", "fits-existing-node")


def test_karpenter_agrees_with_every_remedy(oracle: Oracle) -> None:
    """Where Karpenter picks a topology domain at random, some run must place the pod."""
    tried: Counter[str] = Counter()
    failing = []
    for one in from_generator(6, 260):
        assert one.case is not None
        name = qualified(one.pod)
        for remedy in one.told.remedies:
            tried[remedy.id] += 1
            case = with_edits(one.case, remedy.edits)
            if oracle.decide(case).of(name) not in PLACED:
                words = {verdict.of(name) for verdict in oracle.outcomes(case, samples=16)}
                if words.isdisjoint(PLACED):
                    failing.append((one.case["id"], remedy.id, [(e.field, e.old, e.new) for e in remedy.edits], words))
    assert not failing
    assert tried.total() > 100
    assert len(tried) > 8


def test_karpenter_agrees_that_fewer_edits_do_not_help(oracle: Oracle) -> None:
    for one in from_generator(9, 160):
        assert one.case is not None
        for remedy in one.told.remedies:
            for edit in remedy.edits if len(remedy.edits) > 1 else ():
                fewer = [other for other in remedy.edits if other is not edit]
                word = oracle.decide(with_edits(one.case, fewer)).of(qualified(one.pod))
                assert word not in PLACED, (one.case["id"], remedy.edits, fewer)


@pytest.mark.parametrize(("operator", "values", "new"), [("In", ["ml"], "ml"), ("DoesNotExist", [], None)])
def test_a_nodepools_label_gives_way_where_no_other_single_edit_helps(
    oracle: Oracle, operator: str, values: list[str], new: str | None
) -> None:
    """The pod says it twice, so both would have to go; the NodePool says it once."""
    case = CaseDraft(
        id="twice",
        pods=[PodDraft(name="pod-1")],
        pools=[NodePoolDraft(name="general", labels={"team": "web"})],
        types=[InstanceTypeDraft(name="m5.large")],
    )
    case.pod.require(expression("team", operator, *values), expression("team", operator, *values))
    world, (pod,) = world_of(case.json())
    one = explained(world, pod)
    assert one is not None
    (single,) = [remedy for remedy in one.told.remedies if len(remedy.edits) == 1]
    assert (single.id, single.edits[0].old, single.edits[0].new) == ("change-nodepool-label", "web", new)
    assert oracle.decide(with_edits(case.json(), single.edits)).of(qualified(pod)) == "launchable"
