"""`no instance type …`: what its requirements and resources prove, by themselves and with EC2's facts.

The requirements that Karpenter prints are NodePool, pod, volumes and topology together. So one NodePool with exactly these
requirements is a world in which the same pod fails for the same reason, and the engine finds the minimal conflicts in it.
What the text does not say (EC2NodeClass, subnets, reservations, values behind `and N others`) only ever widens that world:
a conflict in it is one in the real world too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final

from msgspec.structs import replace as changed

from bot.diagnosis import conflicts
from bot.diagnosis.causes import COUNTED, cause_of
from bot.diagnosis.constraints import Partition, partition
from bot.diagnosis.evidence import named
from bot.diagnosis.indexes import bits
from bot.diagnosis.instance_types import resolve
from bot.diagnosis.pasted.told import cause
from bot.diagnosis.pods import first_variant
from bot.diagnosis.scheduling import begin
from bot.diagnosis.templates import template
from bot.karpenter import Clause, InstanceTypeRefusal, Operator, PrintedRequirement, Reason
from bot.model.diagnosis import Cause, Constraint, Fact, Kind
from bot.model.ec2 import Ec2Facts, InstanceTypeOffering
from bot.model.karpenter import NodeClaimTemplate, NodeClaimTemplateSpec, NodePool, NodePoolSpec
from bot.model.kubernetes import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodSpec,
)
from bot.model.labels import (
    ARCH,
    AWS_DOMAIN,
    CAPACITY_TYPE,
    CAPACITY_TYPES,
    EFA,
    INSTANCE_LABELS,
    INSTANCE_TYPE,
    OS,
    REGION,
    RESERVED,
    ZONE,
)
from bot.model.objects import ObjectMeta, ObjectRef
from bot.model.quantities import ZERO, Quantity, QuantityError
from bot.model.world import Catalogue, Refused, Settings, World

MOST_CONFLICTS: Final = 4
_KNOWN_VALUES: Final = {CAPACITY_TYPE: CAPACITY_TYPES, ARCH: ("amd64", "arm64"), OS: ("linux", "windows")}
_ALWAYS: Final = frozenset({ARCH, OS, INSTANCE_TYPE, CAPACITY_TYPE})
"""Labels that every instance type has: DoesNotExist is met by none. (The zone's is volume-zone-conflict.)"""
# Values that depend on the EC2NodeClass, on overlays, or on a table of Karpenter's own that changes between releases.
_UNSURE: Final = frozenset(f"{AWS_DOMAIN}/{name}" for name in ("instance-network-bandwidth", "instance-tenancy"))
_JUDGED: Final = (INSTANCE_LABELS | {ZONE, CAPACITY_TYPE, ARCH, INSTANCE_TYPE}) - _UNSURE
# How many pods and how much disk a node takes is the EC2NodeClass's business; the catalogue's are only its defaults.
_OF_CLASS: Final = frozenset({"pods", "ephemeral-storage"})
_ENOUGH_TYPES: Final = 100
"""Fewer than that is no region's list of instance types, so a name that it lacks may exist all the same."""
_DEVICES: Final = frozenset({EFA, *COUNTED})
_ABOUT_RESOURCES: Final = frozenset(
    {"gpu-count-exceeds-instance", "efa-count-exceeds-instance", "efa-unsupported", "resource-exceeds-instance"}
)
_ABOUT_OFFERINGS: Final = frozenset({"zone-not-offered", "capacity-type-not-offered", "capacity-unavailable"})
_MEETS_ALL: Final = frozenset({Reason.OFFERING, Reason.OFFERING_OF_PAIR})
_LACKS_TYPES: Final = frozenset({Reason.REQUIREMENTS, Reason.REQUIREMENTS_NOR_OFFERING})


_PRINTED_AS_REQUIREMENTS: Final = (Kind.POOL_REQUIREMENT, Kind.POOL_LABEL, Kind.NODE_SELECTOR, Kind.NODE_AFFINITY)


class Verdict(Enum):
    """What a refusal by one NodePool says of the pod, besides causes."""

    UNKNOWN = "unknown"
    NOT_MEANT = "the NodePool has nothing of a device that the pod asks for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Causes that are proven; `verdict` where there are none."""

    causes: tuple[Cause, ...] = ()
    verdict: Verdict = Verdict.UNKNOWN
    decisive: bool = False


def zone_is_empty(requirements: Sequence[PrintedRequirement]) -> bool:
    """`topology.kubernetes.io/zone DoesNotExist`: two demands on the zone met in no value (volumes, or a selector)."""
    return any(one.key == ZONE and one.operator is Operator.DOES_NOT_EXIST for one in requirements)


def of_text(finding: InstanceTypeRefusal) -> Judged:
    """What the words alone prove, whatever EC2 sells."""
    pool = (finding.nodepool or "",)
    evidence = str(finding.reason)
    if finding.cpu_typo:
        asked = finding.resources.get("cpu", "")
        return Judged(causes=(too_big("cpu", asked, pool, f"resources[cpu]: {asked}"),), decisive=True)
    if zone_is_empty(finding.requirements):
        return Judged(causes=(empty_zone(f"requirements[{ZONE}]: DoesNotExist", pool),), decisive=True)
    if finding.reason is Reason.MIN_VALUES:
        keys = finding.min_values_keys or ("",)
        return Judged(causes=tuple(_min_values(finding, key, pool, evidence) for key in keys))
    for one in finding.requirements:
        if one.operator is Operator.DOES_NOT_EXIST and one.key in _ALWAYS:
            return Judged(causes=(_impossible(one, pool),), decisive=True)
        known = _KNOWN_VALUES.get(one.key)
        if known and one.operator is Operator.IN and not one.others and not set(one.values) & set(known):
            return Judged(causes=(_impossible(one, pool),))
    return Judged()


def empty_zone(evidence: str, nodepools: tuple[str, ...]) -> Cause:
    """The cause behind a zone requirement that nothing satisfies; which volumes and zones, the text does not say."""
    return cause("volume-zone-conflict", evidence, nodepools, claims=(), zones=(), allowed=())


def mistyped(requirements: Sequence[PrintedRequirement]) -> tuple[PrintedRequirement, ...]:
    """Requirements that list, beside good values, some that their label cannot have (`on_demand`)."""
    return tuple(
        replace(one, values=wrong)
        for one in requirements
        if one.operator is Operator.IN and one.key in _KNOWN_VALUES
        for wrong in (tuple(v for v in one.values if v not in _KNOWN_VALUES[one.key]),)
        if wrong
    )


def _impossible(one: PrintedRequirement, pool: tuple[str, ...]) -> Cause:
    """A value that no instance type has."""
    asked = one.values or ("DoesNotExist",)
    where = f"requirements[{one.key}]"
    evidence = f"{where}: {' '.join(asked)}"
    if one.key == CAPACITY_TYPE and one.values:
        names: dict[str, Fact] = {"instance_type": "", "instance_types": (), "zones": ()}
        offered = CAPACITY_TYPES
        return cause(
            "capacity-type-not-offered", evidence, pool, capacity_types=asked, offered_capacity_types=offered, **names
        )
    known = _KNOWN_VALUES.get(one.key, ())
    facts: dict[str, Fact] = {
        "key": one.key,
        "wanted": asked,
        "wanted_by": where,
        "allowed": known,
        "allowed_by": "EC2",
    }
    return cause("requirement-conflict", evidence, pool, **facts)


def too_big(resource: str, asked: str, pool: tuple[str, ...], evidence: str) -> Cause:
    """More of a resource than any type of the NodePool has; how much that is, the text does not say."""
    sizes: dict[str, Fact] = {"requested": asked, "overhead": "0", "offered": ""}
    types: dict[str, Fact] = {"instance_type": "", "instance_types": (), "types_count": 0, "pinned": False}
    return cause("resource-exceeds-instance", evidence, pool, resource=resource, **sizes, **types)


def _min_values(finding: InstanceTypeRefusal, key: str, pool: tuple[str, ...], evidence: str) -> Cause:
    needed = next((one.min_values for one in finding.requirements if one.key == key and one.min_values), 0)
    return cause("min-values-unmet", f"{evidence}: {key}", pool, nodepool=pool[0], key=key, needed=needed, have=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """EC2's facts as far as they concern a text: all instance types, as a NodeClass with no wishes would have them."""

    ec2: Ec2Facts
    catalogue: Catalogue
    now: datetime
    refused: tuple[Refused, ...] = ()

    @classmethod
    def of(cls, ec2: Ec2Facts, now: datetime, refused: Sequence[Refused]) -> "Market":
        return cls(ec2=ec2, catalogue=resolve(ec2, None, Settings()), now=now, refused=tuple(refused))


def of_market(clause: Clause, finding: InstanceTypeRefusal, market: Market) -> Judged:
    """What EC2's facts prove against the requirements and resources; nothing where they do not fit Karpenter's words."""
    here = _fitting_market(finding, market)
    if here is None:
        return Judged()
    try:
        requests = {name: Quantity.parse(amount) for name, amount in finding.resources.items()}
    except QuantityError:
        return Judged()
    asked = {name: amount for name, amount in requests.items() if name not in _OF_CLASS}
    solved = conflicts.solve(_partition(finding, here, asked))
    if not solved.conflicts:
        return Judged()
    smallest = min(len(conflict) for conflict in solved.conflicts)
    world = World(now=here.now, ec2=here.ec2)
    chosen = [c for c in solved.conflicts if len(c) == smallest][:MOST_CONFLICTS]
    found = [cause_of(conflict, solved, world, here.refused) for conflict in chosen]
    proven = [
        _as_said(one, clause, finding)
        for one in sorted(found, key=_weight)
        if _agrees(one, finding.reason) and _certain(one, solved.partition, requests) and _listed(one, here.ec2)
    ]
    each = tuple({(one.id, one.facts.get("resource")): one for one in reversed(proven)}.values())[::-1]
    return Judged(causes=each, verdict=Verdict.NOT_MEANT if any(map(_lacks_device, each)) else Verdict.UNKNOWN)


def _fitting_market(finding: InstanceTypeRefusal, market: Market) -> Market | None:
    """The market, where it is the text's own region; else only what instance types are made of, the same everywhere."""
    zones = {zone for one in finding.requirements if one.key == ZONE for zone in one.values}
    regions = {region for one in finding.requirements if one.key == REGION for region in one.values}
    own = market.ec2.region
    sold = {row.location for row in market.ec2.offerings or ()}
    elsewhere = bool(regions and own and own not in regions) or bool(
        zones and ((own and not any(z.startswith(own) for z in zones)) or (not own and sold and not zones & sold))
    )
    if not elsewhere:
        return market
    known = {info.instance_type for info in market.ec2.instance_types or ()}
    pinned = next((one for one in finding.requirements if one.key == INSTANCE_TYPE), None)
    if pinned is None or pinned.operator is not Operator.IN or pinned.others or not set(pinned.values) <= known:
        return None
    somewhere = tuple(
        InstanceTypeOffering(instance_type=name, location=zone) for name in known for zone in zones or {own or "zone"}
    )
    ec2 = Ec2Facts(region="", instance_types=market.ec2.instance_types, offerings=somewhere)
    return Market.of(ec2, market.now, ())


def _partition(finding: InstanceTypeRefusal, market: Market, asked: Mapping[str, Quantity]) -> Partition:
    """The world in which the printed requirements are the NodePool's and the printed resources the pod's."""
    name = finding.nodepool or "nodepool"
    expressions = tuple(e for one in finding.requirements for e in _expressions(one))
    pins = tuple(e for e in expressions if e.key == INSTANCE_TYPE and e.operator == "In")
    spec = NodeClaimTemplateSpec(requirements=tuple(e for e in expressions if e not in pins))
    pool = NodePool(metadata=ObjectMeta(name=name), spec=NodePoolSpec(template=NodeClaimTemplate(spec=spec)))
    pod = Pod(metadata=ObjectMeta(name="pod", namespace="default"), spec=PodSpec(affinity=_wanting(pins)))
    world = World(now=market.now, node_pools=(pool,), ec2=market.ec2, catalogues={name: market.catalogue})
    this = replace(begin(world, pod, market.refused), requests=asked)
    variant = first_variant(pod, respect_preferences=False)
    return partition(this, template(world, pool, market.refused, this.version, ()), variant, ())


def _wanting(pins: tuple[NodeSelectorRequirement, ...]) -> Affinity | None:
    """Types that are named are what the refusal is about, whoever names them: they count as the pod's own wish."""
    if not pins:
        return None
    terms = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=pins),))
    return Affinity(node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=terms))


