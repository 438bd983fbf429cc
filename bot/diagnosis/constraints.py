"""Every condition between a pod and a node of one NodePool, as a named filter over the offering space, with provenance.

A Partition is one NodePool and one required OR-term of the pod. Its conditions come in two forms. Filters keep or drop
offerings, each alone. Choices are conditions that no offering decides: a taint and the missing toleration, a custom label
and the NodePool that does not define it; each is a list of alternatives, and every alternative names the conditions that
would have to give way. An empty alternative means that nothing is in the way.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from bot.diagnosis.pods import Ask, Variant, untolerated
from bot.diagnosis.requirements import Requirement, Requirements
from bot.diagnosis.scheduling import PLACEHOLDER, Round
from bot.diagnosis.space import Rows, Space, Types
from bot.diagnosis.state_nodes import NODES
from bot.diagnosis.templates import Template, implied_labels, ready_problem, well_known
from bot.diagnosis.topology import Group, choose
from bot.diagnosis.volumes import VolumeDemand, demands
from bot.karpenter import TopologyRule
from bot.model.diagnosis import Constraint, Editor, Kind
from bot.model.kubernetes import NodeSelectorRequirement
from bot.model.labels import HOSTNAME
from bot.model.objects import ObjectRef, ref_of
from bot.model.quantities import ZERO
from bot.model.world import Unavailable

EC2: Final = ObjectRef(api_version="ec2.amazonaws.com", kind="EC2")
_OTHER: Final = "\0any other value"

# Why an offering is unavailable, as a constraint: its kind, who could change it, where it is read.
UNAVAILABLE: Final = {
    Unavailable.NOT_OFFERED: (Kind.OFFERED, Editor.AWS, "DescribeInstanceTypeOfferings", "zone"),
    Unavailable.NOT_SOLD: (Kind.OFFERED, Editor.AWS, "DescribeInstanceTypes SupportedUsageClasses", "capacity-type"),
    Unavailable.NO_PRICE: (Kind.PRICE, Editor.AWS, "DescribeSpotPriceHistory and GetProducts", "price"),
    Unavailable.NO_SUBNET: (Kind.SUBNETS, Editor.NODEPOOL_OWNER, "status.subnets", "zone"),
    Unavailable.REFUSED: (Kind.REFUSED, Editor.NOBODY, "CreateFleet", "capacity"),
    Unavailable.INCOMPATIBLE: (Kind.INCOMPATIBLE, Editor.NODEPOOL_OWNER, "spec", "type"),
    Unavailable.RESERVATION_FULL: (Kind.RESERVATION, Editor.AWS, "DescribeCapacityReservations", "capacity"),
    Unavailable.UNSPECIFIED: (Kind.REFUSED, Editor.NOBODY, "available", "capacity"),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A constraint and the offerings that it lets through."""

    constraint: Constraint
    rows: Rows


Choice = tuple[frozenset[Constraint], ...]


@dataclass(frozen=True, eq=False)
class Partition:
    """All conditions of one NodePool for one OR-term of the pod."""

    template: Template
    variant: Variant
    filters: tuple[Filter, ...]
    choices: tuple[Choice, ...]

    @property
    def space(self) -> Space:
        return self.template.space

    @cached_property
    def universe(self) -> Rows:
        """Every offering that the NodePool's EC2NodeClass knows of, wanted or not, available or not."""
        return self.space.rows_of_types(self.space.healthy)

    def passing(self, without: Iterable[Constraint] = ()) -> Rows:
        """The offerings that pass every filter but those of the given constraints."""
        left_out = set(without)
        rows = self.universe
        for one in self.filters:
            if one.constraint not in left_out:
                rows &= one.rows
        return rows


def partition(this: Round, template: Template, variant: Variant, groups: Sequence[Group]) -> Partition:
    """Collects the conditions of a NodePool for a variant without preferences."""
    asks = [(_pod_constraint(this, a), a.requirement) for a in variant.asks]
    pool = list(_pool_conditions(template))
    everything = [*asks, *pool]
    by_label = (
        Filter(c, template.space.rows_meeting(r)) for c, r in everything if _decided_by_rows(template.space, r.key)
    )
    filters = (
        *by_label,
        *_resource_filters(this, template),
        *_limit_filters(template),
        *_availability_filters(template),
        *_volume_filters(this, template),
        *_topology_filters(this, template, variant, groups),
        *_port_filters(this, template),
    )
    choices = (*_label_choices(template, asks, pool), *_taint_choices(this, template, variant), *_readiness(template))
    return Partition(template, variant, _distinct(filters), tuple(choices))


