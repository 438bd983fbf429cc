"""Kubernetes quantities, exact.

A quantity is a whole number of nano-units (10^-9), as finely as the API server itself keeps one, so sums
and comparisons never round. The format is kept because Karpenter prints quantities as they were written: `664Mi`, `345m`.
Mirrors k8s.io/apimachinery pkg/api/resource/quantity.go (v0.37): ParseQuantity, CanonicalizeBytes, Add, Sub.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import Final

NANO: Final = 10**9


class Format(Enum):
    """How a quantity was written, and so how it is printed."""

    DECIMAL_SI = "decimal"
    BINARY_SI = "binary"
    DECIMAL_EXPONENT = "exponent"


DECIMAL_SUFFIXES: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY_SUFFIXES: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
SUFFIX_OF_EXPONENT: Final = {exponent: suffix for suffix, exponent in DECIMAL_SUFFIXES.items()}
SUFFIX_OF_POWER: Final = {power: suffix for suffix, power in BINARY_SUFFIXES.items()}
_QUANTITY: Final = re.compile(
    r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,4}))?", re.ASCII
)
# Longer and larger numbers are not quantities anybody meant; the bounds keep a hostile manifest from costing time.
_LONGEST: Final = 1100
_MOST: Final = 10**2000 * NANO
_SHOWN: Final = 64
_MOST_BINARY: Final = (2**63 - 1) * NANO
_MOST_DIGITS: Final = 18
"""Of a number that Kubernetes keeps as an int64 (amount.go, maxInt64Factors)."""
FINEST: Final = -9
"""The exponent of the smallest amount."""


class QuantityError(ValueError):
    """The text is not a Kubernetes quantity. Carries `text`."""

    def __init__(self, text: object) -> None:
        super().__init__(f"`{str(text)[:_SHOWN]}` is not a quantity (examples: 500m, 1.5Gi, 2e3)")
        self.text = text


class Quantity:
    """An exact amount: `nano` is the amount times 10^9. Equality and order look at the amount, not at the format.

    Immutable by convention. A plain class and no dataclass, because msgspec would decode a dataclass from an object.
    """

    __slots__ = ("format", "nano")

    def __init__(self, nano: int, form: Format = Format.DECIMAL_SI) -> None:
        self.nano = nano
        self.format = form

    @classmethod
    def parse(cls, text: str | int | float) -> "Quantity":
        """Reads `500m`, `1.5Gi`, `1e3`, or a bare number as YAML gives it.

        The format is the one that the API server would store. Finer than nano rounds away from zero, and binary amounts
        end at 2^63-1, as ParseQuantity has it. Raises QuantityError.
        """
        written = str(text)
        match = _QUANTITY.fullmatch(written) if len(written) <= _LONGEST and not isinstance(text, bool) else None
        if match is None:
            raise QuantityError(text)
        sign, digits, suffix, exponent = match.groups()
        amount = Fraction(digits + "0" if digits.endswith(".") else digits)
        if suffix in BINARY_SUFFIXES:
            scale, form = Fraction(2 ** BINARY_SUFFIXES[suffix]), Format.BINARY_SI
        elif exponent is not None:
            scale, form = Fraction(10) ** int(exponent), Format.DECIMAL_EXPONENT
        else:
            scale, form = Fraction(10) ** DECIMAL_SUFFIXES[suffix or ""], Format.DECIMAL_SI
        exact = amount * scale * NANO
        nano = -(-exact.numerator // exact.denominator)
        if form is Format.BINARY_SI:
            nano = min(nano, _MOST_BINARY)
        if nano > _MOST:
            raise QuantityError(text)
        if form is Format.BINARY_SI or not _kept(digits, int(exponent or 0)):
            form = _as_stored(nano, form)
        return cls(-nano if sign == "-" else nano, form)

    @classmethod
    def known(cls, text: str | int | float) -> "Quantity":
        """As `parse`, from memory where the text was read before: thousands of nodes have the same few amounts."""
        return _known(text) if isinstance(text, str | int | float) else cls.parse(text)

    @classmethod
    def of(cls, whole: int, form: Format = Format.DECIMAL_SI) -> "Quantity":
        """A whole number of units: `Quantity.of(8)` GPUs, `Quantity.of(2**30, Format.BINARY_SI)` bytes."""
        return cls(whole * NANO, form)

    def __add__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nano + other.nano, other.format if self.nano == 0 else self.format)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nano - other.nano, other.format if self.nano == 0 else self.format)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nano == other.nano

    def __hash__(self) -> int:
        return hash(self.nano)

    def __lt__(self, other: "Quantity") -> bool:
        return self.nano < other.nano

    def __le__(self, other: "Quantity") -> bool:
        return self.nano <= other.nano

    def __bool__(self) -> bool:
        return self.nano != 0

    @property
    def whole(self) -> int:
        """The amount in units, rounded up (as resource.Quantity.Value does)."""
        return -(-self.nano // NANO)

    @property
    def milli(self) -> int:
        """The amount in thousandths, rounded up."""
        return -(-self.nano // 10**6)

    def __str__(self) -> str:
        """The canonical text, as Kubernetes prints it: no fraction, the largest suffix that needs none."""
        if self.format is Format.BINARY_SI and abs(self.nano) >= 1024 * NANO and self.nano % NANO == 0:
            return _binary(self.whole)
        return _decimal(self.nano, exponent_form=self.format is Format.DECIMAL_EXPONENT)

    def __repr__(self) -> str:
        return f"Quantity({self})"


@lru_cache(maxsize=4096, typed=True)  # typed, for 1 == True
def _known(text: str | int | float) -> Quantity:
    return Quantity.parse(text)


def _kept(digits: str, exponent: int) -> bool:
    """Whether the API server stores a decimal number's own text: `1.96e2` stays `1.96e2`, though `196` says the same.

    ParseQuantity takes a text for canonical by the digits without the point and the exponent that goes with these.
    """
    whole, _, fraction = digits.partition(".")
    shifted, scale = (whole.lstrip("0") or "0") + fraction, exponent - len(fraction)
    if len(shifted) > _MOST_DIGITS or scale < FINEST or scale % 3:
        return False
    return shifted[0] != "0" and not shifted.endswith("000")


def _as_stored(nano: int, form: Format) -> Format:
    """The format that is left after the API server has stored the canonical text: `0.5e1` is `5`, `1.1Gi` has no suffix."""
    plain = nano % NANO == 0 and ((nano // NANO) % 1000 != 0 or not nano)
    odd = nano % (1024 * NANO) != 0
    return (
        Format.DECIMAL_SI if (form is Format.DECIMAL_EXPONENT and plain) or (form is Format.BINARY_SI and odd) else form
    )


def _binary(whole: int) -> str:
    power = 0
    while whole and whole % 1024 == 0 and power < 60:
        whole, power = whole // 1024, power + 10
    return f"{whole}{SUFFIX_OF_POWER[power] if power else ''}"


def _decimal(nano: int, *, exponent_form: bool) -> str:
    if nano == 0:
        return "0"
    exponent = -9
    while nano % 1000 == 0 and (exponent < 18 or exponent_form):
        nano, exponent = nano // 1000, exponent + 3
    if exponent_form:
        return f"{nano}e{exponent}" if exponent else str(nano)
    return f"{nano}{SUFFIX_OF_EXPONENT[exponent]}"


ZERO: Final = Quantity(0)
Resources = Mapping[str, Quantity]
"""Resource name to amount, such as a container's requests or a node's allocatable."""


def total(parts: Iterable[Resources]) -> dict[str, Quantity]:
    """Adds resource lists key by key; a name that one list lacks counts as 0 there."""
    nano: dict[str, int] = {}
    forms: dict[str, Format] = {}
    for part in parts:
        for name, amount in part.items():
            known = nano.get(name)
            if known:
                nano[name] = known + amount.nano
            else:  # the first amount that is one decides the format, as in __add__
                nano[name], forms[name] = amount.nano, amount.format
    return {name: Quantity(amount, forms[name]) for name, amount in nano.items()}


def largest(parts: Iterable[Resources]) -> dict[str, Quantity]:
    """The larger amount of each name, over all lists."""
    result: dict[str, Quantity] = {}
    for part in parts:
        for name, amount in part.items():
            if name not in result or result[name] < amount:
                result[name] = amount
    return result


def less(whole: Resources, part: Resources) -> dict[str, Quantity]:
    """`whole` minus `part` for each name that `whole` has; amounts may become negative."""
    return {name: amount - part.get(name, ZERO) for name, amount in whole.items()}
