"""Minimal conflicts and minimal corrections of a Partition, all of them, from one pass over the offering space.

Each offering breaks some set of constraints. The smallest of these sets are the minimal corrections (relax these and that
offering is open); the minimal sets that hit every one of them are the minimal conflicts (hold these and nothing is open).
The literature calls them MCS and MUS; that the one are the minimal hitting sets of the other is Reiter's duality (1987).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from bot.diagnosis.constraints import Partition
from bot.diagnosis.space import Rows
from bot.model.diagnosis import Constraint

# More alternatives than a person reads or a remedy needs; a cut is reported (`Solved.complete`), never silent.
MOST_CORRECTIONS: Final = 512
MOST_CONFLICTS: Final = 256
MOST_WITH_FLOORS: Final = 2
"""Beyond so many relaxed conditions, what else would reach a NodePool's minValues is not searched: lowering it does."""

Set = int
"""A set of constraints: bit i is `Solved.constraints[i]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Constraints to relax, no fewer, and the offerings that relaxing them opens."""

    constraints: frozenset[Constraint]
    rows: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """Everything that is minimal about one Partition. Neither list is ordered by use; that is for causes and remedies."""

    partition: Partition
    conflicts: tuple[frozenset[Constraint], ...]
    corrections: tuple[Correction, ...]
    complete: bool = True


def solve(partition: Partition) -> Solved:
    """All minimal conflicts and corrections; no conflict at all where the pod would get a node from this NodePool."""
    order = list(dict.fromkeys([f.constraint for f in partition.filters] + _named(partition)))
    number = {constraint: i for i, constraint in enumerate(order)}
    by_broken = broken_sets(partition.universe, [(number[f.constraint], f.rows) for f in partition.filters])
    rows_smallest = minimal(by_broken)
    chosen = (minimal(sum(1 << number[c] for c in broken) for broken in choice) for choice in partition.choices)
    components = [rows_smallest, *chosen]
    conflicts = minimal(hit for component in components for hit in hitting_sets(component))
    corrections, whole = _joined(components)
    if partition.floors:
        floors = _Floors(partition, number, by_broken)
        conflicts = minimal((*conflicts, *floors.conflicts(alone=not conflicts)))
        corrections = floors.met(corrections)
    named = {s: frozenset(order[i] for i in range(len(order)) if s >> i & 1) for s in {*conflicts, *corrections}}
    opened = {s: _rows_of(s, by_broken) for s in corrections}
    return Solved(
        partition=partition,
        conflicts=tuple(named[s] for s in sorted(conflicts, key=_size)),
        corrections=tuple(Correction(constraints=named[s], rows=opened[s]) for s in sorted(corrections, key=_size)),
        complete=whole and len(conflicts) < MOST_CONFLICTS,
    )