def _distinct(filters: Iterable[Filter]) -> tuple[Filter, ...]:
    """One filter for each constraint: two filters of one constraint are one that is stricter."""
    merged: dict[Constraint, Rows] = {}
    for one in filters:
        merged[one.constraint] = merged.get(one.constraint, -1) & one.rows
    return tuple(Filter(constraint, rows) for constraint, rows in merged.items())


def _decided_by_rows(space: Space, key: str) -> bool:
    return bool(space.axis(key).having or space.axis(key).absent) or key in space.slot_keys


def _pod_constraint(this: Round, ask: Ask) -> Constraint:
    pod = ref_of(this.pod)
    requirement = ask.requirement
    return Constraint(
        id=f"pod/{ask.field}",
        kind=Kind.NODE_AFFINITY if "Affinity" in ask.field else Kind.NODE_SELECTOR,
        object=pod,
        field=ask.field,
        value=wording(requirement),
        editor=Editor.POD_OWNER,
        subject=requirement.key,
        operator=requirement.operator,
        values=tuple(sorted(requirement.values)),
    )


def wording(requirement: Requirement) -> str:
    """A requirement in short: `In [a b]`, `Exists >=5`."""
    listed = f" [{' '.join(sorted(requirement.values))}]" if requirement.values else ""
    low = "" if requirement.gte is None else f" >={requirement.gte}"
    high = "" if requirement.lte is None else f" <={requirement.lte}"
    return f"{requirement.operator}{listed}{low}{high}"


def _pool_conditions(template: Template) -> Iterator[tuple[Constraint, Requirement]]:
    """What the NodePool itself requires: its requirements, its template labels, and the labels Karpenter implies."""
    spec = template.pool.spec.template
    for index, e in enumerate(spec.spec.requirements):
        requirement = Requirement.of(e.key, e.operator, e.values)
        where = f"spec.template.spec.requirements[{index}]"
        yield _pool_constraint(template, Kind.POOL_REQUIREMENT, where, requirement, e), requirement
    for key, value in spec.metadata.labels.items():
        requirement = Requirement.of(key, "In", (value,))
        where = f"spec.template.metadata.labels[{key}]"
        yield _pool_constraint(template, Kind.POOL_LABEL, where, requirement, None), requirement
    for key, value in implied_labels(template.pool).items():
        requirement = Requirement.of(key, "In", (value,))
        yield _pool_constraint(template, Kind.POOL_LABEL, "metadata.name", requirement, None), requirement


def _pool_constraint(
    template: Template, kind: Kind, where: str, requirement: Requirement, expression: NodeSelectorRequirement | None
) -> Constraint:
    fixed = where == "metadata.name"
    return Constraint(
        id=f"nodepool/{template.name}/{where}" + (f"/{requirement.key}" if fixed else ""),
        kind=kind,
        object=ref_of(template.pool),
        field=where,
        value=wording(requirement),
        editor=Editor.NOBODY if fixed else Editor.NODEPOOL_OWNER,
        subject=requirement.key,
        operator=expression.operator if expression else "In",
        values=expression.values if expression else tuple(sorted(requirement.values)),
        nodepool=template.name,
    )


def _resource_filters(this: Round, template: Template) -> Iterator[Filter]:
    """One filter a resource: allocatable minus what daemons take must hold the request."""
    pod = ref_of(this.pod)
    for resource, amount in sorted(this.requests.items()):
        fitting: Types = 0
        for group in template.daemons:
            needed = amount + group.overhead.get(resource, ZERO)
            fitting |= template.space.types_having(resource, needed) & group.types
        where = _requesting_field(this, resource)
        constraint = Constraint(
            id=f"pod/{where}",
            kind=Kind.RESOURCE,
            object=pod,
            field=where,
            value=str(amount),
            editor=Editor.NOBODY if resource == "pods" else Editor.POD_OWNER,
            subject=resource,
            values=(str(amount),),
        )
        yield Filter(constraint, template.space.rows_of_types(fitting))


def _requesting_field(this: Round, resource: str) -> str:
    """The field that asks for most of the resource: where a person would look first."""
    spec = this.pod.spec
    asked = [
        (container.resources.requests.get(resource, container.resources.limits.get(resource, ZERO)), where, kind)
        for where, containers in (("containers", spec.containers), ("initContainers", spec.init_containers))
        for index, container in enumerate(containers)
        for kind in (
            f"{where}[{index}].resources.{'requests' if resource in container.resources.requests else 'limits'}",
        )
    ]
    most = max(asked, key=lambda one: one[0], default=None)
    return f"spec.{most[2]}[{resource}]" if most is not None and most[0] else f"spec[{resource}]"


