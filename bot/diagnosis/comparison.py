"""What a remedy opens beside what was asked for: other GPUs, another price. Nothing is traded without being said.

What was asked for are the types and ways to buy that the pod's own selectors and affinity name, narrowed by the NodePool's
requirements and the pod's requests as far as these leave something; where the pod names no types, the NodePool's are meant.
"""

from collections.abc import Iterable
from typing import Final

from bot.diagnosis.edits import Opening
from bot.diagnosis.filters import Filter
from bot.diagnosis.indexes import Types, bits
from bot.diagnosis.space import Rows, Space
from bot.model.diagnosis import Cheapest, Compared, Kind
from bot.model.labels import AUTO_MODE_DOMAIN, AWS_DOMAIN, CAPACITY_TYPE, GPU_RESOURCES, NEURON_RESOURCES
from bot.model.quantities import Quantity
from bot.model.world import InstanceType, Unavailable

_DEVICES: Final = frozenset((*GPU_RESOURCES, *NEURON_RESOURCES))
_NAMES: Final = tuple(
    f"{domain}/instance-{device}-name" for domain in (AWS_DOMAIN, AUTO_MODE_DOMAIN) for device in ("gpu", "accelerator")
)
_OF_POD: Final = frozenset({Kind.NODE_SELECTOR, Kind.NODE_AFFINITY})
_OF_POOL: Final = frozenset({Kind.POOL_REQUIREMENT, Kind.POOL_LABEL})
_NO_CHANGE: Final[tuple[tuple[str, ...], tuple[str, ...]]] = ((), ())
_CENT: Final = 0.005
_SHARE: Final = 0.01
"""Differences below half a cent or below this share of the price are none."""
_UNSOLD: Final = (Unavailable.NOT_OFFERED, Unavailable.NOT_SOLD)


def gpu_change(opening: Opening) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The GPUs (or accelerators) that were meant, and those of opened types that have others; nothing where none has."""
    space = opening.partition.space
    named = _types(space, (f for f in _label_filters(opening, _OF_POD) if _about_types(space, f)))
    pinned = named != space.all_types and all(gpus_of(space.types[i]) for i in bits(named))
    if not (pinned or _asks_for_devices(opening)):
        return _NO_CHANGE
    meant = _narrowed_types(space, named, (f for f in _label_filters(opening, _OF_POOL) if _about_types(space, f)))
    before = _spelled_out(opening) or _gpus(space.types[i] for i in bits(meant))
    others = [t for t in opening.types if not gpus_of(t) <= before or not gpus_of(t)]
    if not before or not others:
        return _NO_CHANGE
    return tuple(sorted(before)), tuple(sorted(_gpus(others) - before))


def _spelled_out(opening: Opening) -> frozenset[str]:
    """GPUs that the pod names by name, be it by a label that nodes do not have here."""
    asks = (ask.requirement for ask in opening.partition.variant.asks)
    return frozenset(value for r in asks if r.key in _NAMES and not r.complement for value in r.values)


def gpus_of(instance_type: InstanceType) -> frozenset[str]:
    """The names of a type's GPUs or accelerators; none where it has none, or several kinds at once."""
    return frozenset(name for key in _NAMES for name in instance_type.labels.get(key, ()))


def compared(opening: Opening, best: Cheapest | None) -> Compared | None:
    """The cheapest of what was asked for, where it is another type or another way to buy, and both prices are known."""
    rows = _asked_for(opening) if best is not None else 0
    found = opening.partition.space.cheapest(rows) if rows else None
    if best is None or best.price_per_hour is None or found is None or found[1].price is None:
        return None
    instance_type, offering = found
    difference = best.price_per_hour - found[1].price
    same = (instance_type.name, offering.capacity_type) == (best.instance_type, best.capacity_type)
    if same or abs(difference) < max(_CENT, _SHARE * found[1].price):
        return None
    return Compared(
        instance_type=instance_type.name,
        capacity_type=offering.capacity_type,
        price_per_hour=found[1].price,
        difference=round(difference, 6),
        zone=offering.zone,
    )


def _asked_for(opening: Opening) -> Rows:
    space = opening.partition.space
    asks = _label_filters(opening, _OF_POD)
    sold = space.rows
    for reason in _UNSOLD:
        sold &= ~space.reasons.get(reason, 0)
    if any(_about_types(space, f) for f in asks):
        rows = sold
    elif before := gpu_change(opening)[0]:
        meant = sum(1 << i for i, t in enumerate(space.types) if gpus_of(t) & set(before))
        rows = space.rows_of_types(meant) & sold
    elif any(f.constraint.subject == CAPACITY_TYPE for f in asks):
        rows = space.rows_of_types(space.types_of_rows(opening.rows)) & sold
    else:
        return 0
    for one in (f for f in asks if _about_types(space, f)):
        rows &= one.rows
    places = [f for f in asks if not _about_types(space, f)]
    resources = [f for f in opening.partition.filters if f.constraint.kind is Kind.RESOURCE]
    for one in (*places, *_label_filters(opening, _OF_POOL), *resources):
        rows = rows & one.rows or rows
    return rows


def _label_filters(opening: Opening, kinds: frozenset[Kind]) -> list[Filter]:
    return [f for f in opening.partition.filters if f.constraint.kind in kinds]


def _about_types(space: Space, one: Filter) -> bool:
    return one.constraint.subject not in space.slot_keys


def _asks_for_devices(opening: Opening) -> bool:
    asked = (f.constraint for f in opening.partition.filters if f.constraint.kind is Kind.RESOURCE)
    return any(c.subject in _DEVICES and Quantity.parse(c.values[0]) for c in asked)


def _types(space: Space, filters: Iterable[Filter]) -> Types:
    rows = space.rows
    for one in filters:
        rows &= one.rows
    return space.types_of_rows(rows)


def _narrowed_types(space: Space, types: Types, filters: Iterable[Filter]) -> Types:
    """The types that pass these filters too, as long as any of those with GPUs does."""
    for one in filters:
        left = types & space.types_of_rows(one.rows)
        if any(gpus_of(space.types[i]) for i in bits(left)):
            types = left
    return types


def _gpus(types: Iterable[InstanceType]) -> frozenset[str]:
    return frozenset(name for one in types for name in gpus_of(one))
