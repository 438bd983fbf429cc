"""How an instance type can be bought: zone × capacity type, and every capacity reservation; and why it cannot.

Mirrors karpenter-provider-aws pkg/providers/instancetype/offering (base_resolver.go, reserved_capacity_resolver.go) and
pkg/providers/pricing/pricing.go (v1.14). Karpenter makes no offering for a capacity type that EC2 does not sell; here one
stands, unavailable, so that an answer can say so. What EC2 refused a moment ago is not in here: it changes by the minute.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from bot.diagnosis.instance_tables import FIGURES, PRICED_REGIONS
from bot.model.ec2 import CapacityReservation, InstanceTypeInfo, OnDemandPrice, SpotPrice
from bot.model.karpenter import CapacityReservationStatus
from bot.model.labels import ON_DEMAND, RESERVED, SPOT
from bot.model.world import Offering, Unavailable

_LINUX: Final = ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")
_RESERVED_DISCOUNT: Final = 10_000_000.0
_EXPIRING: Final = "expiring"  # a Capacity Block in its last 40 minutes
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_UNKNOWN_ROOM: Final = 1
"""What a reservation counts as when nobody could read how much is free in it: usable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A zone of the region, for one EC2NodeClass. `zone_id` is empty when no subnet tells it."""

    zone: str
    zone_id: str
    has_subnet: bool


class Quote(NamedTuple):
    """A price, None when it is not known here; `known`: Karpenter has one (what could not be read is taken to exist)."""

    price: float | None
    known: bool


class Lane(NamedTuple):
    """A zone as the offerings of a type see it: whether EC2 has the type there, and what bars all of them."""

    place: Place
    offered: bool
    barred: tuple[Unavailable, ...]


def lanes(places: Iterable[Place], offered: frozenset[str] | None) -> tuple[Lane, ...]:
    """The zones for types that EC2 has in the zones `offered`; None: not read, so they may be anywhere."""
    return tuple(_lane(place, offered) for place in places)


def _lane(place: Place, offered: frozenset[str] | None) -> Lane:
    here = offered is None or place.zone in offered
    missing = ((here, Unavailable.NOT_OFFERED), (place.has_subnet, Unavailable.NO_SUBNET))
    return Lane(place, here, tuple(reason for given, reason in missing if not given))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Dollars an hour: on-demand by type, spot by type and zone. None: not read."""

    region: str
    on_demand: Mapping[str, float] | None
    spot: Mapping[tuple[str, str], float] | None

    def of_on_demand(self, name: str) -> Quote:
        """Karpenter begins with a table of on-demand prices and keeps what the Pricing API lacks (Reset).

        Such a price is another region's and old: it counts as one, but is not told.
        """
        price = None if self.on_demand is None else self.on_demand.get(name)
        return Quote(price, price is not None or self.on_demand is None or self._priced_from_start(name))

    def of_spot(self, name: str, zone: str) -> Quote:
        """Until spot prices are there, the table of on-demand prices stands in for them (SpotPrice)."""
        if not self.spot:
            return Quote(None, self.spot is None or self._priced_from_start(name))
        price = self.spot.get((name, zone))
        return Quote(price, price is not None)

    def _priced_from_start(self, name: str) -> bool:
        region = PRICED_REGIONS.index(self.region) if self.region in PRICED_REGIONS else 0
        return name in FIGURES and bool(FIGURES[name].priced >> region & 1)


def on_demand_prices(rows: Iterable[OnDemandPrice]) -> dict[str, float]:
    """Price by type, of several the one that took effect last; Karpenter passes over prices of 0 (onDemandPage)."""
    ordered = sorted((row for row in rows if row.price_per_hour), key=lambda row: row.effective)
    return {row.instance_type: row.price_per_hour for row in ordered}


def spot_prices(rows: Iterable[SpotPrice]) -> dict[tuple[str, str], float]:
    """The newest Linux price by type and zone; what is no number is passed over (spotPage)."""
    linux = sorted(filter(is_linux, rows), key=_since)
    priced = ((row, dollars(row.spot_price)) for row in linux)
    return {(row.instance_type, row.availability_zone): price for row, price in priced if price is not None}


