"""The situations that Karpenter core can show on the bed, each with what Karpenter says to it.

A case is one or more NodePools and a pod that gets no node. `says` is a piece of Karpenter's own refusal: it holds the
recorded cases of the other tests to what the pinned Karpenter really says. `cause` is the cause id that the bot must
name. After the bot's first remedy Karpenter must launch a node: that proves the case is blocked by what the bot says and
by nothing else. Where a patch cannot help, `relief` is what is made by hand instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.cluster.api import KubeObject
from tests.cluster.workbench import node_pool, requirement

INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
ZONE: Final = "topology.kubernetes.io/zone"
CAPACITY_TYPE: Final = "karpenter.sh/capacity-type"
GPU: Final = "nvidia.com/gpu"
EFA: Final = "vpc.amazonaws.com/efa"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodShape:
    resources: Mapping[str, str]
    selector: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    cause: str
    also: frozenset[str] = frozenset()
    """Other causes that the same fault makes true."""
    says: str = ""
    logged: str = ""
    """Instead of `says`: what Karpenter logs where it says nothing about the single pod."""
    pod: PodShape
    pools: tuple[KubeObject, ...]
    objects: tuple[KubeObject, ...] = ()
    """What else must be there; namespaced objects are put into the case's namespace."""
    relief: KubeObject | None = None
    """What must be applied (made or changed) for a node to come, for a case that no patch of the bot's can help."""


def _gpu_pool(**spec: object) -> KubeObject:
    """The seed's pool: any g or p type, spot or on-demand."""
    return node_pool(
        "gpu",
        [
            requirement("karpenter.k8s.aws/instance-category", "In", "g", "p"),
            requirement(CAPACITY_TYPE, "In", "on-demand", "spot"),
            requirement("kubernetes.io/arch", "In", "amd64"),
            requirement("nodeType", "In", "nvidia"),
        ],
        **spec,
    )


def _on(instance_type: str, resources: Mapping[str, str], **selector: str) -> PodShape:
    return PodShape(resources=resources, selector={INSTANCE_TYPE: instance_type, **selector})


def _bound_volume(name: str, zone: str) -> tuple[KubeObject, ...]:
    """A claim that is bound already, to a volume that can be reached from one zone only; and its storage class."""
    in_zone = {"matchExpressions": [requirement(ZONE, "In", zone)]}
    size = {"storage": "1Ti"}
    shared = {"accessModes": ["ReadWriteOnce"], "storageClassName": "gp3"}
    return (
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "gp3"},
            "provisioner": "ebs.csi.aws.com",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                **shared,
                "capacity": size,
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0123456789abcdef0"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [in_zone]}},
                "persistentVolumeReclaimPolicy": "Retain",
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": ""},
            "spec": {**shared, "resources": {"requests": size}, "volumeName": name},
        },
    )


def _near(topology_key: str, labels: Mapping[str, str]) -> KubeObject:
    """An affinity term for pods of every namespace."""
    return {"topologyKey": topology_key, "labelSelector": {"matchLabels": dict(labels)}, "namespaceSelector": {}}


_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_SEED_PIN: Final = {ZONE: "ap-northeast-2a", "nodeType": "nvidia"}
_NO_FIT: Final = "no instance type which had enough resources and the required offering met the scheduling requirements"

