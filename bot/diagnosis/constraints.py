"""Every condition between a pod and a node of one NodePool, as a named filter over the offering space, with provenance.

A Partition is one NodePool and one required OR-term of the pod. Its conditions come in two forms. Filters keep or drop
offerings, each alone. Choices are conditions that no offering decides: a taint and the missing toleration, a custom label
and the NodePool that does not define it; each is a list of alternatives, and every alternative names the conditions that
would have to give way. An empty alternative means that nothing is in the way.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from bot.diagnosis.amounts import daemon_filters, limit_filters, request_filters
from bot.diagnosis.daemons import may_move
from bot.diagnosis.filters import Filter, decided_by_rows, wording
from bot.diagnosis.pods import Ask, Variant, untolerated
from bot.diagnosis.releases import MIN_VALUES_WITHIN
from bot.diagnosis.requirements import Requirement, Requirements
from bot.diagnosis.scheduling import Round
from bot.diagnosis.space import Rows, Space
from bot.diagnosis.surroundings import port_constraint, port_filters, ports_asked, topology_filters, volume_filters
from bot.diagnosis.templates import Template, implied_labels, ready_problem, well_known
from bot.diagnosis.topology import Group
from bot.model.diagnosis import Constraint, Editor, Kind
from bot.model.kubernetes import NodeSelectorRequirement
from bot.model.labels import normalised
from bot.model.objects import ObjectRef, ref_of
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


Condition = tuple[Constraint, Requirement]
Choice = tuple[frozenset[Constraint], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A NodePool's minValues on one label: a rule about all types that are left together, not about any one offering.

    `wanted`: the requirement's own values.
    `narrowing`: the conditions on the same label, where only values that they allow count (since v1.15), else nothing.
    """

    constraint: Constraint
    key: str
    needed: int
    wanted: tuple[str, ...] = ()
    narrowing: tuple[Condition, ...] = ()

    def values(self, space: Space, rows: Rows, relaxed: Container[Constraint] = ()) -> list[str]:
        """The label's values among the types of these offerings, as Karpenter counts them (templates.min_values_unmet)."""
        types = space.types_of_rows(rows)
        found = [value for value, having in space.axis(self.key).having.items() if having & types]
        kept = [requirement for constraint, requirement in self.narrowing if constraint not in relaxed]
        return [value for value in found if all(value in requirement for requirement in kept)]


@dataclass(frozen=True, eq=False)
class Partition:
    """All conditions of one NodePool for one OR-term of the pod.

    `exact`: every condition holds or fails by itself. If not, a conflict or correction is a strong hint that must be
    decided again (what_if.py): topology is counted, volumes are combined, minValues looks at all types together, and a
    DaemonSet may count elsewhere once a condition of the NodePool gives way. Here they count where they do now.
    """

    template: Template
    variant: Variant
    filters: tuple[Filter, ...]
    choices: tuple[Choice, ...]
    floors: tuple[Floor, ...] = ()
    exact: bool = True

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


def partition(
    this: Round, template: Template, variant: Variant, groups: Sequence[Group], *, picked: bool = False
) -> Partition:
    """Collects the conditions of a NodePool for a variant without preferences.

    `picked`: topology rules count as Karpenter applies them in its order, see surroundings.topology_filters.
    """
    asks = [(_pod_constraint(this, a), a.requirement) for a in variant.asks]
    pool = list(pool_conditions(template))
    everything = [*asks, *pool]
    volumes = tuple(volume_filters(this, template, variant))
    floors = tuple(_floors(this, template, everything))
    filters = (
        *_label_filters(template, asks, pool),
        *request_filters(this, template),
        *daemon_filters(template),
        *limit_filters(template),
        *_availability_filters(template),
        *volumes,
        *topology_filters(this, template, variant, groups, picked=picked),
        *port_filters(this, template),
    )
    choices = (
        *_label_choices(template, asks, pool),
        *_taint_choices(this, template, variant),
        *_readiness(template),
        *_emptiness(template),
    )
    exact = not groups and not volumes and not floors and not _daemons_may_move(template)
    return Partition(template, variant, _distinct(filters), tuple(choices), floors, exact)


def _daemons_may_move(template: Template) -> bool:
    pool = template.pool
    taints, known = pool.spec.template.spec.taints, well_known(pool)
    return any(may_move(one, template.requirements, taints, known) for one in template.daemons_before)


def _label_filters(template: Template, asks: Sequence[Condition], pool: Sequence[Condition]) -> Iterator[Filter]:
    """What instance types and offerings themselves decide.

    Where conditions on one label leave no value at all, Karpenter reads them together as DoesNotExist, and an offering
    without the label passes (requirements.go, Intersects).
    """
    asked, given = Requirements(r for _, r in asks), Requirements(r for _, r in pool)
    for constraint, requirement in (*asks, *pool):
        key = requirement.key
        if not decided_by_rows(template.space, key):
            continue
        rows = template.space.rows_meeting(requirement)
        anything = Requirement.of(key, "Exists")
        of_pod, of_pool = asked.get(key, anything), given.get(key, anything)
        together = of_pod & of_pool
        if together.is_empty and not (key in asked and key in given and of_pod.conflicts_with(of_pool)):
            rows |= template.space.rows_meeting(together)
        yield Filter(constraint, rows)


