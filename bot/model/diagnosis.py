"""What is concluded: constraints with their provenance, causes, remedies, and the whole Diagnosis. No logic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.model.objects import ObjectRef
from bot.model.world import Missing

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
Fact = str | int | float | bool | tuple[str, ...] | tuple[int, ...] | None
"""A value that a playbook's sentence may use: plain, already computed, never wording."""


class Verdict(StrEnum):
    """The answer in a word. The values are part of the JSON contract."""

    BLOCKED = "blocked"
    LAUNCHABLE = "launchable"
    FITS_EXISTING_NODE = "fits-existing-node"
    LAUNCHING = "launching"
    RUNNING = "running"
    NOT_KARPENTERS_JOB = "not-karpenters-job"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What sort of condition a Constraint is. Causes and remedies are looked up by it."""

    NODE_SELECTOR = "nodeSelector"
    NODE_AFFINITY = "nodeAffinity"
    RESOURCE = "resource"
    TOLERATIONS = "tolerations"
    VOLUME = "volume"
    TOPOLOGY_SPREAD = "topologySpread"
    POD_AFFINITY = "podAffinity"
    HOST_PORT = "hostPort"
    POD_INVALID = "podInvalid"
    POOL_REQUIREMENT = "nodePoolRequirement"
    POOL_LABEL = "nodePoolLabel"
    POOL_UNDEFINED = "nodePoolUndefinedLabel"
    POOL_TAINT = "nodePoolTaint"
    POOL_LIMIT = "nodePoolLimit"
    POOL_NOT_READY = "nodePoolNotReady"
    POOL_MIN_VALUES = "nodePoolMinValues"
    DAEMON_OVERHEAD = "daemonSetOverhead"
    OFFERED = "ec2Offering"
    SUBNETS = "subnets"
    PRICE = "price"
    REFUSED = "recentlyRefused"
    INCOMPATIBLE = "nodeClassCompatibility"
    RESERVATION = "capacityReservation"
    DISRUPTION = "disruption"


class Editor(StrEnum):
    """Who could change the field behind a constraint."""

    POD_OWNER = "pod owner"
    NODEPOOL_OWNER = "NodePool owner"
    AWS = "AWS"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One condition between the pod and a node, and where it is written: object, field, value.

    `id` is stable and unique within a Diagnosis. `subject` is what the condition is about: a label key, a resource
    name, a taint. `values` are the condition's own values, sorted.
    """

    id: str
    kind: Kind
    object: ObjectRef
    field: str
    value: str
    editor: Editor
    subject: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()
    nodepool: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A minimal conflict: these constraints together leave nothing, and without any one of them something is left."""

    id: str
    constraints: tuple[Constraint, ...]
    facts: Mapping[str, Fact] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    nodepools: tuple[str, ...] = ()
    summary: str = ""


class Change(StrEnum):
    """What an Edit does to a field."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of one field, before it is known which object carries it.

    `object` is where the constraint was read (the pod itself, a NodePool). `subject` is the label key, resource name or
    taint; `old` and `new` are the field's values, plain data.
    """

    constraint: Constraint
    change: Change
    object: ObjectRef
    field: str
    subject: str
    old: Json = None
    new: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheapest:
    """The cheapest of some offerings; prices in dollars an hour, each with the day or moment that it is from."""

    instance_type: str
    zone: str
    capacity_type: str
    price_per_hour: float | None
    on_demand_price_per_hour: float | None = None
    as_of: str = ""
    on_demand_as_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The cheapest of what the pod asks for, and how much more (less: negative) an hour the remedy's cheapest costs."""

    instance_type: str
    capacity_type: str
    price_per_hour: float
    difference: float
    zone: str = ""
    as_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opens:
    """What a remedy makes launchable.

    `compared`: beside what was asked for, where it costs something else. `gpus_meant` and `gpus_opened`: the GPUs that were
    asked for and those that come instead, where they differ.
    """

    offerings: int
    instance_types: tuple[str, ...]
    zones: tuple[str, ...]
    cheapest: Cheapest | None = None
    capacity_types: tuple[str, ...] = ()
    compared: Compared | None = None
    gpus_meant: tuple[str, ...] = ()
    gpus_opened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A ready change of one object: what `kubectl patch` would send, and its inverse.

    Where it is not applicable: the reason in English, its stable code, and the facts to word it in another language.
    Where only a new object can have the change, `anew` are the steps from the old one to the manifest of the new one.
    `recreate`: the bot may delete and create it so; `kept` is the code of why it does not.
    """

    target: ObjectRef
    patch_type: str
    patch: Json
    applicable: bool
    why_not: str = ""
    why_not_code: str = ""
    why_not_facts: Mapping[str, str] = field(default_factory=dict)
    undo: Json = None
    anew: Json = None
    recreate: bool = False
    kept: str = ""
    kept_facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A minimal correction: relaxing these constraints gives the pod a node, relaxing fewer does not.

    `id` says what it does (`reduce-resource`, `drop-node-selector`, ...). `patch` is filled in once the pod's owner is
    known.
    """

    id: str
    relaxes: tuple[Constraint, ...]
    edits: tuple[Edit, ...]
    opens: Opens
    nodepool: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    parts: tuple[tuple[str, Mapping[str, Fact]], ...] = ()
    """Each edit's own remedy id and facts, in the order of `edits`; one part where the remedy is not `combined`."""
    cautions: tuple[str, ...] = ()
    summary: str = ""
    patch: Patch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What Karpenter itself said about the pod, word for word. `source` is `log` or `event`."""

    source: str
    time: datetime | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolVerdict:
    """One NodePool's answer: which causes block it, what Karpenter logs for it, how many offerings are left."""

    name: str
    blocked_by: tuple[str, ...]
    karpenter_message: str
    offerings: int
    intended: bool = False
    funnel: tuple[tuple[str, int], ...] = ()
    funnel_subjects: tuple[str, ...] = ()
    """What each step of the funnel is about: a label key, a resource name; "" for the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unevaluated:
    """A feature of Karpenter's that is in use and could change the verdict, but is not worked out here, and where it shows.

    `feature` is its id in the phrases and in the JSON contract. `detail`: what of it, such as a zone.
    """

    feature: str
    object: ObjectRef
    field: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Since when the pod is there, and how many GPUs it asks a node for: what waiting costs."""

    since: datetime
    gpus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The whole answer to "why does this pod have no node?", before any wording."""

    pod: ObjectRef
    uid: str
    verdict: Verdict
    reason: str = ""
    cluster: str = ""
    karpenter_version: str = ""
    karpenter_says: tuple[Statement, ...] = ()
    causes: tuple[Cause, ...] = ()
    nodepools: tuple[PoolVerdict, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    missing: tuple[Missing, ...] = ()
    unevaluated: tuple[Unevaluated, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    waiting: Waiting | None = None
    """Of a pod that has no node yet; None where that is not known."""
    ec2_ages: Mapping[str, float] = field(default_factory=dict)
    """How old EC2's facts are in seconds, by field of Ec2Facts; what was read for this answer is 0 s old or not in it."""