def _expressions(one: PrintedRequirement) -> list[NodeSelectorRequirement]:
    """The requirement as a NodePool would write it; what is abridged or not EC2's alone is left out (wider is safe)."""
    if one.key not in _JUDGED or (one.key == CAPACITY_TYPE and (RESERVED in one.values or one.operator != Operator.IN)):
        return []
    written = NodeSelectorRequirement(key=one.key, operator=str(one.operator), values=one.values)
    found = [] if one.operator is Operator.EXISTS or (one.operator is Operator.IN and one.others) else [written]
    for operator, bound in (("Gte", one.at_least), ("Lte", one.at_most)):
        if bound is not None:
            found.append(changed(written, operator=operator, values=(str(bound),)))
    return found


def _agrees(one: Cause, reason: Reason) -> bool:
    """Whether Karpenter's sentence leaves room for this cause; where it does not, its facts are not ours."""
    if one.id in _ABOUT_RESOURCES:
        return reason not in _MEETS_ALL | _LACKS_TYPES
    if one.id in _ABOUT_OFFERINGS:
        return reason is not Reason.RESOURCES  # a type's zones and capacity types count among its requirements too
    return reason not in {Reason.RESOURCES, Reason.RESOURCES_NOR_OFFERING, *_MEETS_ALL}


