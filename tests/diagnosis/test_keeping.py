"""What keeps the next node: a budget for the one reason, a NodePool for training, and when neither is offered."""

from __future__ import annotations

import subprocess
from typing import Any

import jsonpatch
import pytest
import yaml

from bot.approving.proposing import Worded, copied
from bot.diagnosis.keeping import keeping, letting_go
from bot.model.diagnosis import Remedy
from bot.model.karpenter import NodePool
from bot.model.kubernetes import Pod
from bot.model.objects import decode
from bot.model.world import World
from bot.remediation.patches import kubectl_command, patched
from tests.diagnosis.test_departure import NOW
from tests.remediation.scenes import workload


def pool(name: str = "gpu", *, version: str = "v1", **disruption: object) -> dict[str, Any]:
    taint = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"}
    requirements = [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}]
    template = {"spec": {"nodeClassRef": reference, "requirements": requirements, "taints": [taint]}}
    meta = {"name": name, "uid": "5f0c", "generation": 3, "labels": {"team": "ml"}}
    spec = {"disruption": {"consolidationPolicy": "WhenEmpty", **disruption}, "template": template, "weight": 10}
    return {"apiVersion": f"karpenter.sh/{version}", "kind": "NodePool", "metadata": meta, "spec": spec}


def offered(manifest: dict[str, Any], reason: str = "drifted") -> dict[str, Remedy]:
    """The remedies for a node of this NodePool that went for the reason, each with its patch."""
    found = decode(manifest, NodePool)
    world = World(now=NOW, node_pools=(found,), workloads=(workload(manifest),))
    remedies = keeping(tuple(letting_go(None, found, reason, protected=False)), found)
    return {one.id: patched(world, Pod(), one) for one in remedies}


@pytest.mark.parametrize(
    ("budgets", "then"),
    [
        (None, [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"]}]),
        ([{"nodes": "100%"}], [{"nodes": "100%"}, {"nodes": "0", "reasons": ["Drifted"]}]),
        (
            [{"nodes": 5, "reasons": ["Empty"], "schedule": "@daily", "duration": "1h"}],
            [
                {"nodes": 5, "reasons": ["Empty"], "schedule": "@daily", "duration": "1h"},
                {"nodes": "0", "reasons": ["Drifted"]},
            ],
        ),
    ],
)
def test_a_budget_for_the_reason_is_added_to_those_that_are_there(budgets: object, then: object) -> None:
    """Whoever sets a list replaces Karpenter's default of 10 %: where none was set, the default is written down with it."""
    disruption: dict[str, Any] = {"budgets": budgets} if budgets else {}
    before = pool(**disruption)
    patch = offered(before)["add-disruption-budget"].patch
    assert patch is not None
    assert patch.applicable
    steps: Any = patch.patch
    back: Any = patch.undo
    after = jsonpatch.apply_patch(before, steps)
    assert after["spec"]["disruption"]["budgets"] == then
    assert jsonpatch.apply_patch(after, back) == before


def test_a_nodepool_for_training_is_like_the_one_that_lost_the_node_but_for_what_keeps_nodes() -> None:
    patch = offered(pool(budgets=[{"nodes": "100%"}]))["add-training-nodepool"].patch
    assert patch is not None
    assert (patch.patch_type, patch.applicable, patch.why_not_code) == ("create", False, "new-object")
    made: Any = patch.patch
    assert made["metadata"] == {"name": "gpu-training"}
    assert made["spec"]["disruption"]["consolidationPolicy"] == "WhenEmpty"
    assert made["spec"]["disruption"]["consolidateAfter"] == "10m"
    assert [taint["key"] for taint in made["spec"]["template"]["spec"]["taints"]] == ["nvidia.com/gpu", "workload"]
    assert made["spec"]["template"]["metadata"]["labels"] == {"workload": "training"}
    assert made["spec"]["template"]["spec"]["requirements"] == pool()["spec"]["template"]["spec"]["requirements"]
    assert "weight" not in made["spec"], "who does not ask for it shall not come to it first"
    decode(made, NodePool)
    command = kubectl_command(patch)
    shown = subprocess.run(
        ["bash", "-c", command.replace("kubectl create -f -", "cat")], capture_output=True, text=True, check=True
    )
    assert yaml.safe_load(shown.stdout) == made
    offered_in_slack = copied(patch, Worded(summary="s", opens="", risks=()), patch.why_not)
    assert (offered_in_slack.command, offered_in_slack.repository) == (command, "")


def test_a_long_name_stays_a_name() -> None:
    patch = offered(pool("a" * 63))["add-training-nodepool"].patch
    assert patch is not None
    assert len(patch.target.name) == 63
    assert patch.target.name.endswith("-training")


@pytest.mark.parametrize("reason", ["interruption", "expired", "unhealthy", ""])
def test_what_no_budget_holds_gets_none(reason: str) -> None:
    assert not offered(pool(), reason)


def test_v1beta1_has_no_budgets_by_reason() -> None:
    old = pool(version="v1beta1", consolidationPolicy="WhenUnderutilized")
    assert list(offered(old)) == ["set-consolidation"]
