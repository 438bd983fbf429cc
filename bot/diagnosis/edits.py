"""From one constraint to the edits that relax it just so far that chosen offerings pass: a builder for each kind.

A constraint that nobody can edit (what EC2 offers, a volume's zone) has none, and a NodePool's taint is never taken away:
it is there to keep pods out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Final

from bot.diagnosis.constraints import Partition
from bot.diagnosis.filters import decided_by_rows
from bot.diagnosis.indexes import bits
from bot.diagnosis.lowering import lowered
from bot.diagnosis.requirements import Requirement
from bot.diagnosis.space import Rows
from bot.model.diagnosis import Change, Constraint, Edit, Editor, Fact, Json, Kind
from bot.model.labels import CAPACITY_TYPE, EFA, GPU_RESOURCES, INSTANCE_TYPE, NEURON_RESOURCES, ON_DEMAND, ZONE
from bot.model.quantities import NANO, ZERO, Quantity
from bot.model.world import InstanceType

NEW_VALUES: Final = 3
"""How many values a widened requirement gets; with more, dropping it says the same in fewer words."""
DEVICES: Final = (*GPU_RESOURCES, EFA, *NEURON_RESOURCES)


@dataclass(frozen=True)
class Opening:
    """Constraints to relax and the offerings to open by it; edits go no further than these offerings need."""

    partition: Partition
    relaxed: frozenset[Constraint]
    rows: Rows

    @cached_property
    def types(self) -> list[InstanceType]:
        space = self.partition.space
        return [space.types[i] for i in bits(space.types_of_rows(self.rows))]

    def values(self, key: str) -> tuple[str, ...]:
        """The values of a label among the opened offerings."""
        space = self.partition.space
        if key in space.slot_keys:
            of_slots = (space.slots[s].requirements.get(key) for s in space.slots_of_rows(self.rows))
            return tuple(sorted({value for r in of_slots if r is not None for value in r.values}))
        types = space.types_of_rows(self.rows)
        return tuple(sorted(value for value, having in space.axis(key).having.items() if having & types))

    def left(self, resource: str) -> list[tuple[int, int]]:
        """What each type has for the pod, allocatable minus daemons and never below nothing: (nano, position) pairs."""
        amounts = self.partition.space.amounts(resource)
        overheads = [(g.types, g.overhead.get(resource, ZERO).nano) for g in self.partition.template.daemons]
        types = self.partition.space.types_of_rows(self.rows)
        return [(max(amounts[i] - taken, 0), i) for of_group, taken in overheads for i in bits(of_group & types)]

    def amount_left(self, resource: str, position: int) -> Quantity:
        """The same for one type, in the format in which its allocatable is written."""
        instance_type = self.partition.space.types[position]
        overhead = next((g.overhead for g in self.partition.template.daemons if g.types >> position & 1), {})
        return max(instance_type.allocatable.get(resource, ZERO) - overhead.get(resource, ZERO), ZERO)


@dataclass(frozen=True, slots=True)
class Part:
    """One edit as a remedy of its own: the remedy's id, the edit, and the facts that a sentence about it needs."""

    remedy: str
    edit: Edit
    facts: dict[str, Fact]


def edits(opening: Opening, constraint: Constraint) -> tuple[Part, ...]:
    """The ways to relax one constraint so that the chosen offerings pass; none when nobody can edit it."""
    if constraint.editor in (Editor.AWS, Editor.NOBODY):
        return ()
    build = _BUILDERS.get(constraint.kind)
    part = build(opening, constraint) if build else None
    return tuple(p for p in (_corrected(opening, constraint), part) if p is not None)


def made(
    remedy: str, constraint: Constraint, change: Change, values: tuple[Json, Json], facts: dict[str, Fact]
) -> Part:
    """An edit of the constraint's own field."""
    old, new = values
    edit = Edit(
        constraint=constraint,
        change=change,
        object=constraint.object,
        field=constraint.field,
        subject=constraint.subject,
        old=old,
        new=new,
    )
    return Part(remedy, edit, facts)