def _certain(one: Cause, whole: Partition, requests: Mapping[str, Quantity]) -> bool:
    """Devices are counted; of other resources an EC2NodeClass can reserve more or less than the default.

    So the request has to exceed a type's whole capacity, or nothing else may be what Karpenter misses: then pods and disk
    have to fit by the defaults.
    """
    resource = str(one.facts.get("resource", ""))
    if one.id not in _ABOUT_RESOURCES or resource in _DEVICES:
        return True
    space = whole.space
    mine = set(one.constraints)
    rows = whole.universe
    for each in whole.filters:
        if each.constraint in mine and each.constraint.kind is not Kind.RESOURCE:
            rows &= each.rows
    types = [space.types[i] for i in bits(space.types_of_rows(rows))]
    whole_capacity = max((t.capacity.get(resource, ZERO) for t in types), default=ZERO)
    if whole_capacity < requests.get(resource, ZERO):
        return True
    return any(all(not t.allocatable.get(name, ZERO) < requests.get(name, ZERO) for name in _OF_CLASS) for t in types)


def _listed(one: Cause, ec2: Ec2Facts) -> bool:
    """A type that the list lacks exists nowhere only if the list is a whole region's."""
    return one.id != "unknown-instance-type" or len(ec2.instance_types or ()) >= _ENOUGH_TYPES


