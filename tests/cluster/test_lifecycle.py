"""After the decision, on a real Karpenter: nodes that join and do not become usable, and nodes that it takes away again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.cluster.api import KubeObject, wait_for
from tests.cluster.bot_access import BotAccess
from tests.cluster.cases import CAPACITY_TYPE, GPU, INSTANCE_TYPE
from tests.cluster.components import FAKE_NODE
from tests.cluster.workbench import SECONDS, Workbench, node_pool, requirement

pytestmark = pytest.mark.cluster

TYPE: Final = "g6e.xlarge"
CILIUM: Final = {"key": "node.cilium.io/agent-not-ready", "effect": "NoSchedule", "value": "true"}


def _pool(name: str, **template: object) -> KubeObject:
    """A NodePool of one type; `template` goes into the spec of its template."""
    types = [requirement(INSTANCE_TYPE, "In", TYPE), requirement(CAPACITY_TYPE, "In", "on-demand")]
    made = node_pool(name, [*types, requirement("pool", "In", name)])
    made["spec"]["template"]["spec"] |= template
    return made


def _gone(bench: Workbench, node: str) -> bool:
    return bench.api.find("v1", "Node", node) is None


def test_drift_and_expiry_are_named_with_what_they_took_along(bench: Workbench, bot: BotAccess) -> None:
    """Two NodePools at once: the template of one is changed, the nodes of the other live for half a minute."""
    bench.api.create(_pool("drifting"))
    bench.api.create(_pool("expiring", expireAfter="40s"))
    for name in ("drifting", "expiring"):
        bench.create_deployment(name, {GPU: "1"}, nodeSelector={"pool": name})
    lost = {name: bench.running_pod_of(name) for name in ("drifting", "expiring")}
    labels = {"spec": {"template": {"metadata": {"labels": {"team": "ml"}}}}}
    bench.api.patch("karpenter.sh/v1", "NodePool", "drifting", labels)

    said = {"drifting": "Drifted", "expiring": "Expired"}
    for name, pod in lost.items():
        node = pod["spec"]["nodeName"]
        wait_for(f"{node} of {name} to go", partial(_gone, bench, node), seconds=2 * SECONDS)
        answer = bot.run("why-gone", node, "-o", "json").answer()
        assert (answer["state"], answer["reason"], answer["nodepool"]) == ("gone", said[name], name)
        assert f"{bench.namespace}/{pod['metadata']['name']}" in answer["pods"]  # others' pods may have been there too
        (cause,) = answer["causes"]
        assert (cause["id"], cause["facts"]["field"]) == ("node-disrupted", "")  # the NodeClaim named it; it is gone
        by_pod = bot.run("why-gone", f"{bench.namespace}/{pod['metadata']['name']}", "-o", "json").answer()
        assert by_pod["reason"] == said[name]
        if name == "drifting":
            _assert_taken(bench, answer)


def _assert_taken(bench: Workbench, answer: KubeObject) -> None:
    """What is proposed for a lost node is what Karpenter's own schema takes: a budget as a patch, a NodePool as it is."""
    by_id = {remedy["id"]: remedy for remedy in answer["remedies"]}
    bench.apply_remedy(by_id["add-disruption-budget"])
    budgets = bench.api.get("karpenter.sh/v1", "NodePool", "drifting")["spec"]["disruption"]["budgets"]
    assert budgets == [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"]}]
    made = bench.api.create(by_id["add-training-nodepool"]["patch"])
    assert made["spec"]["disruption"]["consolidationPolicy"] == "WhenEmpty"
    assert {"key": "workload", "value": "training", "effect": "NoSchedule"} in made["spec"]["template"]["spec"][
        "taints"
    ]


def _joined(bench: Workbench, *, without: str = "") -> KubeObject:
    """The node of the one launched NodeClaim, made by hand where kwok does not make it, without one of its resources."""
    claim = bench.launched_claim()
    name = f"ip-by-hand-{claim['metadata']['name']}"
    taints = [*claim["spec"].get("startupTaints", []), {"key": "karpenter.sh/unregistered", "effect": "NoExecute"}]
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**claim["metadata"]["labels"], "kubernetes.io/hostname": name},
            "annotations": dict([FAKE_NODE]),
        },
        "spec": {"providerID": claim["status"]["providerID"], "taints": taints},
    }
    made = bench.api.create(node)
    has = {key: amount for key, amount in claim["status"]["capacity"].items() if key != without}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    status = {"status": {"capacity": has, "allocatable": has, "conditions": [ready]}}
    bench.api.patch("v1", "Node", name, status, subresource="status")
    return made


def _stuck_at(bench: Workbench, reason: str) -> None:
    def stuck() -> bool:
        claims = bench.api.list("karpenter.sh/v1", "NodeClaim")
        conditions = [c for claim in claims for c in claim.get("status", {}).get("conditions", [])]
        return any((c["type"], c["reason"]) == ("Initialized", reason) for c in conditions)

    wait_for(f"a NodeClaim to wait for {reason}", stuck, seconds=SECONDS)


def test_a_device_that_no_plugin_registers_is_named_at_once(bench: Workbench, bot: BotAccess) -> None:
    slow = {"apiVersion": "karpenter.kwok.sh/v1alpha1", "kind": "KWOKNodeClass", "metadata": {"name": "by-hand"}}
    bench.api.create({**slow, "spec": {"nodeRegistrationDelay": "1h"}})
    bench.create_node_pool("gpu", [requirement(INSTANCE_TYPE, "In", TYPE)], node_class="by-hand")
    bench.create_pod("trainer", {GPU: "1"})
    _joined(bench, without=GPU)
    _stuck_at(bench, "ResourceNotRegistered")
    answer = bot.run("why", f"{bench.namespace}/trainer", "-o", "json").answer()
    assert (answer["verdict"], answer["reason"]) == ("launching", "Initialized")
    (cause,) = answer["causes"]
    assert (cause["id"], cause["facts"]["resource"], cause["facts"]["state"]) == (
        "device-plugin-missing",
        GPU,
        "absent",
    )


def test_a_startup_taint_that_nobody_takes_off_is_normal_first_and_then_a_cause(
    bench: Workbench, bot: BotAccess, tmp_path: Path
) -> None:
    """Ten minutes pass in the recording's clock, not in the test."""
    bench.api.create(_pool("gpu", startupTaints=[CILIUM]))
    bench.create_pod("trainer", {GPU: "1"})
    _stuck_at(bench, "StartupTaintsExist")
    now = bot.run("why", f"{bench.namespace}/trainer", "-o", "json").answer()
    assert (now["verdict"], now["reason"], now["causes"]) == ("launching", "Initialized", [])

    folder = tmp_path / "snapshot"
    assert bot.run("snapshot", f"{bench.namespace}/trainer", str(folder)).exit_code == 0
    meta = yaml.safe_load((folder / "meta.yaml").read_text())
    taken = meta["now"] if isinstance(meta["now"], datetime) else datetime.fromisoformat(str(meta["now"]))
    meta["now"] = (taken + timedelta(minutes=10)).isoformat()
    (folder / "meta.yaml").write_text(json.dumps(meta))
    later = bot.run("why", f"{bench.namespace}/trainer", "--snapshot", str(folder), "-o", "json").answer()
    (cause,) = later["causes"]
    assert (cause["id"], cause["facts"]["owner"]) == ("not-initialized", "Cilium")
    assert cause["facts"]["taint"].startswith(CILIUM["key"])
