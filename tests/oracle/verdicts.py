"""What the oracle's programs answer, as types. Field for field the Go structs of scheduler/ and instancetypes/."""

from __future__ import annotations

import msgspec


class NodePoolError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one NodePool contributed to a pod's error: one cause, or one per untolerated taint."""

    node_pool: str
    error: str
    causes: tuple[str, ...]


class PodError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why no NodePool took a pod. `deferred`: Karpenter reports nothing, the pod waits for reserved capacity."""

    error: str
    causes: tuple[str, ...]
    node_pools: tuple[NodePoolError, ...]
    deferred: bool


class NewNodeClaim(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A node that Karpenter would launch; `offerings` are "type/zone/capacity type[/reservation id]"."""

    node_pool: str
    pods: tuple[str, ...]
    instance_types: tuple[str, ...]
    requirements: str
    requests: dict[str, str]
    capacity_types: tuple[str, ...]
    zones: tuple[str, ...]
    offerings: tuple[str, ...]


class ExistingNode(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A node of the cluster that Karpenter would put pods on."""

    name: str
    pods: tuple[str, ...]


class SkippedNodePool(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A NodePool that no pod was tried on."""

    node_pool: str
    reason: str


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A Kubernetes event that Karpenter published while it decided; `object` is "Kind [namespace/]name"."""

    object: str
    type: str
    reason: str
    message: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Karpenter's answer to a case; pods are "namespace/name". See scheduler/decide.go for each field."""

    id: str
    failure: str = ""
    schedule_error: str = ""
    not_provisionable: tuple[str, ...] = ()
    ignored: dict[str, str] = {}
    ignored_causes: dict[str, tuple[str, ...]] = {}
    volume_errors: dict[str, str] = {}
    pod_errors: dict[str, PodError] = {}
    new_node_claims: tuple[NewNodeClaim, ...] = ()
    existing_nodes: tuple[ExistingNode, ...] = ()
    node_pools_skipped: tuple[SkippedNodePool, ...] = ()
    node_pool_order: tuple[str, ...] = ()
    cluster_synced: bool = True
    events: tuple[Event, ...] = ()
    elapsed_ns: int = 0

    def of(self, pod: str) -> str:
        """One word for a pod: launchable, fits-existing-node, blocked, deferred, ignored, not-provisionable, unknown."""
        if pod in self.not_provisionable:
            return "not-provisionable"
        if pod in self.ignored:
            return "ignored"
        if pod in self.pod_errors:
            return "deferred" if self.pod_errors[pod].deferred else "blocked"
        if any(pod in node.pods for node in self.existing_nodes):
            return "fits-existing-node"
        if any(pod in claim.pods for claim in self.new_node_claims):
            return "launchable"
        return "unknown"


class Spread(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nanoseconds over several runs."""

    min: int
    median: int
    max: int


class Timing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long Karpenter took, building its scheduler and solving, without process start or JSON."""

    id: str
    failure: str = ""
    runs: int = 0
    new_scheduler_ns: Spread | None = None
    solve_ns: Spread | None = None


class Requirement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One requirement of an instance type."""

    key: str
    operator: str
    values: tuple[str, ...]


class Overhead(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What kubelet and the system keep for themselves, as Kubernetes quantities."""

    kube_reserved: dict[str, str]
    system_reserved: dict[str, str]
    eviction_threshold: dict[str, str]


class ResolvedInstanceType(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An instance type as Karpenter's AWS provider schedules with it; quantities are Kubernetes quantities."""

    name: str
    failure: str = ""
    excluded: bool = False
    labels: dict[str, str] = {}
    requirements: tuple[Requirement, ...] = ()
    capacity: dict[str, str] = {}
    overhead: Overhead | None = None
    allocatable: dict[str, str] = {}
