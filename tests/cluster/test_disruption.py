"""A node taken from under a running workload: the bot tells of it, and what it proposes, approved, keeps the next one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import pytest

from bot.model.proposals import Proposal, State
from bot.remediation.outcomes import MARK
from tests.cluster.api import KubeObject, wait_for
from tests.cluster.bot_access import BotAccess
from tests.cluster.cases import CAPACITY_TYPE, GPU, INSTANCE_TYPE
from tests.cluster.test_approving import ANNA, accounts, approving, aws
from tests.cluster.workbench import SECONDS, Workbench, requirement

__all__ = ["accounts", "aws"]  # fixtures

pytestmark = pytest.mark.cluster

SMALL: Final = "g6e.xlarge"
LARGE: Final = "g6e.12xlarge"
POOL: Final = "gpu"
PATIENCE: Final = 40.0
"""Seconds; an unprotected node goes after some twenty."""
QUICK: Final = {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "1s"}
KEEPING: Final = {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10m"}


def test_consolidation_is_named_and_both_remedies_keep_the_node(bench: Workbench, bot: BotAccess) -> None:
    lost, moved = _moved(bench)

    answer = bot.run("why", f"{bench.namespace}/{moved['metadata']['name']}", "-o", "json").answer()
    assert answer["verdict"] == "running"
    (cause,) = answer["causes"]
    assert cause["id"] == "node-disrupted"
    assert cause["facts"]["node"] == lost["spec"]["nodeName"] != moved["spec"]["nodeName"]
    assert cause["facts"]["reason"] == "Underutilized"
    by_id = {remedy["id"]: remedy for remedy in answer["remedies"]}
    assert by_id.keys() == {
        "add-do-not-disrupt",
        "set-consolidation",
        "add-disruption-budget",
        "add-training-nodepool",
    }

    gone = bot.run("why-gone", lost["spec"]["nodeName"], "-o", "json").answer()
    assert (gone["reason"], gone["pods"]) == ("Underutilized", [f"{bench.namespace}/{lost['metadata']['name']}"])
    assert {"disrupting", "evicted"} <= {moment["what"] for moment in gone["timeline"]}

    bench.apply_remedy(by_id["add-do-not-disrupt"])
    _assert_kept(bench, 'Pod has "karpenter.sh/do-not-disrupt" annotation')

    _drop_annotation(bench)
    bench.apply_remedy(by_id["set-consolidation"])
    # Ten minutes pass before Karpenter considers the node; for the test, they pass in a second.
    bench.api.patch("karpenter.sh/v1", "NodePool", POOL, {"spec": {"disruption": {"consolidateAfter": "1s"}}})
    _assert_kept(bench, f'NodePool "{POOL}" has consolidation policy WhenEmpty, but node is not empty')


def test_both_remedies_are_approved_applied_once_and_undone(
    bench: Workbench, accounts: dict[str, Path], aws: None, tmp_path: Path
) -> None:
    """The NodePool's first: it leaves the pod that was moved where it is."""
    pod = _moved(bench)[1]["metadata"]["name"]
    for folder in ("pool", "pod"):
        (tmp_path / folder).mkdir()
    pool = asyncio.run(_approved_and_undone(bench, accounts["writer"], tmp_path / "pool", pod, "set-consolidation"))
    assert pool["spec"]["disruption"] == {**KEEPING, "budgets": [{"nodes": "10%"}]}
    owner = asyncio.run(_approved_and_undone(bench, accounts["writer"], tmp_path / "pod", pod, "add-do-not-disrupt"))
    assert owner["spec"]["template"]["metadata"]["annotations"] == {"karpenter.sh/do-not-disrupt": "true"}


def _moved(bench: Workbench) -> tuple[KubeObject, KubeObject]:
    """The trainer's pod whose node was consolidated away, and the one that runs in its place on a smaller node."""
    types = requirement(INSTANCE_TYPE, "In", SMALL, LARGE)
    bench.create_node_pool(POOL, [types, requirement(CAPACITY_TYPE, "In", "on-demand")], disruption=dict(QUICK))
    bench.create_deployment("trainer", {GPU: "1"}, 0)
    lost = _leave_alone_on_a_large_node(bench)
    return lost, bench.running_pod_of("trainer", other_than=lost["metadata"]["name"])