def _limit_filters(template: Template) -> Iterator[Filter]:
    """NodePool limits: a type's whole capacity must fit into what is left of each."""
    for resource, left in (template.remaining or {}).items():
        if resource == NODES:
            fitting = template.space.all_types if left.nano > 0 else 0
        else:
            fitting = sum(
                1 << i for i, t in enumerate(template.space.types) if not left < t.capacity.get(resource, ZERO)
            )
        limit = template.pool.spec.limits[resource]
        constraint = Constraint(
            id=f"nodepool/{template.name}/spec.limits[{resource}]",
            kind=Kind.POOL_LIMIT,
            object=ref_of(template.pool),
            field=f"spec.limits[{resource}]",
            value=str(limit),
            editor=Editor.NODEPOOL_OWNER,
            subject=resource,
            values=(str(left),),
            nodepool=template.name,
        )
        yield Filter(constraint, template.space.rows_of_types(fitting))


def _availability_filters(template: Template) -> Iterator[Filter]:
    """What EC2, the EC2NodeClass and the last minutes take away from the offerings."""
    node_class = template.pool.spec.template.spec.node_class_ref
    class_ref = ObjectRef(api_version=f"{node_class.group}/v1", kind=node_class.kind, name=node_class.name)
    for reason, rows in template.space.reasons.items():
        kind, editor, where, subject = UNAVAILABLE[reason]
        of_class = kind in (Kind.SUBNETS, Kind.INCOMPATIBLE)
        constraint = Constraint(
            id=f"ec2/{reason.name.lower()}" + (f"/{node_class.name}" if of_class else ""),
            kind=kind,
            object=class_ref if of_class else EC2,
            field=where,
            value=reason.value,
            editor=editor,
            subject=subject,
        )
        yield Filter(constraint, template.space.rows & ~rows)


def _volume_filters(this: Round, template: Template) -> Iterator[Filter]:
    """Where the pod's volumes are: each claim's alternatives, any of which is good enough."""
    for demand in demands(this.world, this.pod):
        rows: Rows = 0
        for alternative in demand.alternatives:
            of_one = template.space.rows
            for requirement in alternative.values():
                of_one &= template.space.rows_meeting(requirement)
            rows |= of_one
        yield Filter(_volume_constraint(this, demand), rows)


def _volume_constraint(this: Round, demand: VolumeDemand) -> Constraint:
    values = {v for alternative in demand.alternatives for r in alternative.values() for v in r.values}
    keys = sorted({key for alternative in demand.alternatives for key in alternative})
    volume = ObjectRef(api_version="v1", kind="PersistentVolume", name=demand.volume)
    storage_class = ObjectRef(api_version="storage.k8s.io/v1", kind="StorageClass", name=demand.storage_class)
    return Constraint(
        id=f"volume/{this.pod.metadata.namespace}/{demand.claim}",
        kind=Kind.VOLUME,
        object=volume if demand.volume else storage_class,
        field="spec.nodeAffinity.required" if demand.volume else "allowedTopologies",
        value=" or ".join(", ".join(f"{k} {wording(r)}" for k, r in a.items()) for a in demand.alternatives),
        editor=Editor.NOBODY,
        subject=keys[0] if keys else "",
        values=tuple(sorted(values)),
    )


def _topology_filters(this: Round, template: Template, variant: Variant, groups: Sequence[Group]) -> Iterator[Filter]:
    """The domains that each topology rule leaves to a new node of this NodePool."""
    host = Requirements((Requirement.of(HOSTNAME, "In", (PLACEHOLDER,)),))
    placed = template.requirements & host & variant.requirements
    for group in groups:
        anything = Requirement.of(group.key, "Exists")
        choice = choose(group, this.pod, variant.strict.get(group.key, anything), placed.get(group.key, anything))
        rows: Rows = 0
        for pick in choice.picks:
            decided = _decided_by_rows(template.space, group.key)
            rows |= template.space.rows_meeting(pick) if decided else template.space.rows
        spread = group.rule is TopologyRule.SPREAD
        constraint = Constraint(
            id=f"pod/{group.field}/{group.key}",
            kind=Kind.TOPOLOGY_SPREAD if spread else Kind.POD_AFFINITY,
            object=ref_of(this.pod),
            field=group.field,
            value=f"{group.rule} by {group.key}",
            editor=Editor.POD_OWNER
            if group.field.startswith("spec.") and "other pods" not in group.field
            else Editor.NOBODY,
            subject=group.key,
            operator=str(group.rule),
            values=tuple(f"{domain}: {count}" for domain, count in sorted(group.domains.items())),
        )
        yield Filter(constraint, rows)