def _corrected(opening: Opening, constraint: Constraint) -> Part | None:
    """A value that EC2 does not know, corrected to the one that it was probably meant to be; a zone's id to its name."""
    if constraint.kind is not Kind.NODE_SELECTOR or not constraint.values:
        return None
    old, near = constraint.values[0], list[str]()
    if constraint.subject == ZONE:
        near = _zones_meant(opening, constraint)
    elif constraint.subject == INSTANCE_TYPE and old not in opening.partition.space.position:
        near = get_close_matches(old, opening.values(INSTANCE_TYPE), n=1, cutoff=0.8)
    if not near:
        return None
    facts: dict[str, Fact] = {"key": constraint.subject, "old": old, "new": near[0]}
    return made("change-node-selector", constraint, Change.SET, (old, near[0]), facts)


def _zones_meant(opening: Opening, constraint: Constraint) -> list[str]:
    """The names of the zones whose ids stand where names belong, those that are opened."""
    if constraint.subject != ZONE:
        return []
    named = (opening.partition.space.zone_names.get(value, "") for value in constraint.values)
    opened = opening.values(ZONE)
    return [name for name in named if name in opened]


def _resource(opening: Opening, constraint: Constraint) -> Part | None:
    _, least = min(opening.left(constraint.subject), default=(0, None))
    new = ZERO if least is None else opening.amount_left(constraint.subject, least)
    return resource_part(opening, constraint, new)