def _lacks_device(one: Cause) -> bool:
    """Nothing of an accelerator in a NodePool that names no single type: it is there for other pods. EFA says no such thing."""
    accelerator = one.facts.get("resource") in COUNTED and not one.facts.get("offered")
    pins = [c for c in one.constraints if c.subject == INSTANCE_TYPE and len(c.values) == 1]
    return accelerator and not pins


def _weight(one: Cause) -> tuple[bool, str, bool]:
    """Devices first: who asks for GPUs means GPUs, and the CPUs beside them follow; then what is pinned to a type."""
    return one.facts.get("resource") not in _DEVICES, one.id, not one.facts.get("pinned")


def _as_said(one: Cause, clause: Clause, finding: InstanceTypeRefusal) -> Cause:
    """The cause with its conditions where they were read: in Karpenter's message, not in objects that were made up."""
    pools = (finding.nodepool,) if finding.nodepool else ()
    names = {named(c): _place(c) for c in one.constraints}
    facts: dict[str, Fact] = {name: _renamed(value, names) for name, value in one.facts.items()}
    if one.id == "resource-exceeds-instance":
        facts |= _without_daemons(str(facts["resource"]), str(facts["requested"]), clause)
    if one.id == "requirement-conflict":
        facts = _pinned_first(facts)
    facts["nodepools"] = pools
    return replace(
        one,
        constraints=tuple(_moved(c) for c in one.constraints),
        facts=facts,
        evidence=tuple(str(_renamed(line, names)) for line in one.evidence),
        nodepools=pools,
    )


def _place(constraint: Constraint) -> str:
    printed = {Kind.RESOURCE: "resources", **dict.fromkeys(_PRINTED_AS_REQUIREMENTS, "requirements")}
    part = printed.get(constraint.kind)
    return f"{part}[{constraint.subject}]" if part else named(constraint)


def _moved(constraint: Constraint) -> Constraint:
    place = _place(constraint)
    if place == named(constraint):
        return constraint
    return replace(constraint, id=f"message/{place}", object=ObjectRef(), field=place, nodepool="")


def _renamed(value: Fact, names: Mapping[str, str]) -> Fact:
    if isinstance(value, tuple):
        return tuple(str(_renamed(one, names)) for one in value)
    if not isinstance(value, str):
        return value
    for old, new in names.items():
        value = value.replace(old, new)
    return value


def _without_daemons(resource: str, requested: str, clause: Clause) -> dict[str, Fact]:
    """Up to v1.4 the text says what of the resources is the DaemonSets'; later they are one sum."""
    overhead = (clause.daemon_overhead or {}).get(resource, "0")
    try:
        own = Quantity.parse(requested) - Quantity.parse(overhead)
    except QuantityError:
        return {}
    return {"requested": str(own), "overhead": overhead} if own > ZERO else {}


def _pinned_first(facts: dict[str, Fact]) -> dict[str, Fact]:
    """Of two requirements that exclude each other, the one that names a type or a zone is what was asked for."""
    if facts.get("allowed_key") in (INSTANCE_TYPE, ZONE) and facts.get("key") != INSTANCE_TYPE:
        return {
            **facts,
            "key": facts["allowed_key"],
            "allowed_key": facts["key"],
            "wanted": facts["allowed"],
            "allowed": facts["wanted"],
            "wanted_by": facts["allowed_by"],
            "allowed_by": facts["wanted_by"],
        }
    return facts