def _port_filters(this: Round, template: Template) -> Iterator[Filter]:
    """Host ports that a DaemonSet already takes on every node of these types."""
    for port in this.ports:
        free: Types = 0
        holders: set[str] = set()
        for group in template.daemons:
            if any(port.conflicts_with(other) for other in group.host_ports):
                holders.update(group.names)
            else:
                free |= group.types
        if holders:
            constraint = Constraint(
                id=f"pod/hostPort/{port.protocol}/{port.port}",
                kind=Kind.HOST_PORT,
                object=ref_of(this.pod),
                field="spec.containers[].ports[].hostPort",
                value=f"{port.port}/{port.protocol}",
                editor=Editor.NOBODY,
                subject=f"{port.port}/{port.protocol}",
                values=tuple(sorted(holders)),
            )
            yield Filter(constraint, template.space.rows_of_types(free))


def _label_choices(
    template: Template,
    asks: Sequence[tuple[Constraint, Requirement]],
    pool: Sequence[tuple[Constraint, Requirement]],
) -> Iterator[Choice]:
    """Labels that no single offering decides: custom ones, and those of which a type has several values at once."""
    single_valued = template.space.defined - template.space.several_valued
    for key in sorted({r.key for _, r in asks} - single_valued):
        wanted = [(c, r) for c, r in asks if r.key == key]
        given = [(c, r) for c, r in pool if r.key == key]
        if not given and key not in well_known(template.pool) and not template.space.axis(key).having:
            given = [(_undefined(template, key), Requirement.of(key, "DoesNotExist"))]
        yield label_choice([*wanted, *given])


def _undefined(template: Template, key: str) -> Constraint:
    return Constraint(
        id=f"nodepool/{template.name}/undefined/{key}",
        kind=Kind.POOL_UNDEFINED,
        object=ref_of(template.pool),
        field="spec.template.metadata.labels",
        value=f"does not define {key}",
        editor=Editor.NODEPOOL_OWNER,
        subject=key,
        operator="DoesNotExist",
        nodepool=template.name,
    )


def label_choice(conditions: Sequence[tuple[Constraint, Requirement]]) -> Choice:
    """For each value that the label could have, or none at all: the conditions it would break; only the smallest sets."""
    values = {v for _, r in conditions for v in r.values}
    edges = {b for _, r in conditions for b in (r.gte, r.lte) if b is not None}
    candidates = [*sorted(values), _OTHER, *(str(e) for e in sorted(edges))]
    broken = {frozenset(c for c, r in conditions if v not in r) for v in candidates}
    broken.add(frozenset(c for c, r in conditions if r.operator not in ("NotIn", "DoesNotExist")))
    return tuple(b for b in broken if not any(other < b for other in broken))


def _taint_choices(this: Round, template: Template, variant: Variant) -> Iterator[Choice]:
    for taint in untolerated(variant.tolerations, template.pool.spec.template.spec.taints):
        values = (taint.value,) if taint.value else ()
        of_pool = Constraint(
            id=f"nodepool/{template.name}/spec.template.spec.taints[{taint}]",
            kind=Kind.POOL_TAINT,
            object=ref_of(template.pool),
            field="spec.template.spec.taints",
            value=str(taint),
            editor=Editor.NODEPOOL_OWNER,
            subject=taint.key,
            operator=taint.effect,
            values=values,
            nodepool=template.name,
        )
        of_pod = Constraint(
            id=f"pod/spec.tolerations/{taint}",
            kind=Kind.TOLERATIONS,
            object=ref_of(this.pod),
            field="spec.tolerations",
            value=f"does not tolerate {taint}",
            editor=Editor.POD_OWNER,
            subject=taint.key,
            operator=taint.effect,
            values=values,
        )
        yield (frozenset({of_pod}), frozenset({of_pool}))


def _readiness(template: Template) -> Iterator[Choice]:
    problem = ready_problem(template.pool)
    if problem:
        constraint = Constraint(
            id=f"nodepool/{template.name}/{problem}",
            kind=Kind.POOL_NOT_READY,
            object=ref_of(template.pool),
            field="spec.replicas" if problem == "static" else "status.conditions[Ready]",
            value=problem,
            editor=Editor.NODEPOOL_OWNER,
            subject=problem,
            nodepool=template.name,
        )
        yield (frozenset({constraint}),)
