"""The offering space: instance types × slots (zone × capacity type × reservation), each set of them one integer.

Bit `slot * len(types) + type` stands for one offering. A set of types is an integer too, and spreads over all slots by
one multiplication; so every filter, verdict and what-if is a few ANDs, however many offerings a region has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Final
from weakref import WeakKeyDictionary

from bot.diagnosis.indexes import Axis, Ladder, Memo, Types, bits
from bot.diagnosis.requirements import Requirement, Requirements
from bot.model.labels import WELL_KNOWN, ZONE_ID
from bot.model.quantities import ZERO, Quantity, Resources
from bot.model.world import Catalogue, InstanceType, Offering, Refused, Unavailable

Rows = int
"""A set of offerings: bit s*n+i is type i in slot s."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One way to buy: the labels an offering decides. `requirements` are those labels as Karpenter compares them."""

    zone: str
    capacity_type: str
    reservation_id: str
    requirements: Requirements


@dataclass(frozen=True, eq=False)
class Space:
    """An indexed Catalogue. `offered[s]`: the types that have an offering in slot s; `available[s]`: launchable ones.

    `full[s]` are the types whose capacity reservation in that slot has no room (of no meaning in other slots).
    """

    types: tuple[InstanceType, ...]
    slots: tuple[Slot, ...]
    offered: tuple[Types, ...]
    available: tuple[Types, ...]
    full: tuple[Types, ...]
    reasons: Mapping[Unavailable, Rows]
    _offerings: tuple[Mapping[int, Offering], ...]
    _axes: dict[str, Axis]
    _ladders: dict[str, Ladder]
    _capacities: dict[str, Ladder]
    _amounts: dict[str, tuple[int, ...]]
    _by_price: dict[int, tuple[int, ...]]
    _slots_met: dict[Requirement, int]
    _memo: Memo

    @cached_property
    def all_types(self) -> Types:
        return (1 << len(self.types)) - 1

    @cached_property
    def spread(self) -> int:
        """What a set of types is multiplied with to become that set in every slot."""
        return sum(1 << s * len(self.types) for s in range(len(self.slots)))

    @cached_property
    def rows(self) -> Rows:
        """Every offering that exists, available or not."""
        return self._joined(self.offered)

    @cached_property
    def available_rows(self) -> Rows:
        return self._joined(self.available)

    @cached_property
    def zone_names(self) -> Mapping[str, str]:
        """Zone id to the account's zone name, of zones whose subnets tell both."""
        ids = ((slot.requirements.get(ZONE_ID), slot.zone) for slot in self.slots)
        return {value: zone for known, zone in ids if known is not None for value in known.values}

    @cached_property
    def healthy(self) -> Types:
        """Types without a negative allocatable: any other never fits (pkg/utils/resources/resources.go, Fits)."""
        return sum(1 << i for i, t in enumerate(self.types) if all(a.nano >= 0 for a in t.allocatable.values()))

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Type name to its bit."""
        return {t.name: i for i, t in enumerate(self.types)}

    @cached_property
    def _by_name(self) -> tuple[int, ...]:
        return tuple(sorted(range(len(self.types)), key=lambda i: self.types[i].name))

    @cached_property
    def slot_keys(self) -> frozenset[str]:
        """The labels that offerings decide."""
        return frozenset(key for slot in self.slots for key in slot.requirements)

    @cached_property
    def several_valued(self) -> frozenset[str]:
        """Labels of which a type has several values at once without its offerings deciding (tenancy)."""
        keys = {key for t in self.types for key, values in t.labels.items() if len(values) > 1}
        return frozenset(keys - self.slot_keys)

    @cached_property
    def defined(self) -> frozenset[str]:
        """The labels that every type defines, or every offering decides."""
        keys = [frozenset(t.labels) for t in self.types]
        return (frozenset.intersection(*keys) if keys else frozenset()) | self.slot_keys

    def _joined(self, by_slot: Sequence[Types]) -> Rows:
        return sum(types << s * len(self.types) for s, types in enumerate(by_slot))

    def axis(self, key: str) -> Axis:
        """The index of one label, built when first asked for."""
        if key not in self._axes:
            self._axes[key] = Axis(self.types, key)
        return self._axes[key]

    def types_meeting(self, requirements: Requirements) -> Types:
        """Types with no conflict (instanceType.Requirements.Intersects)."""
        met = self.all_types
        for key, requirement in requirements.items():
            met &= self.axis(key).meeting(requirement)
        return met

    def types_fitting(self, requests: Resources) -> Types:
        """Types whose allocatable covers the requests (resources.go, Fits)."""
        fitting = self.healthy
        for resource, amount in requests.items():
            fitting &= self.types_having(resource, amount)
        return fitting

    def types_having(self, resource: str, amount: Quantity) -> Types:
        """Types with that much allocatable of one resource; every type has nothing of anything."""
        if amount.nano <= 0:
            return self.all_types
        return self._ladder(resource).at_least(amount.nano)

    def _ladder(self, resource: str) -> Ladder:
        if resource not in self._ladders:
            self._ladders[resource] = Ladder((t.allocatable for t in self.types), resource)
        return self._ladders[resource]

    def most(self, resource: str, types: Types) -> tuple[Quantity, InstanceType | None]:
        """The most that any of these types has allocatable of a resource, and the last by name of those that have it."""
        return self._memo.of((resource, types), lambda: self._most(resource, types))

    def _most(self, resource: str, types: Types) -> tuple[Quantity, InstanceType | None]:
        ladder = self._ladder(resource)
        nano, having = ladder.most(types)
        if nano <= 0:  # those that lack the resource have nothing of it
            lacking = types & ~ladder.having
            having = lacking if lacking and nano else lacking | having
        best = max((self.types[i] for i in bits(having)), key=lambda t: t.name, default=None)
        return (best.allocatable.get(resource, ZERO) if best else ZERO), best

    def names(self, types: Types, most: int) -> tuple[str, ...]:
        """The first so many names of these types, by name."""
        return self._memo.of((types, most), lambda: tuple(islice(self._named(types), most)))

    def _named(self, types: Types) -> Iterator[str]:
        return (self.types[position].name for position in self._by_name if types >> position & 1)

    def types_within(self, resource: str, most: Quantity) -> Types:
        """Types whose whole capacity of one resource is no more than that; one that lacks it has nothing of it."""
        if resource not in self._capacities:
            self._capacities[resource] = Ladder((t.capacity for t in self.types), resource)
        capacity = self._capacities[resource]
        return (self.all_types if most.nano >= 0 else capacity.having) & ~capacity.at_least(most.nano + 1)

    def values(self, key: str) -> frozenset[str]:
        """Every value that some offering has of a label."""
        of_slots = (slot.requirements.get(key) for slot in self.slots)
        named = frozenset(value for r in of_slots if r is not None for value in r.values)
        return named if key in self.slot_keys else frozenset(self.axis(key).having)

    def amounts(self, resource: str) -> tuple[int, ...]:
        """The allocatable nano-units of one resource, type by type."""
        if resource not in self._amounts:
            self._amounts[resource] = tuple(t.allocatable.get(resource, ZERO).nano for t in self.types)
        return self._amounts[resource]

    def cheapest(self, rows: Rows) -> tuple[InstanceType, Offering] | None:
        """Of some rows the one with the lowest price; without any price, the first by name and zone."""
        return self._memo.of(("cheapest", rows), lambda: self._cheapest(rows))

    def _cheapest(self, rows: Rows) -> tuple[InstanceType, Offering] | None:
        best: tuple[tuple[float, str, str], InstanceType, Offering] | None = None
        for s in self.slots_of_rows(rows):
            types = rows >> s * len(self.types) & self.all_types
            first = next(i for i in self._priced(s) if types >> i & 1)
            offering = self._offerings[s][first]
            order = (_price(offering), self.types[first].name, offering.zone)
            if best is None or order < best[0]:
                best = order, self.types[first], offering
        return best[1:] if best else None

    def _priced(self, slot: int) -> tuple[int, ...]:
        """The types of one slot, the cheapest first."""
        if slot not in self._by_price:
            of_slot = self._offerings[slot]
            self._by_price[slot] = tuple(sorted(of_slot, key=lambda i: (_price(of_slot[i]), self.types[i].name)))
        return self._by_price[slot]

    def slots_meeting(self, requirements: Requirements) -> tuple[int, ...]:
        """Slots that Karpenter finds compatible (offering.Requirements against the NodeClaim's)."""
        left = self._slots_undefined(requirements)
        for key in self.slot_keys:
            requirement = requirements.get(key)
            if requirement is not None:
                left &= self._slots_of(requirement)
        return tuple(bits(left))

    def _slots_undefined(self, requirements: Requirements) -> int:
        """All slots but those with a label that the requirements lack and that is not well-known."""
        lacking = self.slot_keys - WELL_KNOWN - requirements.keys()
        every = (1 << len(self.slots)) - 1
        return every & ~sum(
            1 << s
            for s, slot in enumerate(self.slots)
            if lacking and any(key in lacking and not r.is_empty for key, r in slot.requirements.items())
        )

    def _slots_of(self, requirement: Requirement) -> int:
        """The slots with no conflict on one label, as bits."""
        known = self._slots_met.get(requirement)
        if known is None:
            own = ((s, slot.requirements.get(requirement.key)) for s, slot in enumerate(self.slots))
            known = sum(1 << s for s, r in own if r is None or not requirement.conflicts_with(r))
            self._slots_met[requirement] = known
        return known

    def types_offered(self, requirements: Requirements) -> Types:
        """Types with an available offering that is compatible with the requirements."""
        found = 0
        for s in self.slots_meeting(requirements):
            found |= self.available[s]
        return found

    def rows_of_types(self, types: Types) -> Rows:
        """All offerings of those types."""
        return self._memo.of(types, lambda: types * self.spread & self.rows)

    def rows_of_slots(self, slots: Sequence[int]) -> Rows:
        """All offerings in those slots."""
        return sum(self.offered[s] << s * len(self.types) for s in slots)

    def rows_meeting(self, requirement: Requirement) -> Rows:
        """The offerings on which one requirement holds: by their slot where that decides the label, else by their type."""
        if requirement.key in self.slot_keys:
            return self.rows_of_slots(self.slots_meeting(Requirements((requirement,))))
        return self.rows_of_types(self.axis(requirement.key).meeting(requirement))

    def types_of_rows(self, rows: Rows) -> Types:
        """The types that have an offering among the rows."""
        types = 0
        for s in range(len(self.slots)):
            types |= rows >> s * len(self.types) & self.all_types
        return types

    def slots_of_rows(self, rows: Rows) -> Iterator[int]:
        """The slots in which some of the rows are."""
        return (s for s in range(len(self.slots)) if rows >> s * len(self.types) & self.all_types)

    def offerings(self, rows: Rows) -> Iterator[tuple[InstanceType, Offering]]:
        """The rows themselves, slot by slot."""
        for s in range(len(self.slots)):
            for i in bits(rows >> s * len(self.types) & self.all_types):
                yield self.types[i], self._offerings[s][i]

    def refusing(self, refused: Sequence[Refused]) -> "Space":
        """The same space with the offerings that EC2 refused a moment ago marked unavailable."""
        marks = {(r.instance_type, r.zone, r.capacity_type) for r in refused}
        marked = [0] * len(self.slots)
        for s, slot in enumerate(self.slots):
            for name, zone, capacity_type in marks:
                if (zone, capacity_type) == (slot.zone, slot.capacity_type) and name in self.position:
                    marked[s] |= 1 << self.position[name] & self.offered[s]
        if not any(marked):
            return self
        reasons = {**self.reasons, Unavailable.REFUSED: self.reasons.get(Unavailable.REFUSED, 0) | self._joined(marked)}
        available = tuple(types & ~marks for types, marks in zip(self.available, marked, strict=True))
        return replace(self, available=available, reasons=reasons)


def _price(offering: Offering) -> float:
    return float("inf") if offering.price is None else offering.price


def indexed(catalogue: Catalogue) -> Space:
    """The index of a Catalogue; kept as long as the catalogue is."""
    space = _SPACES.get(catalogue)
    if space is None:
        space = _SPACES[catalogue] = _index(catalogue)
    return space


_SPACES: Final[WeakKeyDictionary[Catalogue, Space]] = WeakKeyDictionary()


def _index(catalogue: Catalogue) -> Space:
    order: dict[tuple[tuple[str, str | None], ...], int] = {}
    bought: dict[object, int] = {}
    slots: list[Slot] = []
    offerings: list[dict[int, Offering]] = []
    reasons: dict[Unavailable, dict[int, Types]] = {}
    for i, instance_type in enumerate(catalogue.types):
        for offering in instance_type.offerings:
            way = _way(offering)
            if way not in bought:
                labels = tuple(sorted(offering.labels.items(), key=lambda item: item[0]))
                if labels not in order:
                    order[labels] = len(slots)
                    slots.append(_slot(offering))
                    offerings.append({})
                bought[way] = order[labels]
            s = bought[way]
            offerings[s][i] = offering
            for reason in offering.unavailable:
                reasons.setdefault(reason, {})[s] = reasons.setdefault(reason, {}).get(s, 0) | 1 << i
    width = len(catalogue.types)
    return Space(
        types=catalogue.types,
        slots=tuple(slots),
        offered=tuple(sum(1 << i for i in by_type) for by_type in offerings),
        available=tuple(sum(1 << i for i, o in by_type.items() if o.available) for by_type in offerings),
        full=tuple(sum(1 << i for i, o in by_type.items() if not o.reservation_capacity) for by_type in offerings),
        reasons={r: sum(types << s * width for s, types in by_slot.items()) for r, by_slot in reasons.items()},
        _offerings=tuple(offerings),
        _axes={},
        _ladders={},
        _capacities={},
        _amounts={},
        _by_price={},
        _slots_met={},
        _memo=Memo(),
    )


def _way(offering: Offering) -> object:
    """What decides an offering's labels: tens of thousands of offerings have a few dozens of these."""
    o = offering
    reserved = o.reservation_id, o.reservation_type, o.reservation_interruptible
    return o.capacity_type, o.zone, o.zone_id, reserved, o.more_labels


def _slot(offering: Offering) -> Slot:
    return Slot(
        zone=offering.zone,
        capacity_type=offering.capacity_type,
        reservation_id=offering.reservation_id,
        requirements=Requirements(
            Requirement.of(key, "DoesNotExist" if value is None else "In", () if value is None else (value,))
            for key, value in offering.labels.items()
        ),
    )