@dataclass(frozen=True, slots=True)
class _Floors:
    """minValues beside the rest: rules about all offerings that are left together."""

    partition: Partition
    number: Mapping[Constraint, int]
    by_broken: Mapping[Set, Rows]

    def _unmet(self, rows: Rows, relaxed: Set) -> Set:
        """The floors that these offerings do not reach."""
        left_out = {c for c, i in self.number.items() if relaxed >> i & 1}
        return sum(
            1 << self.number[floor.constraint]
            for floor in self.partition.floors
            if not relaxed >> self.number[floor.constraint] & 1
            and len(floor.values(self.partition.space, rows, left_out)) < floor.needed
        )

    def met(self, corrections: Sequence[Set]) -> tuple[Set, ...]:
        """The corrections with what they need besides: a floor lowered, or one condition more relaxed."""
        found: set[Set] = set()
        for relaxed in corrections:
            unmet = self._unmet(_rows_of(relaxed, self.by_broken), relaxed)
            found.add(relaxed | unmet)
            if unmet and relaxed.bit_count() < MOST_WITH_FLOORS:
                for other in (i for f in self.partition.filters for i in (self.number[f.constraint],)):
                    wider = relaxed | 1 << other
                    still = self._unmet(_rows_of(wider, self.by_broken), wider)
                    if still != unmet:
                        found.add(wider | still)
        return minimal(found)

    def conflicts(self, *, alone: bool) -> tuple[Set, ...]:
        """One minimal conflict for each floor that is out of reach; `alone`: no other conflict is in the way.

        Where another is, only those count that the NodePool has with itself: they hold whatever the pod asks for.
        """
        filters = [(self.number[f.constraint], f.rows) for f in self.partition.filters]
        own = {self.number[f.constraint] for f in self.partition.filters if f.constraint.object.kind != "Pod"}
        found: list[Set] = []
        for floor in self.partition.floors:
            bit = 1 << self.number[floor.constraint]
            kept = [one for one in filters if alone or one[0] in own]
            kept.sort(key=lambda one: one[0] in own)
            if not self._out_of_reach(kept, bit):
                continue
            for one in tuple(kept):
                fewer = [other for other in kept if other is not one]
                if self._out_of_reach(fewer, bit):
                    kept = fewer
            found.append(sum(1 << i for i, _ in kept) | bit)
        return tuple(found)

    def _out_of_reach(self, kept: Sequence[tuple[int, Rows]], floor: Set) -> bool:
        rows = self.partition.universe
        for _, passing in kept:
            rows &= passing
        holding = sum(1 << i for i, _ in kept) | floor
        return bool(rows) and bool(self._unmet(rows, ~holding) & floor)


def _named(partition: Partition) -> list[Constraint]:
    chosen = [c for choice in partition.choices for broken in choice for c in sorted(broken, key=lambda c: c.id)]
    return chosen + [floor.constraint for floor in partition.floors]


def _size(chosen: Set) -> tuple[int, int]:
    return chosen.bit_count(), chosen


def _rows_of(relaxed: Set, by_broken: Mapping[Set, Rows]) -> Rows:
    rows = 0
    for broken, of_broken in by_broken.items():
        if broken & ~relaxed == 0:
            rows |= of_broken
    return rows


def broken_sets(universe: Rows, filters: Sequence[tuple[int, Rows]]) -> dict[Set, Rows]:
    """Groups the offerings by the set of filters that they break. Every offering is in exactly one group."""
    groups: dict[Set, Rows] = {0: universe} if universe else {}
    for number, passing in filters:
        split: dict[Set, Rows] = {}
        for broken, rows in groups.items():
            kept = rows & passing
            if kept:
                split[broken] = split.get(broken, 0) | kept
            if kept != rows:
                worse = broken | 1 << number
                split[worse] = split.get(worse, 0) | rows ^ kept
        groups = split
    return groups


def minimal(sets: Iterable[Set]) -> tuple[Set, ...]:
    """Those sets that contain no other of them."""
    kept: list[Set] = []
    for candidate in sorted(set(sets), key=_size):
        if not any(smaller & ~candidate == 0 for smaller in kept):
            kept.append(candidate)
    return tuple(kept)


def hitting_sets(sets: Collection[Set]) -> tuple[Set, ...]:
    """The minimal sets that share something with every one of `sets` (Berge's way, one set after the other).

    With no sets at all there is nothing that could be kept: the empty set hits everything, which is no conflict of
    constraints but an empty space; so the result is ().
    """
    if not sets or 0 in sets:
        return ()
    found: tuple[Set, ...] = (0,)
    for one in sets:
        grown: list[Set] = []
        for partial in found:
            if partial & one:
                grown.append(partial)
            else:
                grown.extend(partial | 1 << i for i in range(one.bit_length()) if one >> i & 1)
        found = minimal(grown)[:MOST_CONFLICTS]
    return found


def _joined(components: Sequence[Sequence[Set]]) -> tuple[tuple[Set, ...], bool]:
    """One correction from every component together; the smallest first, cut at MOST_CORRECTIONS."""
    joined: tuple[Set, ...] = (0,)
    whole = True
    for component in components:
        combined = minimal(a | b for a, b in product(joined, component))
        whole = whole and len(combined) <= MOST_CORRECTIONS
        joined = combined[:MOST_CORRECTIONS]
    return joined, whole
