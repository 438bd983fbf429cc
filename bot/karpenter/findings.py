"""What Karpenter can have against a pod, typed: the vocabulary of its refusals. Plain data, no text handling."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.karpenter.printed import PrintedRequirement, Resources
from bot.model.labels import NODEPOOL


class Reason(StrEnum):
    """Why no instance type is left (karpenter: scheduling/nodeclaim.go InstanceTypeFilterError; same words since v0.28).

    The value is Karpenter's sentence. "Met" and "had" are ORs over all types; PAIR means that some type passes two
    tests and fails the third.
    """

    NOTHING = "no instance type met the scheduling requirements or had enough resources or had a required offering"
    REQUIREMENTS_NOR_RESOURCES = "no instance type met the scheduling requirements or had enough resources"
    REQUIREMENTS_NOR_OFFERING = "no instance type met the scheduling requirements or had a required offering"
    RESOURCES_NOR_OFFERING = "no instance type had enough resources or had a required offering"
    REQUIREMENTS = "no instance type met all requirements"
    RESOURCES = "no instance type has enough resources"
    OFFERING = "no instance type has the required offering"
    OFFERING_OF_PAIR = (
        "no instance type which met the scheduling requirements and had enough resources, had a required offering"
    )
    REQUIREMENTS_OF_PAIR = (
        "no instance type which had enough resources and the required offering met the scheduling requirements"
    )
    RESOURCES_OF_PAIR = (
        "no instance type which met the scheduling requirements and the required offering had the required resources"
    )
    NO_TRIPLE = "no instance type met the requirements/resources/offering tuple"
    MIN_VALUES = "minValues requirement is not met"


class Where(StrEnum):
    """Whose requirements met the NodePool's: the pod's, its volumes', its claimed devices', a topology rule's."""

    POD = "pod"
    VOLUME = "volume"
    DYNAMIC_RESOURCES = "dynamic resources"
    TOPOLOGY = "topology"


class TopologyRule(StrEnum):
    """The kinds of topology rule, as Karpenter names them."""

    SPREAD = "topology spread"
    AFFINITY = "pod affinity"
    ANTI_AFFINITY = "pod anti-affinity"


class Reserved(StrEnum):
    """Why a reservation could not be had in this round. The pod is tried again; lower NodePools are not."""

    TAKEN = "one or more instance types with compatible reserved offerings are available, but could not be reserved"
    LOST = "satisfying updated nodeclaim constraints would remove all compatible reserved offering options"
    FULL = "all compatible reserved offerings are full and no on-demand or spot fallback is available"
    FALLING_THROUGH = "the only compatible reserved offering is full; falling through to other NodePools"


class RequirementProblem(StrEnum):
    """What is wrong with a node selector expression."""

    UNSUPPORTED_OPERATOR = "unsupported operator"
    NOT_QUALIFIED = "key is not a qualified name"
    INVALID_VALUE = "invalid value"
    VALUE_MISSING = "value missing"
    TOO_FEW_VALUES = "fewer values than minValues"
    NOT_AN_INTEGER = "not one non-negative integer"


class VolumeProblem(StrEnum):
    """What keeps a pod with this volume claim out of scheduling altogether."""

    CLAIM_UNREADABLE = "claim unreadable"
    CLAIM_DELETING = "claim is being deleted"
    CLAIM_LOST = "claim bound to a volume that does not exist"
    VOLUME_INVALID = "volume unusable"
    NOT_BIND_COMPLETED = "claim not marked as bound"
    NO_STORAGE_CLASS = "unbound claim without storage class"
    STORAGE_CLASS_INVALID = "storage class unusable"
    IMMEDIATE_UNBOUND = "unbound claim with immediate binding"
    TOPOLOGY_KEY_UNSUPPORTED = "storage class with an unsupported topology key"
    PROVISIONER_UNSUPPORTED = "unsupported provisioner"
    DRIVER_UNRESOLVED = "driver not resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTypeRefusal:
    """No instance type of the NodePool is left. `requirements` are NodePool, pod, volume and topology together;
    `resources` the pod and the daemons (`resources_max` when the daemons differ by type, v1.14).

    `complete` is False when the text broke off: what is there is right, but there was more.
    """

    reason: Reason
    requirements: tuple[PrintedRequirement, ...] = ()
    resources: Resources = field(default_factory=dict)
    resources_max: Resources | None = None
    min_values_keys: tuple[str, ...] = ()
    cpu_typo: bool = False
    complete: bool = True

    @property
    def nodepool(self) -> str | None:
        """The NodePool's name, which the requirements carry as `karpenter.sh/nodepool In [name]`."""
        named = [one.values for one in self.requirements if one.key == NODEPOOL and not one.others]
        return named[0][0] if len(named) == 1 and len(named[0]) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelUnknown:
    """A label that is neither well-known nor defined by the NodePool. `hint` is a label it may be a typo of."""

    key: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConflict:
    """Both sides ask for `key`, and no value satisfies both. `existing` is the NodePool's side."""

    key: str
    incoming: PrintedRequirement
    existing: PrintedRequirement