def resource_part(opening: Opening, constraint: Constraint, new: Quantity) -> Part | None:
    """The pod asks for so much in all, devices by the whole; not at all where that comes to none of a spare one."""
    resource, old = constraint.subject, Quantity.parse(constraint.values[0])
    if resource in DEVICES:
        new = Quantity.of(new.nano // NANO)
    keeps = tuple(
        c.values[0] if len(c.values) == 1 else c.value
        for c in (f.constraint for f in opening.partition.filters)
        if c.kind in (Kind.NODE_SELECTOR, Kind.NODE_AFFINITY)
        and c.subject in (INSTANCE_TYPE, ZONE)
        and c not in opening.relaxed
    )
    facts: dict[str, Fact] = {"resource": resource, "old": str(old), "new": str(new), "keeps": keeps}
    if new <= ZERO and resource != EFA:
        return None  # a training pod without its GPUs is another pod; without EFA it still trains, only slower
    if new <= ZERO:
        return made("drop-resource", constraint, Change.REMOVE, (str(old), None), facts)
    if lowered(opening.partition.variant.pod.spec, resource, new) is None:
        return None
    return made("reduce-resource", constraint, Change.SET, (str(old), str(new)), facts)


def _selector(opening: Opening, constraint: Constraint) -> Part | None:
    key, old = constraint.subject, constraint.values[0] if constraint.values else ""
    if key == CAPACITY_TYPE and ON_DEMAND in opening.values(key):
        facts: dict[str, Fact] = {"key": key, "old": old, "new": ON_DEMAND, "where": "pod"}
        return made("allow-capacity-type", constraint, Change.SET, (old, ON_DEMAND), facts)
    return made("drop-node-selector", constraint, Change.REMOVE, (old, None), {"key": key, "old": old})


def _affinity(opening: Opening, constraint: Constraint) -> Part | None:
    key, old = constraint.subject, list[Json](constraint.values)
    preferred = ".preferredDuring" in constraint.field
    others = [v for v in opening.values(key) if v not in constraint.values]
    added = [] if preferred else _zones_meant(opening, constraint) or others
    if key == CAPACITY_TYPE and constraint.operator == "In" and ON_DEMAND in added:
        facts: dict[str, Fact] = {"key": key, "old": ", ".join(constraint.values), "new": ON_DEMAND, "where": "pod"}
        return made("allow-capacity-type", constraint, Change.ADD, (old, [*old, ON_DEMAND]), facts)
    if constraint.operator == "In" and 0 < len(added) <= NEW_VALUES:
        facts = {"key": key, "old": ", ".join(constraint.values), "new": tuple(added)}
        return made("widen-node-selector", constraint, Change.ADD, (old, [*old, *added]), facts)
    return made("drop-affinity", constraint, Change.REMOVE, (old, None), {"key": key, "old": constraint.value})


def _toleration(opening: Opening, constraint: Constraint) -> Part | None:
    key, effect = constraint.subject, constraint.operator
    value = constraint.values[0] if constraint.values else ""
    new: dict[str, Json] = {"key": key, "operator": "Equal" if value else "Exists", "effect": effect}
    if value:
        new["value"] = value
    taint = f"{key}={value}:{effect}" if value else f"{key}:{effect}"
    facts: dict[str, Fact] = {"taint": taint, "nodepool": opening.partition.template.name}
    return made("add-toleration", constraint, Change.ADD, (None, new), facts)


def _pool_requirement(opening: Opening, constraint: Constraint) -> Part | None:
    """The values that the pod names or the opened offerings have; with many of them, the requirement goes."""
    key, name, old = constraint.subject, constraint.nodepool, list[Json](constraint.values)
    asks = _asks(opening, key)
    if not decided_by_rows(opening.partition.space, key):
        return _pool_label_requirement(constraint, asks)
    added = [v for v in opening.values(key) if v not in constraint.values]
    asked = [v for r in asks if not r.complement for v in sorted(r.values) if v not in constraint.values]
    added = [v for v in added if v in asked] or (asked if asked and not added else added)
    added = _zones_meant(opening, constraint) or added
    if constraint.operator == "In" and 0 < len(added) <= NEW_VALUES:
        facts: dict[str, Fact] = {"nodepool": name, "key": key, "old": constraint.values, "new": tuple(added)}
        return made("add-requirement-value", constraint, Change.ADD, (old, [*old, *added]), facts)
    return dropped_requirement(constraint)


def _pool_label_requirement(constraint: Constraint, asks: Sequence[Requirement]) -> Part | None:
    """A requirement on a label of the NodePool's own: without it, the label would not be defined at all."""
    if all(r.operator in ("NotIn", "DoesNotExist") for r in asks):
        return dropped_requirement(constraint)
    value = _common_value(asks)
    if constraint.operator != "In" or value is None:
        return None
    facts: dict[str, Fact] = {
        "nodepool": constraint.nodepool,
        "key": constraint.subject,
        "old": constraint.values,
        "new": (value,),
    }
    old = list[Json](constraint.values)
    return made("add-requirement-value", constraint, Change.ADD, (old, [*old, value]), facts)


def _asks(opening: Opening, key: str) -> list[Requirement]:
    """What the pod still asks of a label."""
    asks = opening.partition.variant.asks
    relaxed = {c.field for c in opening.relaxed}
    return [a.requirement for a in asks if a.requirement.key == key and a.field not in relaxed]


def _common_value(asks: Sequence[Requirement]) -> str | None:
    """A value that all of these accept."""
    named = (value for r in asks for value in sorted(r.values) if not r.complement)
    edges = (str(edge) for r in asks for edge in (r.gte, r.lte) if edge is not None)
    return next((v for v in (*named, *edges, "true") if all(v in r for r in asks)), None)


def dropped_requirement(constraint: Constraint) -> Part:
    """The NodePool's requirement taken away."""
    facts: dict[str, Fact] = {"nodepool": constraint.nodepool, "key": constraint.subject}
    return made("drop-requirement", constraint, Change.REMOVE, (list[Json](constraint.values), None), facts)


def _pool_undefined(opening: Opening, constraint: Constraint) -> Part | None:
    value = _common_value(_asks(opening, constraint.subject))
    if value is None:
        return None
    facts: dict[str, Fact] = {"nodepool": constraint.nodepool, "key": constraint.subject, "value": value}
    return made("add-nodepool-label", constraint, Change.ADD, (None, value), facts)


def changed_label(opening: Opening, constraint: Constraint) -> Part | None:
    """A label of the NodePool's nodes with the value that the pod asks for, or taken away where the pod wants none.

    Not among the ways to relax a constraint, for other pods may ask for the old value: where nothing else helps.
    """
    key, asks = constraint.subject, _asks(opening, constraint.subject)
    by_rows = decided_by_rows(opening.partition.space, key)
    avoiding = all(r.operator in ("NotIn", "DoesNotExist") for r in asks)
    value = None if by_rows or avoiding else _common_value(asks)
    old = constraint.values[0] if constraint.values else ""
    if value == old or (value is None and not (by_rows or avoiding)):
        return None
    facts: dict[str, Fact] = {"nodepool": constraint.nodepool, "key": key, "old": old, "value": value or ""}
    return made("change-nodepool-label", constraint, Change.SET if value else Change.REMOVE, (old, value), facts)


def _limit(opening: Opening, constraint: Constraint) -> Part | None:
    one = Quantity.of(1)
    capacity = (
        one if constraint.subject == "nodes" else t.capacity.get(constraint.subject, ZERO) for t in opening.types
    )
    return limit_part(opening, constraint, min(capacity, default=one))


def limit_part(opening: Opening, constraint: Constraint, needed: Quantity) -> Part:
    """The limit raised to what is used plus what is needed."""
    resource, template = constraint.subject, opening.partition.template
    limit = template.pool.spec.limits[resource]
    used = limit - (template.remaining or {}).get(resource, ZERO)
    new = used + needed
    facts: dict[str, Fact] = {"nodepool": template.name, "resource": resource, "old": str(limit), "new": str(new)}
    return made("raise-limit", constraint, Change.SET, (str(limit), str(new)), facts)


def _min_values(opening: Opening, constraint: Constraint) -> Part | None:
    """minValues lowered to what the opened offerings have."""
    floor = next(f for f in opening.partition.floors if f.constraint == constraint)
    have = len(floor.values(opening.partition.space, opening.rows, opening.relaxed))
    if not have:  # no type has the label at all: then nothing but the whole requirement can go
        where = constraint.field.removesuffix(".minValues")
        return dropped_requirement(replace(constraint, field=where, values=floor.wanted))
    facts: dict[str, Fact] = {"nodepool": constraint.nodepool, "key": floor.key, "old": floor.needed, "new": have}
    return made("lower-min-values", constraint, Change.SET, (floor.needed, have), facts)


def _spread(_opening: Opening, constraint: Constraint) -> Part | None:
    facts: dict[str, Fact] = {"key": constraint.subject, "field": constraint.field}
    return made("relax-topology-spread", constraint, Change.SET, ("DoNotSchedule", "ScheduleAnyway"), facts)


def _pod_affinity(_opening: Opening, constraint: Constraint) -> Part | None:
    facts: dict[str, Fact] = {"key": constraint.subject, "field": constraint.field}
    return made("drop-pod-affinity", constraint, Change.REMOVE, (constraint.value, None), facts)


def _host_port(_opening: Opening, constraint: Constraint) -> Part | None:
    port, _, protocol = constraint.subject.partition("/")
    facts: dict[str, Fact] = {"port": int(port), "protocol": protocol, "daemonset": ", ".join(constraint.values)}
    return made("drop-host-port", constraint, Change.REMOVE, (int(port), None), facts)


_BUILDERS: Final[dict[Kind, Callable[[Opening, Constraint], Part | None]]] = {
    Kind.RESOURCE: _resource,
    Kind.NODE_SELECTOR: _selector,
    Kind.NODE_AFFINITY: _affinity,
    Kind.TOLERATIONS: _toleration,
    Kind.POOL_REQUIREMENT: _pool_requirement,
    Kind.POOL_UNDEFINED: _pool_undefined,
    Kind.POOL_LIMIT: _limit,
    Kind.POOL_MIN_VALUES: _min_values,
    Kind.TOPOLOGY_SPREAD: _spread,
    Kind.POD_AFFINITY: _pod_affinity,
    Kind.HOST_PORT: _host_port,
}