CASES: Final = (
    Case(
        name="seed-efa-8-on-g6e-8xlarge",
        cause="efa-count-exceeds-instance",
        says=_NO_FIT,
        pools=(_gpu_pool(),),
        pod=PodShape(resources={GPU: "1", EFA: "8"}, selector={INSTANCE_TYPE: "g6e.8xlarge", **_SEED_PIN}),
    ),
    Case(
        name="gpu-16-on-p4d",
        cause="gpu-count-exceeds-instance",
        says="no instance type has enough resources",
        pools=(_gpu_pool(),),
        pod=_on("p4d.24xlarge", {GPU: "16"}),
    ),
    Case(
        name="zone-pin-without-the-type",
        cause="zone-not-offered",
        says="no instance type met all requirements",
        pools=(_gpu_pool(),),
        pod=PodShape(resources={GPU: "8"}, selector={INSTANCE_TYPE: "p4d.24xlarge", ZONE: "ap-northeast-2a"}),
    ),
    Case(
        name="spot-where-only-on-demand-is-offered",
        cause="capacity-type-not-offered",
        says="no instance type met all requirements",
        pools=(node_pool("large-memory", [requirement(CAPACITY_TYPE, "In", "spot")]),),
        pod=_on("u7i-6tb.112xlarge", {"memory": "4Ti"}),
    ),
    Case(
        name="spot-pinned-by-the-pod",
        cause="capacity-type-not-offered",
        says="no instance type met all requirements",
        pools=(node_pool("large-memory", [requirement(CAPACITY_TYPE, "In", "on-demand", "spot")]),),
        pod=_on("u7i-6tb.112xlarge", {"memory": "4Ti"}, **{CAPACITY_TYPE: "spot"}),
    ),
    Case(
        name="efa-on-g5-2xlarge",
        cause="efa-unsupported",
        says=_NO_FIT,
        pools=(_gpu_pool(),),
        pod=_on("g5.2xlarge", {GPU: "1", EFA: "1"}),
    ),
    Case(
        name="selector-excluded-by-the-pool",
        cause="requirement-conflict",
        says="incompatible requirements, key node.kubernetes.io/instance-type",
        pools=(node_pool("gpu", [requirement(INSTANCE_TYPE, "In", "p4d.24xlarge", "p5.48xlarge")]),),
        pod=_on("g5.2xlarge", {GPU: "1"}),
    ),
    Case(
        name="unknown-label",
        cause="unknown-label",
        says="does not have known values",
        pools=(_gpu_pool(),),
        pod=PodShape(resources={GPU: "1"}, selector={"example.com/team": "vision"}),
    ),
    Case(
        name="unknown-label-typo",
        cause="unknown-label",
        says='label "topology.k8s.io/zone" does not have known values (typo of "topology.kubernetes.io/zone"?)',
        pools=(_gpu_pool(),),
        pod=PodShape(resources={GPU: "8"}, selector={"topology.k8s.io/zone": "ap-northeast-2b"}),
    ),
    Case(
        name="unknown-instance-type",
        cause="unknown-instance-type",
        says="no instance type met all requirements",
        pools=(_gpu_pool(),),
        pod=_on("p4d.24xlrge", {GPU: "8"}),
    ),
    Case(
        name="taint-not-tolerated",
        cause="taint-not-tolerated",
        says="did not tolerate taint",
        pools=(_gpu_pool(taints=[{"key": GPU, "value": "true", "effect": "NoSchedule"}]),),
        pod=PodShape(resources={GPU: "1"}),
    ),
    Case(
        name="nodepool-limit",
        cause="nodepool-limit-exceeded",
        says="all available instance types exceed limits for nodepool (NodePool=gpu)",
        pools=(node_pool("gpu", [requirement(INSTANCE_TYPE, "In", "p4d.24xlarge")], limits={GPU: "4"}),),
        pod=PodShape(resources={GPU: "8"}),
    ),
    # The same limit in a pool that smaller types fit under: Karpenter drops the types above the limit before it looks
    # at the pod, so its refusal does not speak of a limit at all.
    Case(
        name="nodepool-limit-unspoken",
        cause="nodepool-limit-exceeded",
        says="no instance type met the scheduling requirements or had enough resources",
        pools=(_gpu_pool(limits={GPU: "4"}),),
        pod=_on("p4d.24xlarge", {GPU: "8"}),
    ),
    Case(
        name="more-memory-than-any-type",
        cause="resource-exceeds-instance",
        says="no instance type has enough resources",
        pools=(_gpu_pool(),),
        pod=PodShape(resources={GPU: "1", "memory": "40Ti"}),
    ),
    Case(
        name="min-values",
        cause="min-values-unmet",
        says="minValues requirement is not met",
        pools=(
            node_pool("gpu", [{**requirement(INSTANCE_TYPE, "In", "p4d.24xlarge", "p5.48xlarge"), "minValues": 2}]),
        ),
        pod=PodShape(resources={GPU: "8"}, selector={ZONE: "ap-northeast-2b"}),
    ),
    Case(
        name="volume-in-another-zone",
        cause="volume-zone-conflict",
        says="no instance type met all requirements",
        pools=(_gpu_pool(),),
        objects=_bound_volume("data", "ap-northeast-2a"),
        pod=PodShape(
            resources={GPU: "8"},
            selector={INSTANCE_TYPE: "p4d.24xlarge"},
            spec={"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]},
        ),
    ),
    Case(
        name="near-a-pod-that-is-nowhere",
        cause="affinity-deadlock",
        says="unsatisfiable topology constraint for pod affinity",
        pools=(_gpu_pool(),),
        pod=PodShape(
            resources={GPU: "1"},
            spec={"affinity": {"podAffinity": {_REQUIRED: [_near(ZONE, {"app": "dataset-cache"})]}}},
        ),
    ),
    Case(
        name="no-nodepool",
        cause="no-nodepool",
        logged="no dynamic nodepools found",
        pools=(),
        pod=PodShape(resources={GPU: "1"}),
        relief=_gpu_pool(),
    ),
    Case(
        name="nodepool-not-ready",
        cause="nodepool-not-ready",
        also=frozenset({"no-instance-type"}),
        logged="ignoring nodepool, not ready",
        pools=(node_pool("gpu", [requirement(CAPACITY_TYPE, "In", "on-demant")]),),
        pod=PodShape(resources={GPU: "1"}),
        relief=node_pool("gpu", [requirement(CAPACITY_TYPE, "In", "on-demand")]),
    ),
    Case(
        name="nodeclass-absent",
        cause="nodeclass-not-ready",
        logged="ignoring nodepool, not ready",
        pools=(node_pool("gpu", [], node_class="late"),),
        pod=PodShape(resources={GPU: "1"}),
        relief={"apiVersion": "karpenter.kwok.sh/v1alpha1", "kind": "KWOKNodeClass", "metadata": {"name": "late"}},
    ),
)
