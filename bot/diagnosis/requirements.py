"""Requirements: sets of label values with an algebra, and Karpenter's own rules for comparing them.

Mirrors karpenter pkg/scheduling/requirement.go and requirements.go (v1.15). Karpenter's `Intersects` lets two
requirements pass whose intersection is empty when both are NotIn or DoesNotExist; so "is empty" (the algebra) and
"Karpenter calls it a conflict" are two functions here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bot.model.kubernetes import NodeSelectorRequirement
from bot.model.labels import normalised

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_INT64: Final = range(-(2**63), 2**63)
# Operator to what is added to its number for the inclusive bounds (>=, <=); None: no bound on that side.
_BOUNDS: Final[Mapping[str, tuple[int | None, int | None]]] = {
    "Gt": (1, None),
    "Gte": (0, None),
    "Lt": (None, -1),
    "Lte": (None, 0),
}
NOTHING: Final[frozenset[str]] = frozenset()
ABSENT_OPERATORS: Final = frozenset({"NotIn", "DoesNotExist"})


def integer(text: str) -> int | None:
    """The number as Go's strconv.Atoi reads it, or None where Atoi fails."""
    number = int(text) if _INTEGER.fullmatch(text) else None
    return number if number is not None and number in _INT64 else None


@dataclass(frozen=True, slots=True)
class Requirement:
    """Which values of one label are acceptable: a finite set, or (`complement`) all but a finite set, within bounds.

    Canonical: bounds stand only on complements, crossing bounds become the empty set, excluded values lie within
    bounds; so `==` means the same set of values.
    """

    key: str
    complement: bool
    values: frozenset[str]
    gte: int | None = None
    lte: int | None = None
    min_values: int | None = None

    @classmethod
    def of(cls, key: str, operator: str, values: Iterable[str] = (), min_values: int | None = None) -> "Requirement":
        """Builds one from a spec; old label names become new ones. A number that is none counts as 0 (validated before)."""
        key, listed = normalised(key), tuple(values)
        if operator in ("In", "NotIn"):
            return cls(key, operator == "NotIn", frozenset(listed), min_values=min_values)
        if operator not in ("Exists", *_BOUNDS):
            return cls(key, complement=False, values=frozenset(), min_values=min_values)
        above, below = _BOUNDS.get(operator, (None, None))
        number = (integer(listed[0]) or 0) if listed else 0
        if operator == "Gt" and number == _INT64[-1]:
            return cls(key, complement=False, values=frozenset(), min_values=min_values)
        gte = None if above is None else number + above
        lte = None if below is None else number + below
        return cls(key, complement=True, values=frozenset(), gte=gte, lte=lte, min_values=min_values)

    @property
    def operator(self) -> str:
        """The operator that Karpenter reports for this set: In, NotIn, Exists or DoesNotExist."""
        if self.complement:
            return "NotIn" if self.values else "Exists"
        return "In" if self.values else "DoesNotExist"

    @property
    def is_empty(self) -> bool:
        """Whether no value at all is acceptable (Karpenter then reads it as DoesNotExist)."""
        return not self.complement and not self.values

    def _within(self, value: str) -> bool:
        if self.gte is None and self.lte is None:
            return True
        number = integer(value)
        if number is None:
            return False
        return (self.gte is None or self.gte <= number) and (self.lte is None or number <= self.lte)

    def __contains__(self, value: str) -> bool:
        return (value in self.values) != self.complement and self._within(value)

    def __and__(self, other: "Requirement") -> "Requirement":
        """The values that both accept. Source: requirement.go, Intersection."""
        gte = max((b for b in (self.gte, other.gte) if b is not None), default=None)
        lte = min((b for b in (self.lte, other.lte) if b is not None), default=None)
        low = max((m for m in (self.min_values, other.min_values) if m is not None), default=None)
        if gte is not None and lte is not None and gte > lte:
            return Requirement(self.key, complement=False, values=frozenset(), min_values=low)
        if self.complement and other.complement:
            complement, values = True, self.values | other.values
        elif self.complement:
            complement, values = False, other.values - self.values
        elif other.complement:
            complement, values = False, self.values - other.values
        else:
            complement, values = False, self.values & other.values
        bounded = Requirement(self.key, complement=True, values=frozenset(), gte=gte, lte=lte)
        values = frozenset(v for v in values if bounded._within(v))
        return Requirement(self.key, complement, values, gte if complement else None, lte if complement else None, low)

    def intersects(self, other: "Requirement") -> bool:
        """Whether some value may satisfy both. Source: requirement.go, HasIntersection."""
        return not (self & other).is_empty

    def conflicts_with(self, other: "Requirement") -> bool:
        """Whether Karpenter refuses the pair. Source: requirements.go, Intersects."""
        absent_both = self.operator in ABSENT_OPERATORS and other.operator in ABSENT_OPERATORS
        return not absent_both and not self.intersects(other)


@dataclass(frozen=True, slots=True)
class Clash:
    """Two requirements on one key that Karpenter does not accept together; `existing` None: the key is not defined."""

    key: str
    incoming: Requirement
    existing: Requirement | None


class Requirements(Mapping[str, Requirement]):
    """Label key to Requirement, as of a pod, a NodePool or a node. Immutable; `&` narrows."""

    __slots__ = ("_by_key",)

    def __init__(self, requirements: Iterable[Requirement] = ()) -> None:
        by_key: dict[str, Requirement] = {}
        for requirement in requirements:
            existing = by_key.get(requirement.key)
            by_key[requirement.key] = requirement if existing is None else requirement & existing
        self._by_key = by_key

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> "Requirements":
        """One `In` per label."""
        return cls(Requirement.of(key, "In", (value,)) for key, value in labels.items())

    def __getitem__(self, key: str) -> Requirement:
        return self._by_key[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __and__(self, other: "Requirements") -> "Requirements":
        return Requirements((*self._by_key.values(), *other._by_key.values()))

    def __repr__(self) -> str:
        return f"Requirements({list(self._by_key.values())!r})"

    def clashes(self, incoming: "Requirements") -> tuple[Clash, ...]:
        """Every shared key on which Karpenter refuses `incoming`, sorted by key. Source: requirements.go, Intersects."""
        shared = sorted(self._by_key.keys() & incoming._by_key.keys())
        return tuple(Clash(k, incoming[k], self[k]) for k in shared if self[k].conflicts_with(incoming[k]))

    def undefined(self, incoming: "Requirements", *, allowed: frozenset[str] = NOTHING) -> tuple[Clash, ...]:
        """Keys that `incoming` needs and that are not defined here, sorted. Source: requirements.go, Compatible.

        A new NodeClaim may leave well-known labels undefined (the instance type decides them); an existing node may not.
        """
        return tuple(
            Clash(key, wanted, None)
            for key, wanted in sorted(incoming.items())
            if key not in self._by_key and key not in allowed and wanted.operator not in ABSENT_OPERATORS
        )

    def accepts(self, incoming: "Requirements", *, allowed: frozenset[str] = NOTHING) -> bool:
        """Whether Karpenter finds `incoming` compatible with these. Source: requirements.go, IsCompatible."""
        return not self.undefined(incoming, allowed=allowed) and not self.clashes(incoming)

    def without_min_values(self) -> "Requirements":
        """The same sets with no flexibility floor."""
        return Requirements(replace(r, min_values=None) for r in self._by_key.values())


def parse_terms(expressions: Iterable[NodeSelectorRequirement]) -> tuple[Requirement, ...]:
    """The requirements of one selector term or of a NodePool, one for each expression, in order."""
    return tuple(Requirement.of(e.key, e.operator, e.values, e.min_values) for e in expressions)
