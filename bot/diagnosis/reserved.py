"""Capacity that is held apart from the open market: the account's own reservations and Capacity Blocks, and blocks for sale.

What could take the pod is told by the on-demand offering of the same type and zone: everything but stock and the way of
buying has to fit. No quota is asked for: a reservation was counted when it was made, and Capacity Blocks count against none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.diagnosis.constraints import Partition
from bot.diagnosis.instance_offerings import dollars
from bot.diagnosis.space import Rows
from bot.model.diagnosis import Constraint, Fact, Kind
from bot.model.ec2 import CapacityBlockOffering, CapacityReservation
from bot.model.labels import CAPACITY_TYPE, ON_DEMAND, RESERVED
from bot.model.world import World

_STOCK: Final = (Kind.REFUSED, Kind.RESERVATION, Kind.PRICE)
_ACTIVE: Final = "active"
LISTED: Final = 3

Place = tuple[str, str]
"""(instance type, zone)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """Reservations with room and blocks for sale that the pod fits, each list in the order of use.

    `unselected`: ids of reservations that the EC2NodeClass does not select. `excluded`: ids of both lists whose type, zone or
    capacity type `reserved` the NodePool does not allow.
    """

    held: tuple[CapacityReservation, ...] = ()
    blocks: tuple[CapacityBlockOffering, ...] = ()
    unselected: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    switched_off: bool = False
    """Karpenter's feature gate ReservedCapacity is off: it launches into no reservation by name."""

    @property
    def facts(self) -> dict[str, Fact]:
        """As a page words it; tuples of one kind are as long as each other."""
        held, blocks = self.held[:LISTED], self.blocks[:LISTED]
        return {
            "held": tuple(one.capacity_reservation_id for one in held),
            "held_kinds": tuple(one.reservation_type for one in held),
            "held_what": tuple(f"{one.available_instance_count} × {one.instance_type}" for one in held),
            "held_zones": tuple(one.availability_zone for one in held),
            "held_ends": tuple(one.end_date.isoformat() if one.end_date else "" for one in held),
            "held_unselected": self.unselected,
            "held_excluded": self.excluded,
            "reserved_off": self.switched_off,
            "blocks": tuple(one.capacity_block_offering_id for one in blocks),
            "blocks_what": tuple(f"{one.instance_count} × {one.instance_type}" for one in blocks),
            "blocks_zones": tuple(one.availability_zone for one in blocks),
            "blocks_starts": tuple(one.start_date.isoformat() if one.start_date else "" for one in blocks),
            "blocks_hours": tuple(one.capacity_block_duration_hours for one in blocks),
            "blocks_fees": tuple(f"{one.upfront_fee} {one.currency_code}" for one in blocks),
        }


def reserved(partition: Partition, world: World, near: Rows, free: Callable[[str], bool]) -> Reserved:
    """What of it could take the pod. `near`: offerings of the types that may stand in for those tried; `free`: whether a
    zone's subnets have addresses left, as far as that is known.
    """
    labels = [f.constraint for f in partition.filters if f.constraint.kind in LABELS]
    stock = [f.constraint for f in partition.filters if _about_stock(f.constraint)]
    fitting = _places(partition, [*labels, *stock], near)
    of_pool = [c for c in labels if c.kind in OF_POOL and c.subject != CAPACITY_TYPE]
    allowed = _places(partition, [*(c for c in labels if c not in of_pool), *stock], near)
    ways = partition.template.requirements.get(CAPACITY_TYPE)
    open_to_pool = allowed if ways is None or RESERVED in ways else frozenset[Place]()

    def fits(instance_type: str, zone: str) -> bool:
        return (instance_type, zone) in fitting and free(zone)

    held = [
        one
        for one in world.ec2.capacity_reservations or ()
        if one.state == _ACTIVE and one.available_instance_count > 0 and fits(one.instance_type, one.availability_zone)
    ]
    blocks = [one for one in world.ec2.capacity_blocks or () if fits(one.instance_type, one.availability_zone)]
    selected = _selected(partition, world)
    named = [(one.capacity_reservation_id, (one.instance_type, one.availability_zone)) for one in held]
    named += [(one.capacity_block_offering_id, (one.instance_type, one.availability_zone)) for one in blocks]
    return Reserved(
        held=tuple(sorted(held, key=lambda one: (one.capacity_reservation_id not in selected, _order(one)))),
        blocks=tuple(sorted(blocks, key=lambda one: (str(one.start_date or ""), dollars(one.upfront_fee) or 0.0))),
        unselected=tuple(sorted({one.capacity_reservation_id for one in held} - selected)),
        excluded=tuple(sorted(name for name, place in named if place not in open_to_pool)),
        switched_off=not world.settings.reserved_capacity,
    )


LABELS: Final = (Kind.NODE_SELECTOR, Kind.NODE_AFFINITY, Kind.POOL_REQUIREMENT, Kind.POOL_LABEL)
"""What widening gives up: the labels that pod and NodePool ask for."""
OF_POOL: Final = (Kind.POOL_REQUIREMENT, Kind.POOL_LABEL)


def _about_stock(constraint: Constraint) -> bool:
    """Whether it says that EC2 has none just now, or does not sell it this way."""
    return constraint.kind in _STOCK or (constraint.kind is Kind.OFFERED and constraint.subject == "capacity-type")


def _places(partition: Partition, without: Sequence[Constraint], near: Rows) -> frozenset[Place]:
    found = partition.space.offerings(partition.passing(without) & near)
    return frozenset((t.name, o.zone) for t, o in found if o.capacity_type == ON_DEMAND)


def _selected(partition: Partition, world: World) -> frozenset[str]:
    """The reservations that the NodePool's EC2NodeClass found with its selector."""
    name = partition.template.pool.spec.template.spec.node_class_ref.name
    chosen = next((c for c in world.node_classes if c.metadata.name == name), None)
    return frozenset(one.id for one in chosen.status.capacity_reservations) if chosen else frozenset()


def _order(held: CapacityReservation) -> tuple[int, str]:
    return -held.available_instance_count, held.capacity_reservation_id
