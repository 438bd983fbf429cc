"""The World: everything that was seen, at one moment, and what could not be seen. `diagnose` reads nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from bot.model.ec2 import Ec2Facts
from bot.model.karpenter import EC2NodeClass, NodeClaim, NodePool
from bot.model.kubernetes import (
    CSINode,
    DaemonSet,
    Event,
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodDisruptionBudget,
    StorageClass,
    Workload,
)
from bot.model.labels import (
    CAPACITY_TYPE,
    RESERVATION_ID,
    RESERVATION_INTERRUPTIBLE,
    RESERVATION_TYPE,
    ZONE,
    ZONE_ID,
)
from bot.model.objects import ObjectRef
from bot.model.quantities import Resources


class Unavailable(Enum):
    """Why Karpenter would not launch an offering now. The values read in "unavailable: ___"."""

    NOT_OFFERED = "EC2 does not offer the type in the zone"
    NOT_SOLD = "EC2 does not sell the type that way"
    NO_SUBNET = "the EC2NodeClass has no subnet in the zone"
    NO_PRICE = "no price is known"
    REFUSED = "EC2 refused it a moment ago"
    INCOMPATIBLE = "the EC2NodeClass cannot use the type"
    RESERVATION_FULL = "the capacity reservation has no room"
    UNSPECIFIED = "marked unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """One way to buy an instance type: zone × capacity type (× capacity reservation). Price in dollars an hour."""

    capacity_type: str
    zone: str
    zone_id: str = ""
    price: float | None = None
    unavailable: tuple[Unavailable, ...] = ()
    reservation_id: str = ""
    reservation_type: str = ""
    reservation_interruptible: bool = False
    reservation_capacity: int = 0
    more_labels: tuple[tuple[str, str], ...] = ()

    @property
    def available(self) -> bool:
        """Whether Karpenter would try to launch it."""
        return not self.unavailable

    @property
    def labels(self) -> dict[str, str | None]:
        """The labels that the offering itself decides; None stands for DoesNotExist.

        Source: karpenter-provider-aws pkg/providers/instancetype/offering/base_resolver.go, v1.14.
        """
        reserved = bool(self.reservation_id)
        return {
            CAPACITY_TYPE: self.capacity_type,
            ZONE: self.zone,
            **({ZONE_ID: self.zone_id} if self.zone_id else {}),
            RESERVATION_ID: self.reservation_id or None,
            RESERVATION_TYPE: self.reservation_type if reserved else None,
            RESERVATION_INTERRUPTIBLE: str(self.reservation_interruptible).lower() if reserved else None,
            **dict(self.more_labels),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InstanceType:
    """An EC2 instance type as Karpenter sees it for one EC2NodeClass (karpenter pkg/cloudprovider/types.go).

    `labels` maps a label to its values: several for zones and capacity types, none (empty set) where Karpenter says
    DoesNotExist; a label that is no key at all is undefined.
    """

    name: str
    labels: Mapping[str, frozenset[str]]
    capacity: Resources
    allocatable: Resources
    offerings: tuple[Offering, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Catalogue:
    """All instance types that one EC2NodeClass can use. Compared by identity, so that indexes over it can be kept."""

    types: tuple[InstanceType, ...]

    def __iter__(self) -> Iterator[InstanceType]:
        return iter(self.types)

    def named(self, name: str) -> InstanceType | None:
        """The type of that name."""
        return next((t for t in self.types if t.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """EC2 refused this offering at `since`; Karpenter does not try it before `until` (its 3-minute mark)."""

    capacity_type: str
    instance_type: str
    zone: str
    since: datetime | None
    until: datetime | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that could not be read, and why: `what` fits in "could not read ___".

    `absent`: it is known that there is none of it (a kind that the cluster does not serve), so nothing is left open.
    """

    what: str
    why: str
    absent: bool = False
    code: str = field(default="", compare=False)
    """Which row of bot/model/gaps.py says why, and with which facts: for other languages than English."""
    facts: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Karpenter's own options that change a verdict (its environment variables, with its defaults)."""

    preference_policy: str = "Respect"
    min_values_policy: str = "Strict"
    vm_memory_overhead_percent: float = 0.075
    reserved_enis: int = 0
    ignore_dra_requests: bool = True
    reserved_capacity: bool = True
    feature_gates: tuple[str, ...] = ()
    """The feature gates that were switched on by name, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What was seen. A tuple is empty when nothing exists or nothing could be read: `missing` tells."""

    now: datetime
    cluster: str = ""
    karpenter_version: str = ""
    settings: Settings = Settings()
    pods: tuple[Pod, ...] = ()
    nodes: tuple[Node, ...] = ()
    node_pools: tuple[NodePool, ...] = ()
    node_classes: tuple[EC2NodeClass, ...] = ()
    node_claims: tuple[NodeClaim, ...] = ()
    daemon_sets: tuple[DaemonSet, ...] = ()
    claims: tuple[PersistentVolumeClaim, ...] = ()
    volumes: tuple[PersistentVolume, ...] = ()
    storage_classes: tuple[StorageClass, ...] = ()
    csi_nodes: tuple[CSINode, ...] = ()
    pod_disruption_budgets: tuple[PodDisruptionBudget, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    workloads: tuple[Workload, ...] = ()
    others: tuple[ObjectRef, ...] = ()
    """Objects of kinds that change what Karpenter does and are not worked out (bot/diagnosis/unevaluated.py)."""
    others_listed: frozenset[str] = frozenset()
    """Kinds of which `others` has every object."""
    events: tuple[Event, ...] = ()
    karpenter_log: tuple[str, ...] = ()
    ec2: Ec2Facts = field(default_factory=Ec2Facts)
    ec2_ages: Mapping[str, float] = field(default_factory=dict)
    """How old EC2's facts are in seconds, by field of Ec2Facts; what was read with the World itself is not in it."""
    unavailable_in_metrics: frozenset[tuple[str, str, str]] = frozenset()
    """(instance type, zone, capacity type) that Karpenter's own metrics call unavailable; empty where they were not read."""
    placements_known: bool = False
    """Whether `pods` holds every pod that runs on `nodes`, so that room on them can be judged."""
    catalogues: Mapping[str, Catalogue] = field(default_factory=dict)
    """NodePool name to the instance types that its EC2NodeClass can use; NodePools of one class share one Catalogue."""
    missing: tuple[Missing, ...] = ()
