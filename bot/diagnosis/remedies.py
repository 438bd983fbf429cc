"""From minimal corrections to Remedies: the edits that relax exactly those constraints, what they open, in which order.

A correction whose constraints nobody can edit (what EC2 offers, what it refused) is no remedy. The order is a table: what a
senior engineer would try first has the smaller number.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import product
from typing import Final

from bot.diagnosis.conflicts import Correction, Solved
from bot.diagnosis.constraints import Partition
from bot.diagnosis.requirements import Requirement
from bot.diagnosis.space import Rows, bits
from bot.model.diagnosis import Change, Cheapest, Constraint, Edit, Editor, Fact, Json, Kind, Opens, Remedy
from bot.model.ec2 import Ec2Facts
from bot.model.labels import CAPACITY_TYPE, EFA, GPU_RESOURCES, INSTANCE_TYPE, ON_DEMAND, SPOT, ZONE
from bot.model.quantities import ZERO, Quantity
from bot.model.world import InstanceType, Offering

MOST_EDITS: Final = 3
"""A remedy that needs more edits at once is not the smallest safe patch any more."""
NEW_VALUES: Final = 3
"""How many values a widened requirement gets; with more, dropping it says the same in fewer words."""
_DEVICES: Final = (*GPU_RESOURCES, EFA, "aws.amazon.com/neuron", "aws.amazon.com/neuroncore")
_GPU_NAME: Final = "karpenter.k8s.aws/instance-gpu-name"

RANK: Final = {
    "reduce-resource": 0,
    "add-toleration": 10,
    "change-node-selector": 20,
    "allow-capacity-type": 20,
    "widen-node-selector": 30,
    "drop-node-selector": 40,
    "drop-affinity": 45,
    "relax-topology-spread": 50,
    "drop-resource": 55,
    "drop-pod-affinity": 60,
    "add-requirement-value": 100,
    "raise-limit": 110,
    "lower-min-values": 120,
    "add-nodepool-label": 130,
    "drop-requirement": 140,
}
"""Smaller is tried first: fix a count, tolerate, widen a pin, drop one, and only then change what others share."""
PIN_RANK: Final = {ZONE: 0, CAPACITY_TYPE: 1, INSTANCE_TYPE: 4}
"""Among pins: a zone is given up before a capacity type, both before the instance type."""
GPU_CHANGES: Final = 80
"""Added when the remedy leads to other GPUs than the pod asked for: never first, always said."""


@dataclass(frozen=True, slots=True)
class _Opening:
    """A correction with the offerings it opens, narrowed to those that its edits choose."""

    partition: Partition
    correction: Correction
    rows: Rows

    @property
    def types(self) -> list[InstanceType]:
        space = self.partition.space
        return [space.types[i] for i in bits(space.types_of_rows(self.rows))]

    def values(self, key: str) -> tuple[str, ...]:
        """The values of a label among the opened offerings."""
        space = self.partition.space
        if key in space.slot_keys:
            found = {o.labels.get(key) for _, o in space.offerings(self.rows)}
            return tuple(sorted(v for v in found if v))
        return tuple(sorted({v for t in self.types for v in t.labels.get(key, ())}))


def remedies(solved: Solved, most_edits: int = MOST_EDITS) -> Iterator[Remedy]:
    """Every remedy of at most so many edits for one NodePool and OR-term, unordered and with undated prices."""
    for correction in solved.corrections:
        if len(correction.constraints) > most_edits:
            continue
        chosen = _choose(_Opening(solved.partition, correction, correction.rows))
        choices = [_edits(chosen, c) for c in sorted(correction.constraints, key=lambda c: c.id)]
        if choices and chosen.rows:
            for parts in product(*choices):
                yield _remedy(chosen, parts)


def _choose(opening: _Opening) -> _Opening:
    """Where resources are reduced: keep the offerings that need the smallest reduction of all of them."""
    resources = [c for c in opening.correction.constraints if c.kind is Kind.RESOURCE]
    if not resources:
        return opening
    space = opening.partition.space
    left = {t.name: [_left(opening, t, c.subject) for c in resources] for t in opening.types}
    wanted = [Quantity.parse(c.values[0]) for c in resources]
    best = max(left.values(), key=lambda have: min(h.nano / max(w.nano, 1) for h, w in zip(have, wanted, strict=True)))
    chosen = sum(
        1 << space.position[n] for n, have in left.items() if all(b <= h for b, h in zip(best, have, strict=True))
    )
    return _Opening(opening.partition, opening.correction, opening.rows & space.rows_of_types(chosen))


def _left(opening: _Opening, instance_type: InstanceType, resource: str) -> Quantity:
    """What a type has for the pod: allocatable minus daemons, never below nothing."""
    template = opening.partition.template
    position = template.space.position[instance_type.name]
    overhead = next((g.overhead for g in template.daemons if g.types >> position & 1), {})
    return max(instance_type.allocatable.get(resource, ZERO) - overhead.get(resource, ZERO), ZERO)


Part = tuple[str, Edit, dict[str, Fact]]


def _edits(opening: _Opening, constraint: Constraint) -> tuple[Part, ...]:
    """The edits that relax one constraint just so far that chosen offerings pass; none when nobody can edit it."""
    if constraint.editor in (Editor.AWS, Editor.NOBODY):
        return ()
    build = _BUILDERS.get(constraint.kind)
    part = build(opening, constraint) if build else None
    corrected = _correction(opening, constraint)
    return tuple(p for p in (corrected, part) if p is not None)


def _correction(opening: _Opening, constraint: Constraint) -> Part | None:
    """A value that EC2 does not know, corrected to the one that it was probably meant to be."""
    known = opening.partition.space.axis(constraint.subject).having
    wrong = constraint.kind is Kind.NODE_SELECTOR and constraint.subject == INSTANCE_TYPE
    if not wrong or not constraint.values or constraint.values[0] in known:
        return None
    near = get_close_matches(constraint.values[0], opening.values(INSTANCE_TYPE), n=1, cutoff=0.8)
    if not near:
        return None
    old = constraint.values[0]
    facts: dict[str, Fact] = {"key": constraint.subject, "old": old, "new": near[0]}
    return _made("change-node-selector", constraint, Change.SET, (old, near[0]), facts)


def _made(
    remedy: str, constraint: Constraint, change: Change, values: tuple[Json, Json], facts: dict[str, Fact]
) -> Part:
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
    return remedy, edit, facts


def _resource(opening: _Opening, constraint: Constraint) -> Part | None:
    resource, old = constraint.subject, Quantity.parse(constraint.values[0])
    new = min((_left(opening, t, resource) for t in opening.types), default=ZERO)
    if not new and resource != EFA:
        return None  # a training pod without its GPUs is another pod; without EFA it still trains, only slower
    if resource in _DEVICES:
        new = Quantity.of(new.nano // 10**9)
    keeps = tuple(
        c.values[0] if len(c.values) == 1 else c.value
        for c in (f.constraint for f in opening.partition.filters)
        if c.kind in (Kind.NODE_SELECTOR, Kind.NODE_AFFINITY) and c.subject in (INSTANCE_TYPE, ZONE)
    )
    facts: dict[str, Fact] = {"resource": resource, "old": str(old), "new": str(new), "keeps": keeps}
    if not new:
        return _made("drop-resource", constraint, Change.REMOVE, (str(old), None), facts)
    return _made("reduce-resource", constraint, Change.SET, (str(old), str(new)), facts)


def _selector(opening: _Opening, constraint: Constraint) -> Part | None:
    key, old = constraint.subject, constraint.values[0] if constraint.values else ""
    if key == CAPACITY_TYPE and ON_DEMAND in opening.values(key):
        facts: dict[str, Fact] = {"key": key, "old": old, "new": ON_DEMAND, "where": "pod"}
        return _made("allow-capacity-type", constraint, Change.SET, (old, ON_DEMAND), facts)
    return _made("drop-node-selector", constraint, Change.REMOVE, (old, None), {"key": key, "old": old})


def _affinity(opening: _Opening, constraint: Constraint) -> Part | None:
    key, old = constraint.subject, list[Json](constraint.values)
    added = [v for v in opening.values(key) if v not in constraint.values]
    if key == CAPACITY_TYPE and constraint.operator == "In" and ON_DEMAND in added:
        facts: dict[str, Fact] = {"key": key, "old": ", ".join(constraint.values), "new": ON_DEMAND, "where": "pod"}
        return _made("allow-capacity-type", constraint, Change.ADD, (old, [*old, ON_DEMAND]), facts)
    if constraint.operator == "In" and 0 < len(added) <= NEW_VALUES:
        facts = {"key": key, "old": ", ".join(constraint.values), "new": tuple(added)}
        return _made("widen-node-selector", constraint, Change.ADD, (old, [*old, *added]), facts)
    return _made("drop-affinity", constraint, Change.REMOVE, (old, None), {"key": key, "old": constraint.value})


def _toleration(opening: _Opening, constraint: Constraint) -> Part | None:
    key, effect = constraint.subject, constraint.operator
    value = constraint.values[0] if constraint.values else ""
    new: dict[str, Json] = {"key": key, "operator": "Equal" if value else "Exists", "effect": effect}
    if value:
        new["value"] = value
    taint = f"{key}={value}:{effect}" if value else f"{key}:{effect}"
    return _made(
        "add-toleration",
        constraint,
        Change.ADD,
        (None, new),
        {"taint": taint, "nodepool": opening.partition.template.name},
    )


def _pool_requirement(opening: _Opening, constraint: Constraint) -> Part | None:
    key, old = constraint.subject, list[Json](constraint.values)
    added = [v for v in opening.values(key) if v not in constraint.values]
    pod_asks = [a.requirement for a in opening.partition.variant.asks if a.requirement.key == key]
    asked = [v for r in pod_asks if not r.complement for v in sorted(r.values) if v not in constraint.values]
    added = [v for v in added if v in asked] or (asked if asked and not added else added)
    name = constraint.nodepool
    if constraint.operator == "In" and 0 < len(added) <= NEW_VALUES:
        facts: dict[str, Fact] = {"nodepool": name, "key": key, "old": constraint.values, "new": tuple(added)}
        return _made("add-requirement-value", constraint, Change.ADD, (old, [*old, *added]), facts)
    return _made("drop-requirement", constraint, Change.REMOVE, (old, None), {"nodepool": name, "key": key})


def _pool_undefined(opening: _Opening, constraint: Constraint) -> Part | None:
    asks = [a.requirement for a in opening.partition.variant.asks if a.requirement.key == constraint.subject]
    value = next((sorted(r.values)[0] for r in asks if not r.complement and r.values), None)
    if value is None:
        return None
    facts: dict[str, Fact] = {"nodepool": constraint.nodepool, "key": constraint.subject, "value": value}
    return _made("add-nodepool-label", constraint, Change.ADD, (None, value), facts)


def _limit(opening: _Opening, constraint: Constraint) -> Part | None:
    resource, template = constraint.subject, opening.partition.template
    limit = template.pool.spec.limits[resource]
    used = limit - (template.remaining or {}).get(resource, ZERO)
    one = Quantity.of(1)
    needed = min((one if resource == "nodes" else t.capacity.get(resource, ZERO) for t in opening.types), default=one)
    new = used + needed
    facts: dict[str, Fact] = {"nodepool": template.name, "resource": resource, "old": str(limit), "new": str(new)}
    return _made("raise-limit", constraint, Change.SET, (str(limit), str(new)), facts)


def _spread(_opening: _Opening, constraint: Constraint) -> Part | None:
    facts: dict[str, Fact] = {"key": constraint.subject, "field": constraint.field}
    values: tuple[Json, Json] = ("DoNotSchedule", "ScheduleAnyway")
    return _made("relax-topology-spread", constraint, Change.SET, values, facts)


def _pod_affinity(_opening: _Opening, constraint: Constraint) -> Part | None:
    facts: dict[str, Fact] = {"key": constraint.subject, "field": constraint.field}
    return _made("drop-pod-affinity", constraint, Change.REMOVE, (constraint.value, None), facts)


_BUILDERS: Final[dict[Kind, Callable[[_Opening, Constraint], Part | None]]] = {
    Kind.RESOURCE: _resource,
    Kind.NODE_SELECTOR: _selector,
    Kind.NODE_AFFINITY: _affinity,
    Kind.TOLERATIONS: _toleration,
    Kind.POOL_REQUIREMENT: _pool_requirement,
    Kind.POOL_UNDEFINED: _pool_undefined,
    Kind.POOL_LIMIT: _limit,
    Kind.TOPOLOGY_SPREAD: _spread,
    Kind.POD_AFFINITY: _pod_affinity,
}


def _remedy(opening: _Opening, parts: Sequence[Part]) -> Remedy:
    opening = _narrowed(opening, parts)
    ids = tuple(remedy for remedy, _, _ in parts)
    facts = parts[0][2] if len(parts) == 1 else {"parts": ids, "part_facts": None}
    edits = tuple(edit for _, edit, _ in parts)
    return Remedy(
        id=ids[0] if len(ids) == 1 else "combined",
        relaxes=tuple(sorted(opening.correction.constraints, key=lambda c: c.id)),
        edits=edits,
        opens=opens(opening),
        nodepool=opening.partition.template.name,
        facts={k: v for k, v in facts.items() if k != "part_facts"},
        parts=tuple((remedy, facts) for remedy, _, facts in parts),
        cautions=tuple(_cautions(opening, ids)),
    )


def _narrowed(opening: _Opening, parts: Sequence[Part]) -> _Opening:
    """Where an edit sets a label to one value, only offerings with that value are opened."""
    space, rows = opening.partition.space, opening.rows
    for _, edit, _ in parts:
        if edit.constraint.kind is Kind.NODE_SELECTOR and edit.change is Change.SET:
            rows &= space.rows_meeting(Requirement.of(edit.subject, "In", (str(edit.new),)))
    return _Opening(opening.partition, opening.correction, rows)


def _cautions(opening: _Opening, ids: Sequence[str]) -> Iterator[str]:
    if gpu_changes(opening.types, opening.partition):
        yield "other-gpu"
    if any(RANK.get(i, 0) >= RANK["add-requirement-value"] for i in ids):
        yield "shared-nodepool"


def gpu_changes(types: Iterable[InstanceType], partition: Partition) -> bool:
    """Whether the pod named an instance type and the opened types have other GPUs than that one."""
    pinned = {
        v
        for f in partition.filters
        if f.constraint.subject == INSTANCE_TYPE and f.constraint.kind in (Kind.NODE_SELECTOR, Kind.NODE_AFFINITY)
        for v in f.constraint.values
    }
    known = partition.space.position
    before = {partition.space.types[known[n]].labels.get(_GPU_NAME) for n in pinned if n in known}
    return bool(before) and any(t.labels.get(_GPU_NAME) not in before for t in types)


def opens(opening: _Opening) -> Opens:
    """The launchable offerings that a remedy gives: how many, of which types, where, and the cheapest."""
    found = [(t, o) for t, o in opening.partition.space.offerings(opening.rows)]
    return Opens(
        offerings=len(found),
        instance_types=tuple(sorted({t.name for t, _ in found})),
        zones=tuple(sorted({o.zone for _, o in found})),
        cheapest=cheapest(found),
    )


def cheapest(found: Sequence[tuple[InstanceType, Offering]]) -> Cheapest | None:
    """The cheapest offering with a price; without any price, the first by name, its price None."""
    if not found:
        return None
    unknown = float("inf")
    instance_type, offering = min(
        found, key=lambda one: (one[1].price if one[1].price is not None else unknown, one[0].name, one[1].zone)
    )
    return Cheapest(
        instance_type=instance_type.name,
        zone=offering.zone,
        capacity_type=offering.capacity_type,
        price_per_hour=offering.price,
    )


def dated(remedy: Remedy, ec2: Ec2Facts) -> Remedy:
    """The remedy with the on-demand price beside its cheapest offering, and the moment that the price is from."""
    best = remedy.opens.cheapest
    if best is None:
        return remedy
    on_demand = next((p for p in ec2.on_demand_prices or () if p.instance_type == best.instance_type), None)
    of_zone = (best.instance_type, best.zone)
    spot = (p.timestamp for p in ec2.spot_prices or () if (p.instance_type, p.availability_zone) == of_zone)
    newest = max((t for t in spot if t), default=None)
    effective = on_demand.effective if on_demand else ""
    as_of = newest.isoformat() if best.capacity_type == SPOT and newest else effective
    priced = replace(
        best,
        on_demand_price_per_hour=on_demand.price_per_hour if on_demand else None,
        as_of=as_of if best.price_per_hour is not None else "",
    )
    return replace(remedy, opens=replace(remedy.opens, cheapest=priced))


def rank(remedy: Remedy) -> tuple[float, ...]:
    """The order in which remedies are offered: the table, then what opens more, then what costs less."""
    score = sum(
        RANK.get(name, 200) + PIN_RANK.get(edit.subject, 2)
        for (name, _), edit in zip(remedy.parts, remedy.edits, strict=True)
    )
    score += 60 * (len(remedy.edits) - 1) + (GPU_CHANGES if "other-gpu" in remedy.cautions else 0)
    price = remedy.opens.cheapest.price_per_hour if remedy.opens.cheapest else None
    return (score, -remedy.opens.offerings, price if price is not None else float("inf"))