@dataclass(frozen=True, slots=True, kw_only=True)
class IncompatibleRequirements:
    """Requirements that do not meet the NodePool's: one or more conflicts, and whose they are."""

    where: Where
    conflicts: tuple[LabelUnknown | KeyConflict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaintNotTolerated:
    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsExceeded:
    """Every instance type is bigger than what the NodePool's limits leave."""

    nodepool: str
    owner: str = "nodepool"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLimitsExhausted:
    nodepool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimitExceeded:
    """The check right before a NodeClaim is created: usage with the new node against one limit."""

    resource: str
    usage: str
    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainCounts:
    """Pods per topology domain, sorted by domain; `others` are domains that the message does not name."""

    named: tuple[tuple[str, int], ...] = ()
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyUnsatisfiable:
    rule: TopologyRule
    key: str
    counts: DomainCounts
    pod_domains: PrintedRequirement
    node_domains: PrintedRequirement


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPort:
    ip: str
    port: int
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPortConflict:
    asked: HostPort
    existing: HostPort


@dataclass(frozen=True, slots=True, kw_only=True)
class MinValuesUnmet:
    """The pod fitted, but after cutting the list of types the NodePool's minValues no longer held."""

    nodepool: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeLimitExceeded:
    """The pod's volumes are more than any instance type of the NodePool can attach. Without a `provisioner` no single
    driver's limit is to blame.
    """

    provisioner: str | None = None
    volumes: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedOfferings:
    reserved: Reserved


@dataclass(frozen=True, slots=True, kw_only=True)
class AllFilteredOut:
    """Every NodePool lost all its types before the pod was looked at: requirements, or nothing available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicResourcesUnsupported:
    """The pod claims devices (DRA) and Karpenter is set to leave such pods alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicResourcesUnallocated:
    """The claimed devices (DRA) cannot be had: `detail` is the allocator's own word."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTypeWithDynamicResources:
    """Types that the pod fits and types with the claimed devices (DRA): no type is both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceClaimMissing:
    """A ResourceClaim (DRA) that the pod names does not exist, or not yet. `claim` is namespace/name."""

    claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OptedOut:
    """The pod's requirements exclude every Karpenter node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchFieldsUnsupported:
    """A required node affinity term uses matchFields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedLabel:
    """A label no pod may ask for. `well_known` and `domains` are the lists that the message goes on with."""

    key: str
    well_known: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownValues:
    """None of the values is one that the label can have."""

    key: str
    values: tuple[str, ...]
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidRequirement:
    """A node selector expression that Karpenter's validation refuses. `detail` is Kubernetes' own explanation."""

    key: str
    problem: RequirementProblem
    operator: str = ""
    value: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeClaimUnusable:
    """A claim that keeps the pod out of scheduling. Names as printed: `name` or `namespace/name`. `detail` is the API's
    error, the topology key or the provisioner."""

    problem: VolumeProblem
    claim: str = ""
    volume: str = ""
    storage_class: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised:
    """Text in a refusal's place whose wording is not known. `cut`: the text broke off there, so it is not judged."""

    text: str
    cut: bool = False


Finding = (
    InstanceTypeRefusal
    | IncompatibleRequirements
    | TaintNotTolerated
    | LimitsExceeded
    | NodeLimitsExhausted
    | ResourceLimitExceeded
    | TopologyUnsatisfiable
    | HostPortConflict
    | MinValuesUnmet
    | VolumeLimitExceeded
    | ReservedOfferings
    | AllFilteredOut
    | DynamicResourcesUnsupported
    | DynamicResourcesUnallocated
    | NoTypeWithDynamicResources
    | ResourceClaimMissing
    | OptedOut
    | MatchFieldsUnsupported
    | RestrictedLabel
    | UnknownValues
    | InvalidRequirement
    | VolumeClaimUnusable
    | Unrecognised
)

IGNORED_FINDINGS = (
    OptedOut | MatchFieldsUnsupported | RestrictedLabel | UnknownValues | InvalidRequirement | VolumeClaimUnusable
)
"""Findings of pod validation: the pod is left out of scheduling before any NodePool is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One NodePool's answer. Up to v1.4 the text names the NodePool and its daemon overhead and holds all its findings.

    From v1.5 there is no name: `nodepool` is known only where the finding itself carries it, and Karpenter's error list
    is flat, so two untolerated taints of one NodePool are two clauses (go.uber.org/multierr flattens).
    """

    findings: tuple[Finding, ...]
    nodepool: str | None = None
    daemon_overhead: Mapping[str, str] | None = None
    owner: str = "nodepool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Everything Karpenter said against one pod, in its order: NodePools by weight, then name, both descending."""

    clauses: tuple[Clause, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for clause in self.clauses for finding in clause.findings)

    @property
    def ignored(self) -> bool:
        """True when validation kept the pod out before any NodePool was looked at."""
        return any(isinstance(finding, IGNORED_FINDINGS) for finding in self.findings)

    @property
    def complete(self) -> bool:
        """False when a part of the text broke off or was not understood."""
        return not any(
            isinstance(finding, Unrecognised) or (isinstance(finding, InstanceTypeRefusal) and not finding.complete)
            for finding in self.findings
        )