def _distinct(filters: Iterable[Filter]) -> tuple[Filter, ...]:
    """One filter for each constraint: two filters of one constraint are one that is stricter."""
    merged: dict[Constraint, Rows] = {}
    for one in filters:
        merged[one.constraint] = merged.get(one.constraint, -1) & one.rows
    return tuple(Filter(constraint, rows) for constraint, rows in merged.items())


def pod_constraints(this: Round, variant: Variant) -> Iterator[Constraint]:
    """What the pod itself asks of labels and ports, in the way or not."""
    yield from (_pod_constraint(this, ask) for ask in variant.asks)
    yield from (port_constraint(this, asked, where, ()) for asked, where in ports_asked(this))


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


def pool_conditions(template: Template) -> Iterator[Condition]:
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


def node_class_ref(template: Template) -> ObjectRef:
    """The NodePool's EC2NodeClass."""
    ref = template.pool.spec.template.spec.node_class_ref
    return ObjectRef(api_version=f"{ref.group}/v1", kind=ref.kind, name=ref.name)


def _availability_filters(template: Template) -> Iterator[Filter]:
    """What EC2, the EC2NodeClass and the last minutes take away from the offerings."""
    class_ref = node_class_ref(template)
    for reason, rows in template.space.reasons.items():
        kind, editor, where, subject = UNAVAILABLE[reason]
        of_class = kind in (Kind.SUBNETS, Kind.INCOMPATIBLE)
        constraint = Constraint(
            id=f"ec2/{reason.name.lower()}" + (f"/{class_ref.name}" if of_class else ""),
            kind=kind,
            object=class_ref if of_class else EC2,
            field=where,
            value=reason.value,
            editor=editor,
            subject=subject,
        )
        yield Filter(constraint, template.space.rows & ~rows)


def _label_choices(
    template: Template,
    asks: Sequence[Condition],
    pool: Sequence[Condition],
) -> Iterator[Choice]:
    """Labels that no single offering decides: custom ones, and those of which a type has several values at once.

    A label that neither the NodePool defines nor Karpenter knows is one too, whatever the types have (requirements.go,
    Compatible).
    """
    single_valued, known = template.space.defined - template.space.several_valued, well_known(template.pool)
    for key in sorted({r.key for _, r in asks}):
        wanted = [(c, r) for c, r in asks if r.key == key]
        given = [(c, r) for c, r in pool if r.key == key]
        asked, defined = Requirements(r for _, r in wanted), Requirements(r for _, r in given)
        if (key in single_valued and (given or key in known)) or defined.accepts(asked, allowed=known):
            continue  # accepted too is a pod that contradicts itself, which Karpenter reads as DoesNotExist
        if not given and key not in known:
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


def label_choice(conditions: Sequence[Condition]) -> Choice:
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


def _emptiness(template: Template) -> Iterator[Choice]:
    """An EC2NodeClass for which there is no instance type at all."""
    if not template.space.rows:
        class_ref = node_class_ref(template)
        constraint = Constraint(
            id=f"ec2/no-instance-types/{class_ref.name}",
            kind=Kind.INCOMPATIBLE,
            object=class_ref,
            field="spec",
            value="no instance type is offered to it",
            editor=Editor.NODEPOOL_OWNER,
            subject="type",
        )
        yield (frozenset({constraint}),)


def _floors(this: Round, template: Template, conditions: Sequence[Condition]) -> Iterator[Floor]:
    """The NodePool's minValues; none where Karpenter only tries its best (MIN_VALUES_POLICY=BestEffort)."""
    if this.relax_min_values:
        return
    for index, e in enumerate(template.pool.spec.template.spec.requirements):
        if e.min_values is None:
            continue
        key = normalised(e.key)
        constraint = Constraint(
            id=f"nodepool/{template.name}/minValues/{key}/{index}",
            kind=Kind.POOL_MIN_VALUES,
            object=ref_of(template.pool),
            field=f"spec.template.spec.requirements[{index}].minValues",
            value=str(e.min_values),
            editor=Editor.NODEPOOL_OWNER,
            subject=key,
            values=(str(e.min_values),),
            nodepool=template.name,
        )
        same = tuple((c, r) for c, r in conditions if r.key == key) if this.version >= MIN_VALUES_WITHIN else ()
        yield Floor(constraint=constraint, key=key, needed=e.min_values, wanted=e.values, narrowing=same)
