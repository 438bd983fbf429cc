"""One EC2NodeClass's instance types as `karpenter-bot instance-types` prints them: the JSON contract, and a table. PURE.

Labels are those that a node of the type has however it was bought; what an offering decides stands with the offering.
Amounts of which a type has none are left out. Karpenter makes no offering where EC2 does not sell a type that way, so
none is listed; those it would not launch are listed as not available, with the reasons.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from bot.model.diagnosis import Json
from bot.model.karpenter import EC2NodeClass
from bot.model.labels import CAPACITY_TYPE, EFA, GPU_RESOURCES, NEURON_RESOURCES, ON_DEMAND, REGION, SPOT, ZONE, ZONE_ID
from bot.model.quantities import Format, Quantity, Resources
from bot.model.world import InstanceType, Offering, Unavailable

OF_PLACE: Final = frozenset({REGION, ZONE, ZONE_ID, CAPACITY_TYPE})
"""Labels that depend on where and how a node is bought."""
_BYTES: Final = ("memory", "ephemeral-storage")
_GIB: Final = 2**30
_COLUMNS: Final = ("INSTANCE TYPE", "CPU", "MEMORY", "DEVICES", "EFA", "PODS", "ON-DEMAND", "SPOT FROM", "ZONES")
_RIGHT: Final = frozenset({"CPU", "MEMORY", "EFA", "PODS", "ON-DEMAND", "SPOT FROM"})


class UnknownNodeClassError(Exception):
    """No EC2NodeClass of that name, or several and none chosen; the message names those that there are."""


def chosen_class(classes: Sequence[EC2NodeClass], name: str) -> EC2NodeClass | None:
    """The EC2NodeClass that is meant: by name, else the only one, else the one called `default`; None: there is none.

    Raises UnknownNodeClassError.
    """
    found = {c.metadata.name: c for c in classes if c.kind == "EC2NodeClass"}
    there_are = f"there are: {', '.join(sorted(found))}" if found else "there is none"
    if name:
        if name not in found:
            raise UnknownNodeClassError(f"no EC2NodeClass `{name}`; {there_are}")
        return found[name]
    if len(found) > 1 and "default" not in found:
        raise UnknownNodeClassError(f"which EC2NodeClass? Choose one with --nodeclass; {there_are}")
    return found.get("default") or next(iter(found.values()), None)


def matching(types: Iterable[InstanceType], patterns: Sequence[str]) -> list[InstanceType]:
    """The types whose names fit one of the patterns (`p5*`), sorted by name; without patterns all of them."""
    wanted = (t for t in types if not patterns or any(fnmatchcase(t.name, pattern) for pattern in patterns))
    return sorted(wanted, key=lambda t: t.name)


def as_json(types: Iterable[InstanceType]) -> list[Json]:
    """The contract: a list of `{"name", "labels", "capacity", "allocatable", "offerings"}`."""
    return [
        {
            "name": t.name,
            "labels": _labels(t),
            "capacity": _amounts(t.capacity),
            "allocatable": _amounts(t.allocatable),
            "offerings": [_offering(o) for o in _made(t)],
        }
        for t in types
    ]


def _labels(instance_type: InstanceType) -> dict[str, Json]:
    """Labels of one value; `instance-tenancy` has two, and what an offering decides is told there."""
    own = (
        (key, values) for key, values in instance_type.labels.items() if len(values) == 1 and key not in _of_offerings()
    )
    return {key: next(iter(values)) for key, values in sorted(own)}


def _of_offerings() -> frozenset[str]:
    return OF_PLACE | frozenset(Offering(capacity_type="", zone="").labels)


def _amounts(resources: Resources) -> dict[str, Json]:
    """What there is of each resource; bytes in powers of two, however Karpenter would print them."""
    return {name: str(_in_bytes(name, amount)) for name, amount in sorted(resources.items()) if amount}


def _in_bytes(name: str, amount: Quantity) -> Quantity:
    return Quantity(amount.nano, Format.BINARY_SI) if name in _BYTES else amount


def _made(instance_type: InstanceType) -> list[Offering]:
    """The offerings that Karpenter makes, by zone."""
    made = (o for o in instance_type.offerings if Unavailable.NOT_SOLD not in o.unavailable)
    return sorted(made, key=lambda o: (o.zone, o.capacity_type, o.reservation_id))


def _offering(offering: Offering) -> Json:
    row: dict[str, Json] = {
        "zone": offering.zone,
        "capacityType": offering.capacity_type,
        "price": offering.price,
        "available": offering.available,
        "unavailable": [reason.value for reason in offering.unavailable],
    }
    if offering.zone_id:
        row["zoneId"] = offering.zone_id
    if offering.reservation_id:
        row["reservation"] = {
            "id": offering.reservation_id,
            "type": offering.reservation_type,
            "free": offering.reservation_capacity,
        }
    return row


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table."""

    cells: tuple[str, ...]

    @classmethod
    def of(cls, t: InstanceType) -> "_Row":
        left = t.allocatable
        devices = [f"{left[name].whole} {name}" for name in (*GPU_RESOURCES, *NEURON_RESOURCES[:1]) if left.get(name)]
        buyable = [o for o in _made(t) if o.available]
        zones = sorted({o.zone for o in buyable})
        return cls(
            (
                t.name,
                str(left.get("cpu", "")),
                f"{left['memory'].whole / _GIB:.1f}Gi" if "memory" in left else "",
                ", ".join(devices),
                str(left[EFA].whole) if left.get(EFA) else "",
                str(left.get("pods", "")),
                _price(o.price for o in buyable if o.capacity_type == ON_DEMAND),
                _price(o.price for o in buyable if o.capacity_type == SPOT),
                ", ".join(zones) or "-",
            )
        )


def _price(prices: Iterable[float | None]) -> str:
    least = min((p for p in prices if p is not None), default=None)
    return "" if least is None else f"${least:.4g}"


def as_table(types: Sequence[InstanceType]) -> Iterator[str]:
    """One line a type: what is left for pods, the lowest price of each way to buy it, and the zones that can launch it."""
    rows = [_COLUMNS, *(_Row.of(t).cells for t in types)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    for row in rows:
        cells = (
            cell.rjust(width) if name in _RIGHT else cell.ljust(width)
            for cell, width, name in zip(row, widths, _COLUMNS, strict=True)
        )
        yield "  ".join(cells).rstrip()
