"""A cluster in a storm: 20 workloads with 500 pending pods each, each blocked by a cause of its own.

The recorded seed cluster (NodePools, classes, DaemonSets, Karpenter's own pods, EC2's facts) with NodePools and pods added.
Owners are of every kind: TrainJob over JobSet over Jobs, Jobs, Deployments over ReplicaSets, StatefulSets.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bot.playground.clusters import Alive, Recording, alive
from tests.recorded import CASES

SEED: Final = CASES / "seed-efa-8-on-g6e-8xlarge"
NAMESPACE: Final = "storm"
PODS_EACH: Final = 500
_SAFE: Final = "bcdfghjklmnpqrstvwxz2456789"
_ZONE: Final = "topology.kubernetes.io/zone"
_TYPE: Final = "node.kubernetes.io/instance-type"
_GPU: Final = "nvidia.com/gpu"
_EFA: Final = "vpc.amazonaws.com/efa"
Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """`cause` is what the bot must say of its pods. `selector`, `requests` and `spec` are its pods'; `pool` is theirs."""

    name: str
    kind: str
    cause: str
    pool: str = "gpu"
    selector: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=lambda: {_GPU: "1"})
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def top(self) -> str:
        """The topmost owner, as the bot names it."""
        return f"{self.kind}/{self.name}"

    def pod_name(self, index: int) -> str:
        """The name of its pod of this number."""
        end = "".join(_SAFE[(index * 7 + 11) // len(_SAFE) ** k % len(_SAFE)] for k in range(5))
        match self.kind:
            case "TrainJob":
                return f"{self.job_name(index)}-{index // 3}-{end}"
            case "StatefulSet":
                return f"{self.name}-{index}"
            case "Deployment":
                return f"{self.name}-7c9f6b5d48-{end}"
            case _:
                return f"{self.name}-{end}"

    def job_name(self, index: int) -> str:
        """The Job of a pod, of which a TrainJob has three."""
        return f"{self.name}-node-{index % 3}" if self.kind == "TrainJob" else self.name


def _spread(kind: str) -> Mapping[str, Any]:
    labels = {"matchLabels": {"storm": "nobody"}}
    term = {"topologyKey": _ZONE, "labelSelector": labels}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


_NODE_LABEL: Final = "nodeType"
WORKLOADS: Final = (
    Workload(
        name="efa-eight",
        kind="TrainJob",
        cause="efa-count-exceeds-instance",
        selector={_TYPE: "g6e.8xlarge", _ZONE: "ap-northeast-2a"},
        requests={_GPU: "1", _EFA: "8"},
    ),
    Workload(
        name="gpu-sixteen",
        kind="TrainJob",
        cause="gpu-count-exceeds-instance",
        selector={_TYPE: "p4d.24xlarge"},
        requests={_GPU: "16"},
    ),
    Workload(
        name="efa-none",
        kind="TrainJob",
        cause="efa-unsupported",
        selector={_TYPE: "g5.2xlarge"},
        requests={_GPU: "1", _EFA: "1"},
    ),
    Workload(
        name="wrong-zone",
        kind="Job",
        cause="zone-not-offered",
        selector={_TYPE: "p4d.24xlarge", _ZONE: "ap-northeast-2a"},
        requests={_GPU: "8"},
    ),
    Workload(name="typo-type", kind="Job", cause="unknown-instance-type", selector={_TYPE: "p4d.24xlrge"}),
    Workload(name="typo-label", kind="Deployment", cause="unknown-label", selector={"nodetype": "nvidia"}),
    Workload(name="no-toleration", kind="Deployment", cause="taint-not-tolerated", spec={"tolerations": []}),
    Workload(
        name="thousand-cpus",
        kind="StatefulSet",
        cause="resource-exceeds-instance",
        pool="cpu",
        requests={"cpu": "1000"},
    ),
    Workload(
        name="gpus-of-cpu",
        kind="Deployment",
        cause="requirement-conflict",
        pool="cpu",
        selector={"karpenter.k8s.aws/instance-category": "g"},
        requests={"cpu": "1"},
    ),
    Workload(
        name="memory-spot",
        kind="Job",
        cause="capacity-type-not-offered",
        pool="memory",
        selector={_TYPE: "u7i-6tb.112xlarge", "karpenter.sh/capacity-type": "spot"},
        requests={"cpu": "1"},
    ),
    Workload(name="over-limit", kind="TrainJob", cause="nodepool-limit-exceeded", pool="small", requests={"cpu": "2"}),
    Workload(name="pool-broken", kind="Deployment", cause="nodepool-not-ready", pool="broken", requests={"cpu": "1"}),
    Workload(name="class-lost", kind="Deployment", cause="nodeclass-not-ready", pool="lost", requests={"cpu": "1"}),
    Workload(name="few-types", kind="StatefulSet", cause="min-values-unmet", pool="varied", requests={"cpu": "1"}),
    Workload(
        name="volume-far",
        kind="StatefulSet",
        cause="volume-zone-conflict",
        pool="cpu",
        selector={_ZONE: "ap-northeast-2a"},
        requests={"cpu": "1"},
        spec={"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "far"}}]},
    ),
    Workload(
        name="lonely",
        kind="Deployment",
        cause="affinity-deadlock",
        pool="cpu",
        requests={"cpu": "1"},
        spec=_spread("podAffinity"),
    ),
    Workload(
        name="gated",
        kind="Job",
        cause="scheduling-gated",
        spec={"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]},
    ),
    Workload(name="of-volcano", kind="Job", cause="other-scheduler", spec={"schedulerName": "volcano"}),
    Workload(
        name="of-devices",
        kind="Deployment",
        cause="dynamic-resources-unsupported",
        pool="cpu",
        requests={"cpu": "1"},
        spec={"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]},
    ),
    Workload(
        name="one-subnet",
        kind="Job",
        cause="subnet-missing-in-zone",
        pool="onezone",
        selector={_ZONE: "ap-northeast-2c"},
        requests={"cpu": "1"},
    ),
)


def storm_cluster(scratch: Path, now: datetime) -> Alive:
    """The whole cluster; `scratch` is an empty folder to work in."""
    base = alive(Recording(name="storm", folder=SEED), scratch, now)
    objects = (*base.objects, *_pools(base.objects), *_volume(), *_workloads(now))
    return Alive(objects=objects, logs=base.logs, facts=base.facts, missing=base.missing)


def _pools(objects: tuple[Manifest, ...]) -> Iterator[Manifest]:
    pool = next(o for o in objects if o["kind"] == "NodePool" and o["metadata"]["name"] == "gpu")
    node_class = next(o for o in objects if o["kind"] == "EC2NodeClass")
    general = _requirements(category=["c", "m", "r"], types=["spot", "on-demand"])
    yield _pool(pool, "cpu", general)
    yield _pool(
        pool, "memory", _requirements(category=["u7i", "m"], types=["spot", "on-demand"], family=["u7i-6tb", "m5"])
    )
    yield _pool(pool, "small", general, limits={"cpu": "1"})
    broken = _pool(pool, "broken", general)
    broken["status"]["conditions"] = [
        {"type": "ValidationSucceeded", "status": "False", "reason": "NodePoolValidationFailed", "message": "invalid"},
        {"type": "Ready", "status": "False", "reason": "UnhealthyDependents", "message": "ValidationSucceeded=False"},
    ]
    yield broken
    lost = _pool(pool, "lost", general, node_class="lost")
    lost["status"]["conditions"] = [
        {"type": "NodeClassReady", "status": "False", "reason": "UnhealthyDependents", "message": "SubnetsReady=False"},
        {"type": "Ready", "status": "False", "reason": "UnhealthyDependents", "message": "NodeClassReady=False"},
    ]
    yield lost
    without = _node_class(node_class, "lost", subnets=[])
    without["status"]["conditions"] = [
        {
            "type": "SubnetsReady",
            "status": "False",
            "reason": "SubnetsNotFound",
            "message": "SubnetSelector did not match",
        },
        {"type": "Ready", "status": "False", "reason": "UnhealthyDependents", "message": "SubnetsReady=False"},
    ]
    yield without
    few = [{"key": _TYPE, "operator": "In", "values": ["m5.large", "m5.xlarge"], "minValues": 5}]
    yield _pool(pool, "varied", few)
    subnets = node_class["status"]["subnets"][:1]
    yield _node_class(node_class, "onezone", subnets=subnets)
    yield _pool(pool, "onezone", general, node_class="onezone")


def _requirements(*, category: list[str], types: list[str], family: list[str] | None = None) -> list[Manifest]:
    found = [
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": types},
    ]
    if family:
        return [*found, {"key": "karpenter.k8s.aws/instance-family", "operator": "In", "values": family}]
    return [*found, {"key": "karpenter.k8s.aws/instance-category", "operator": "In", "values": category}]


def _pool(
    pattern: Manifest,
    name: str,
    requirements: list[Manifest],
    *,
    limits: dict[str, str] | None = None,
    node_class: str = "gpu",
) -> Manifest:
    pool = copy.deepcopy(pattern)
    pool["metadata"] |= {"name": name, "uid": f"pool-{name}"}
    pool["spec"]["limits"] = limits or {"cpu": "100000"}
    template = pool["spec"]["template"]
    template["metadata"] = {"labels": {}}
    template["spec"] |= {"requirements": requirements, "taints": []}
    template["spec"]["nodeClassRef"] |= {"name": node_class}
    return pool


def _node_class(pattern: Manifest, name: str, *, subnets: list[Manifest]) -> Manifest:
    node_class = copy.deepcopy(pattern)
    node_class["metadata"] |= {"name": name, "uid": f"class-{name}"}
    node_class["status"]["subnets"] = subnets
    return node_class


def _volume() -> Iterator[Manifest]:
    term = {"matchExpressions": [{"key": _ZONE, "operator": "In", "values": ["ap-northeast-2c"]}]}
    yield {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "far", "uid": "pv-far"},
        "spec": {
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            "claimRef": {"name": "far", "namespace": NAMESPACE},
        },
        "status": {"phase": "Bound"},
    }
    yield {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "far",
            "namespace": NAMESPACE,
            "uid": "pvc-far",
            "annotations": {"pv.kubernetes.io/bind-completed": "yes"},
        },
        "spec": {"volumeName": "far", "storageClassName": ""},
        "status": {"phase": "Bound"},
    }


# -- owners and pods -----------------------------------------------------------------------------------------------

_API: Final = {
    "TrainJob": "trainer.kubeflow.org/v1alpha1",
    "JobSet": "jobset.x-k8s.io/v1alpha2",
    "Job": "batch/v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
}


def _workloads(now: datetime) -> Iterator[Manifest]:
    for workload in WORKLOADS:
        made = {one["metadata"]["name"]: one for one in _owners(workload)}
        yield from made.values()
        for index in range(PODS_EACH):
            yield _pod(workload, index, now)


def _owners(workload: Workload) -> Iterator[Manifest]:
    """From the top down to what makes the pods."""
    name = workload.name
    yield _owner(workload.kind, name)
    if workload.kind == "TrainJob":
        yield _owner("JobSet", f"{name}-set", ("TrainJob", name))
        for index in range(3):
            yield _owner("Job", workload.job_name(index), ("JobSet", f"{name}-set"))
    if workload.kind == "Deployment":
        yield _owner("ReplicaSet", f"{name}-7c9f6b5d48", ("Deployment", name))


def _owner(kind: str, name: str, by: tuple[str, str] | None = None) -> Manifest:
    meta: Manifest = {"name": name, "namespace": NAMESPACE, "uid": f"{kind}-{name}"}
    if by:
        meta["ownerReferences"] = [_reference(*by)]
    return {"apiVersion": _API[kind], "kind": kind, "metadata": meta, "spec": {}, "status": {}}


def _reference(kind: str, name: str) -> Manifest:
    return {"apiVersion": _API[kind], "kind": kind, "name": name, "uid": f"{kind}-{name}", "controller": True}


def _pod(workload: Workload, index: int, now: datetime) -> Manifest:
    maker = {"TrainJob": "Job", "Deployment": "ReplicaSet"}.get(workload.kind, workload.kind)
    by = {"Job": workload.job_name(index), "ReplicaSet": f"{workload.name}-7c9f6b5d48"}.get(maker, workload.name)
    name, created = workload.pod_name(index), f"{now - timedelta(minutes=20):%Y-%m-%dT%H:%M:%SZ}"
    requests = dict(workload.requests)
    spec = {
        "schedulerName": "default-scheduler",
        "nodeSelector": {"karpenter.sh/nodepool": workload.pool, **workload.selector},
        "tolerations": [{"key": _GPU, "operator": "Exists"}],
        "containers": [{"name": "main", "image": "storm:1", "resources": {"requests": requests, "limits": requests}}],
        **workload.spec,
    }
    waits = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "SchedulingGated" if "schedulingGates" in spec else "Unschedulable",
        "message": "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    }
    meta: Manifest = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"pod-{workload.name}-{index}",
        "creationTimestamp": created,
        "labels": {"app": workload.name},
        "ownerReferences": [_reference(maker, by)],
    }
    seen = [waits] if spec["schedulerName"] == "default-scheduler" else []
    status = {"phase": "Pending", "conditions": seen}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}