async def _approved_and_undone(bench: Workbench, kubeconfig: Path, folder: Path, pod: str, remedy: str) -> KubeObject:
    """Proposed, approved and carried out by two replicas at once, verified, and taken back; returns what it had become."""
    async with approving(kubeconfig, folder) as it, approving(kubeconfig, folder) as other:
        one = await it.proposed(bench.namespace, pod, remedy)
        assert isinstance(one, Proposal), one
        target = one.alteration.target
        where = (target.api_version, target.kind, target.name, target.namespace)
        before = bench.api.get(*where)
        clicks = await asyncio.gather(*(each.service.approve(one.id, ANNA) for each in (it, other, it)))
        assert [isinstance(click, Proposal) for click in clicks].count(True) == 1, clicks
        for each in (it, other, it):
            each.service.go_on(one.id)
        done = await it.in_state(one.id, State.VERIFIED, State.STALLED, State.FAILED, State.SUPERSEDED)
        assert done.state is State.VERIFIED, (done.state, done.facts)
        sight: Any = done.facts["sight"]
        assert (sight["pod"] != pod) == bool(target.namespace), "a changed template is verified by a pod made from it"
        runs = bench.running_pod_of("trainer")
        assert (sight["pod"], sight["node"]) == (runs["metadata"]["name"], runs["spec"]["nodeName"])
        after = bench.api.get(*where)
        assert after["metadata"]["annotations"][MARK] == one.id
        assert _changes(bench, one) == ["ChangeApplied"]
        assert _writes(after) == _writes(before) + 1, "applied exactly once"
        undone = await it.service.undo(one.id, ANNA)
        assert isinstance(undone, Proposal), undone
        it.service.go_on(undone.id)
        await it.in_state(one.id, State.UNDONE)
        wait_for("the way back to be counted", lambda: _writes(bench.api.get(*where)) > _writes(after), seconds=SECONDS)
        back = bench.api.get(*where)
        assert back["spec"] == before["spec"]
        assert _writes(back) == _writes(after) + 1, "taken back exactly once"
        return after


def _changes(bench: Workbench, one: Proposal) -> list[str]:
    """What the Events about the changed object tell of the bot's writes."""
    namespace, named = one.alteration.target.namespace or "default", f"involvedObject.uid={one.alteration.uid}"
    told = bench.api.list("v1", "Event", namespace, fieldSelector=named)
    return [event["reason"] for event in told if event["reason"].startswith("Change")]


def _writes(found: KubeObject) -> int:
    """A count that goes up by one with each write of the spec: a Deployment's controller writes its own generation too."""
    revision = found["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision")
    return int(revision or found["metadata"]["generation"])


def _leave_alone_on_a_large_node(bench: Workbench) -> KubeObject:
    """The trainer, with one GPU, on a fresh node of four, from which all others have gone; returns its pod."""
    _scale(bench, "trainer", 0)
    wait_for("the trainer to go", lambda: not bench.pods_of("trainer"), seconds=SECONDS)
    bench.remove_nodes()
    bench.create_deployment("neighbour", {GPU: "3"})
    node = bench.node_of("neighbour")
    assert node["metadata"]["labels"][INSTANCE_TYPE] == LARGE
    _scale(bench, "trainer", 1)
    alone = bench.running_pod_of("trainer")
    assert alone["spec"]["nodeName"] == node["metadata"]["name"]
    bench.api.delete("apps/v1", "Deployment", "neighbour", bench.namespace)
    return alone


def _assert_kept(bench: Workbench, because: str) -> None:
    """Karpenter may consolidate the half-empty node and does not: the pod is still the same pod on the same node.

    Done as soon as Karpenter says why. It may keep silent: an event of the same reason about the same node, whatever its
    words, silences others for two minutes (pkg/events/recorder.go, dedupeKey, v1.14), and a node that was looked at while
    it started has had one. Then it is watched for twice as long as Karpenter took for the unprotected node.
    """
    alone = _leave_alone_on_a_large_node(bench)
    node = alone["spec"]["nodeName"]
    wait_for("the node to be consolidatable", lambda: _consolidatable(bench, node), seconds=SECONDS)
    deadline = time.monotonic() + PATIENCE

    def settled() -> bool:
        about = f"involvedObject.kind=Node,involvedObject.name={node}"
        events = bench.api.list("v1", "Event", "default", fieldSelector=about)
        return time.monotonic() > deadline or any(because in event["message"] for event in events)

    wait_for(f"Karpenter to leave {node}", settled, seconds=PATIENCE + SECONDS)
    assert bench.running_pod_of("trainer")["metadata"]["uid"] == alone["metadata"]["uid"]
    assert not bench.api.get("v1", "Node", node)["spec"].get("taints")


def _consolidatable(bench: Workbench, node: str) -> bool:
    claims = bench.api.list("karpenter.sh/v1", "NodeClaim")
    statuses = [claim["status"] for claim in claims if claim.get("status", {}).get("nodeName") == node]
    return any(
        (condition["type"], condition["status"]) == ("Consolidatable", "True")
        for status in statuses
        for condition in status["conditions"]
    )


def _scale(bench: Workbench, name: str, replicas: int) -> None:
    bench.api.patch("apps/v1", "Deployment", name, {"spec": {"replicas": replicas}}, namespace=bench.namespace)


def _drop_annotation(bench: Workbench) -> None:
    without = {"spec": {"template": {"metadata": {"annotations": None}}}}
    bench.api.patch("apps/v1", "Deployment", "trainer", without, namespace=bench.namespace)
