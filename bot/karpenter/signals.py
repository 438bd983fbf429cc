"""What a log line or an event tells: one kind, what it is about, and the typed detail where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.karpenter.disruptions import DisruptionCommand
from bot.karpenter.findings import Refusal
from bot.karpenter.kube_scheduler import SchedulerVerdict
from bot.karpenter.launch_failures import LaunchFailure


class SignalKind(StrEnum):
    """The kinds, in the order of a pod's way: decision, launch, joining, life and end of a node; then what Kubernetes
    itself says of pods and nodes.
    """

    POD_REFUSED = "pod-refused"
    POD_IGNORED = "pod-ignored"
    POD_DEFERRED = "pod-deferred"
    NOMINATED = "nominated"
    PREFERENCE_RELAXED = "preference-relaxed"
    PODS_FOUND = "pods-found"
    NODECLAIMS_COMPUTED = "nodeclaims-computed"
    FITS_INFLIGHT_NODE = "fits-inflight-node"
    NODECLAIM_CREATED = "nodeclaim-created"
    NODECLAIM_NOT_CREATED = "nodeclaim-not-created"
    SIMULATION_TIMED_OUT = "simulation-timed-out"
    CLUSTER_STATE_UNSYNCED = "cluster-state-unsynced"
    NO_NODEPOOLS = "no-nodepools"
    NODEPOOL_NOT_READY = "nodepool-not-ready"
    NODEPOOL_FILTERED_OUT = "nodepool-filtered-out"
    INSTANCE_TYPES_UNRESOLVED = "instance-types-unresolved"
    LIMITS_EXCLUDE_TYPES = "limits-exclude-types"
    STATIC_NODEPOOL = "static-nodepool"
    INVALID_VALUES = "invalid-values"
    VOLUMES_UNREADABLE = "volumes-unreadable"
    SCHEDULER_REFUSED = "scheduler-refused"
    SCHEDULED = "scheduled"

    LAUNCHED = "launched"
    LAUNCH_FAILED_ICE = "launch-failed-ice"
    LAUNCH_FAILED = "launch-failed"
    LAUNCH_TIMEOUT = "launch-timeout"
    NODECLASS_NOT_READY = "nodeclass-not-ready"
    NODECLASS_UNRESOLVED = "nodeclass-unresolved"
    NODECLASS_UNAUTHORIZED = "nodeclass-unauthorized"
    NODECLASS_DELETING = "nodeclass-deleting"
    OFFERING_UNAVAILABLE = "offering-unavailable"
    RESERVATION_UNAVAILABLE = "reservation-unavailable"
    TYPES_FILTERED_AT_LAUNCH = "types-filtered-at-launch"
    FALLBACK_INFLEXIBLE = "fallback-inflexible"
    SPOT_ROLE_MISSING = "spot-role-missing"
    ZONAL_SHIFT = "zonal-shift"
    ZONAL_SHIFT_CLEARED = "zonal-shift-cleared"

    REGISTERED = "registered"
    REGISTRATION_PENDING = "registration-pending"
    REGISTRATION_TAINT_MISSING = "registration-taint-missing"
    REGISTRATION_TIMEOUT = "registration-timeout"
    INITIALIZED = "initialized"
    INCONSISTENT = "inconsistent"
    CONDITION_CHANGED = "condition-changed"

    CONSOLIDATABLE = "consolidatable"
    UNCONSOLIDATABLE = "unconsolidatable"
    CONSOLIDATION_CANDIDATE = "consolidation-candidate"
    CONSOLIDATION_JUDGED = "consolidation-judged"
    CONSOLIDATION_ABANDONED = "consolidation-abandoned"
    DRIFTED = "drifted"
    EXPIRED = "expired"
    DISRUPTION_BLOCKED = "disruption-blocked"
    DISRUPTING = "disrupting"
    DISRUPTION_WAITING = "disruption-waiting"
    DO_NOT_DISRUPT = "do-not-disrupt"
    INTERRUPTED = "interrupted"
    INTERRUPTION_WARNED = "interruption-warned"
    INSTANCE_UNHEALTHY = "instance-unhealthy"
    CAPACITY_BLOCK_EXPIRING = "capacity-block-expiring"
    NODE_REPAIR = "node-repair"
    NODE_REPAIR_BLOCKED = "node-repair-blocked"

    TERMINATION_DEADLINE = "termination-deadline"
    NODE_TAINTED = "node-tainted"
    DRAIN_FAILED = "drain-failed"
    POD_EVICTED = "pod-evicted"
    POD_FORCE_DELETED = "pod-force-deleted"
    VOLUMES_DETACHING = "volumes-detaching"
    NODE_DELETED = "node-deleted"
    NODECLAIM_DELETED = "nodeclaim-deleted"
    GARBAGE_COLLECTED = "garbage-collected"

    NODE_NOT_READY = "node-not-ready"
    NODE_READY = "node-ready"
    NODE_PRESSURE = "node-pressure"
    NODE_REBOOTED = "node-rebooted"
    NODE_REMOVED = "node-removed"
    POD_LOST = "pod-lost"
    POD_PREEMPTED = "pod-preempted"
    POD_EVICTED_BY_KUBELET = "pod-evicted-by-kubelet"
    SANDBOX_FAILED = "sandbox-failed"
    IMAGE_PULLING = "image-pulling"
    IMAGE_FAILED = "image-failed"
    VOLUME_FAILED = "volume-failed"
    ADMISSION_REJECTED = "admission-rejected"
    PODS_NOT_CREATED = "pods-not-created"

    KARPENTER_VERSION = "karpenter-version"
    RECONCILE_FAILED = "reconcile-failed"
    OTHER = "other"


Detail = Refusal | LaunchFailure | DisruptionCommand | SchedulerVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What one line or event says. `objects`: kind -> `namespace/name` or `name`; `facts`: what the sentence carries,
    by name (instance-type, zone, capacity-type, reason, ttl, …), as printed. `message` is Karpenter's own text.
    """

    kind: SignalKind
    message: str
    time: datetime | None = None
    objects: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    detail: Detail | None = None
    from_event: bool = False
    truncated: bool = False
    count: int = 1
    """How often an event was seen (Kubernetes keeps one for many), first at `first`, last at `time`."""
    first: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedEvent:
    """A Kubernetes event as it is shown. `source` is the component or reporting controller; empty when not shown."""

    reason: str
    message: str
    type: str = ""
    source: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    time: datetime | None = None
    age: str = ""
    count: int = 1
    first: datetime | None = None