def is_linux(row: SpotPrice) -> bool:
    """Whether the price is for Linux, as Karpenter asks for it."""
    return row.product_description in _LINUX


def _since(row: SpotPrice) -> datetime:
    since = row.timestamp or _LONG_AGO
    return since if since.tzinfo else since.replace(tzinfo=UTC)


def dollars(text: str) -> float | None:
    """A price as AWS prints it; None for what is no number."""
    try:
        price = float(text)
    except ValueError:
        return None
    return price if math.isfinite(price) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """For how much, and what is reserved: all that offerings of one EC2NodeClass depend on besides type and zone."""

    prices: Prices
    reservations: Mapping[str, Sequence[CapacityReservationStatus]]
    """Those that the EC2NodeClass found, by instance type."""
    free: Mapping[str, CapacityReservation] | None
    """EC2's own description of each reservation, by id; None: not read."""

    def offerings(
        self, info: InstanceTypeInfo, among: tuple[Lane, ...], barred: tuple[Unavailable, ...] = ()
    ) -> tuple[Offering, ...]:
        """All offerings of a type: on-demand and spot in each zone, then the reservations. `barred` goes for all."""
        on_demand = self.prices.of_on_demand(info.instance_type)
        unsold = tuple(
            (Unavailable.NOT_SOLD,) if c not in info.supported_usage_classes else () for c in (ON_DEMAND, SPOT)
        )
        rows: list[Offering] = []
        for lane in among:
            spot = self.prices.of_spot(info.instance_type, lane.place.zone)
            reasons = lane.barred + barred
            rows.append(_row(ON_DEMAND, lane, on_demand, reasons + unsold[0]))
            rows.append(_row(SPOT, lane, spot, reasons + unsold[1]))
        held = self.reservations.get(info.instance_type, ())
        rows.extend(self._reserved(status, among, on_demand, barred) for status in held)
        return tuple(rows)

    def _reserved(
        self,
        status: CapacityReservationStatus,
        among: tuple[Lane, ...],
        on_demand: Quote,
        barred: tuple[Unavailable, ...],
    ) -> Offering:
        """One reservation (ReservedCapacityResolver.ResolveOfferings): nearly free, yet dearer types cost more."""
        lane = next((lane for lane in among if lane.place.zone == status.availability_zone), None)
        room = self._room(status.id)
        return Offering(
            capacity_type=RESERVED,
            zone=status.availability_zone,
            zone_id=lane.place.zone_id if lane else "",
            price=(on_demand.price or 0.0) / _RESERVED_DISCOUNT,
            unavailable=(
                *(lane.barred if lane else (Unavailable.NOT_OFFERED,)),
                *barred,
                *(() if room else (Unavailable.RESERVATION_FULL,)),
                *((Unavailable.UNSPECIFIED,) if status.state == _EXPIRING else ()),
            ),
            reservation_id=status.id,
            reservation_type=status.reservation_type,
            reservation_interruptible=status.interruptible,
            reservation_capacity=room,
        )

    def _room(self, reservation: str) -> int:
        if self.free is None:
            return _UNKNOWN_ROOM
        return self.free[reservation].available_instance_count if reservation in self.free else 0


def _row(capacity_type: str, lane: Lane, quote: Quote, reasons: tuple[Unavailable, ...]) -> Offering:
    """One zone and capacity type (BaseResolver.ResolveOfferings)."""
    # Where EC2 does not have the type, or does not sell it so, nothing can have a price: naming that too is noise
    if not quote.known and lane.offered and Unavailable.NOT_SOLD not in reasons:
        reasons = (*reasons, Unavailable.NO_PRICE)
    return Offering(
        capacity_type=capacity_type,
        zone=lane.place.zone,
        zone_id=lane.place.zone_id,
        price=quote.price,
        unavailable=reasons,
    )
