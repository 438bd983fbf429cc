"""Indexes over the instance types of one Catalogue: sets of types are integers, and each question is a look-up or two."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from bot.diagnosis.requirements import Requirement
from bot.model.quantities import Resources
from bot.model.world import InstanceType

Answer = TypeVar("Answer")
Types = int
"""A set of instance types: bit i is `Space.types[i]`."""


class Memo:
    """Answers that are asked for again and again, NodePool after NodePool; forgotten all at once when they are many."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._known: dict[object, Any] = {}

    def of(self, key: object, make: Callable[[], Answer]) -> Answer:
        """The answer for a key, worked out when it is not known."""
        try:
            found: Answer = self._known[key]
        except KeyError:
            if len(self._known) >= self._most:
                self._known.clear()
            found = self._known[key] = make()
        return found


def bits(mask: int) -> Iterator[int]:
    """The positions of the set bits, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Axis:
    """One label over all types: which types have which value, which say DoesNotExist, which do not define it."""

    def __init__(self, types: Sequence[InstanceType], key: str) -> None:
        self.having: dict[str, Types] = {}
        self.absent: Types = 0
        self.undefined: Types = 0
        self.several: bool = False
        self._met: dict[Requirement, Types] = {}
        for i, instance_type in enumerate(types):
            values = instance_type.labels.get(key)
            if values is None:
                self.undefined |= 1 << i
            elif not values:
                self.absent |= 1 << i
            else:
                self.several |= len(values) > 1
                for value in values:
                    self.having[value] = self.having.get(value, 0) | 1 << i

    def meeting(self, requirement: Requirement) -> Types:
        """The types on which Karpenter finds no conflict with the requirement."""
        known = self._met.get(requirement)
        if known is None:
            known = self._met[requirement] = self._meeting(requirement)
        return known

    def _meeting(self, requirement: Requirement) -> Types:
        met = self.undefined | (self.absent if requirement.operator in ("NotIn", "DoesNotExist") else 0)
        if requirement.complement:
            for value, types in self.having.items():
                if value in requirement:
                    met |= types
        else:
            for value in requirement.values:
                met |= self.having.get(value, 0)
        return met


class Ladder:
    """What each type has of one resource, sorted, so that "at least this much" is one look-up."""

    def __init__(self, having: Iterable[Resources], resource: str) -> None:
        amounts = sorted(
            ((amounts[resource].nano, i) for i, amounts in enumerate(having) if resource in amounts), reverse=True
        )
        self._steps: list[int] = []
        self._at_least: list[Types] = []
        reached = 0
        for nano, i in amounts:
            reached |= 1 << i
            if self._steps and self._steps[-1] == -nano:
                self._at_least[-1] = reached
            else:
                self._steps.append(-nano)
                self._at_least.append(reached)

    @property
    def having(self) -> Types:
        """The types that name the resource."""
        return self._at_least[-1] if self._at_least else 0

    def most(self, types: Types) -> tuple[int, Types]:
        """The largest amount among these types, and those of them that have it; (0, 0) where none names the resource."""
        low, high = 0, len(self._steps)
        while low < high:
            middle = (low + high) // 2
            if self._at_least[middle] & types:
                high = middle
            else:
                low = middle + 1
        return (-self._steps[low], self._at_least[low] & types) if low < len(self._steps) else (0, 0)

    def at_least(self, nano: int) -> Types:
        """The types with that much or more (those without the resource have none of it)."""
        found = bisect_left(self._steps, -nano + 1)
        return self._at_least[found - 1] if found else 0
