"""How an instance type can be bought: zone × capacity type, and every capacity reservation; and why it cannot.

Mirrors karpenter-provider-aws pkg/providers/instancetype/offering (base_resolver.go, reserved_capacity_resolver.go) and
pkg/providers/pricing/pricing.go (v1.14). Karpenter makes no offering for a capacity type that EC2 does not sell; here one
stands, unavailable, so that an answer can say so. What EC2 refused a moment ago is not in here: it changes by the minute.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Dollars an hour: on-demand by type, spot by type and zone. None: not read."""

    region: str
    on_demand: Mapping[str, float] | None
    spot: Mapping[tuple[str, str], float] | None

    def quote(self, name: str, zone: str, capacity_type: str) -> tuple[float | None, bool]:
        """The price, and whether Karpenter has one; a price that could not be read is taken to exist.

        Karpenter starts with a table of on-demand prices, which also serves for spot until spot prices are read (Reset,
        UpdateOnDemandPricing, SpotPrice). Such a price is another region's and old: it counts, but is not told.
        """
        if capacity_type == SPOT:
            if not self.spot:
                return None, self.spot is None or self._priced_from_start(name)
            price = self.spot.get((name, zone))
            return price, price is not None
        if self.on_demand is None:
            return None, True
        price = self.on_demand.get(name)
        return price, price is not None or self._priced_from_start(name)

    def _priced_from_start(self, name: str) -> bool:
        region = PRICED_REGIONS.index(self.region) if self.region in PRICED_REGIONS else 0
        return name in FIGURES and bool(FIGURES[name].priced >> region & 1)


def on_demand_prices(rows: Iterable[OnDemandPrice]) -> dict[str, float]:
    """Price by type, of several the one that took effect last; Karpenter passes over prices of 0 (onDemandPage)."""
    ordered = sorted((row for row in rows if row.price_per_hour), key=lambda row: row.effective)
    return {row.instance_type: row.price_per_hour for row in ordered}


def spot_prices(rows: Iterable[SpotPrice]) -> dict[tuple[str, str], float]:
    """The newest Linux price by type and zone; what is no number is passed over (spotPage)."""
    linux = sorted((row for row in rows if row.product_description in _LINUX), key=_since)
    priced = ((row, _dollars(row.spot_price)) for row in linux)
    return {(row.instance_type, row.availability_zone): price for row, price in priced if price is not None}


def _since(row: SpotPrice) -> datetime:
    since = row.timestamp or _LONG_AGO
    return since if since.tzinfo else since.replace(tzinfo=UTC)


def _dollars(text: str) -> float | None:
    try:
        price = float(text)
    except ValueError:
        return None
    return price if math.isfinite(price) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Where and for how much: all that offerings of one EC2NodeClass depend on, besides the type."""

    places: tuple[Place, ...]
    prices: Prices
    reservations: Mapping[str, Sequence[CapacityReservationStatus]]
    """Those that the EC2NodeClass found, by instance type."""
    free: Mapping[str, CapacityReservation] | None
    """EC2's own description of each reservation, by id; None: not read."""

    def offerings(
        self, info: InstanceTypeInfo, offered: frozenset[str] | None, barred: tuple[Unavailable, ...] = ()
    ) -> tuple[Offering, ...]:
        """All offerings of a type; all of them are unavailable for the reasons in `barred`.

        `offered`: the zones where EC2 has the type; None: not read, so it may be anywhere.
        """
        rows = (row for place in self.places for row in self._row(info, place, (*_misplaced(place, offered), *barred)))
        held = self.reservations.get(info.instance_type)
        return (*rows, *(self._reserved(status, offered, barred) for status in held)) if held else tuple(rows)

    def _row(self, info: InstanceTypeInfo, place: Place, barred: tuple[Unavailable, ...]) -> Iterator[Offering]:
        """On-demand and spot in one zone (BaseResolver.ResolveOfferings)."""
        for capacity_type in (ON_DEMAND, SPOT):
            price, priced = self.prices.quote(info.instance_type, place.zone, capacity_type)
            reasons = barred
            if capacity_type not in info.supported_usage_classes:
                reasons = (*reasons, Unavailable.NOT_SOLD)
            elif not priced and Unavailable.NOT_OFFERED not in reasons:
                # Where EC2 does not have the type, nothing can have a price: naming both would be noise
                reasons = (*reasons, Unavailable.NO_PRICE)
            yield Offering(
                capacity_type=capacity_type,
                zone=place.zone,
                zone_id=place.zone_id,
                price=price,
                unavailable=reasons,
            )

    def _reserved(
        self, status: CapacityReservationStatus, offered: frozenset[str] | None, barred: tuple[Unavailable, ...]
    ) -> Offering:
        """One reservation (ReservedCapacityResolver.ResolveOfferings): nearly free, yet dearer types cost more."""
        place = next((p for p in self.places if p.zone == status.availability_zone), None)
        price, _ = self.prices.quote(status.instance_type, status.availability_zone, ON_DEMAND)
        room = self._room(status.id)
        return Offering(
            capacity_type=RESERVED,
            zone=status.availability_zone,
            zone_id=place.zone_id if place else "",
            price=(price or 0.0) / _RESERVED_DISCOUNT,
            unavailable=(
                *(_misplaced(place, offered) if place else (Unavailable.NOT_OFFERED,)),
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


def _misplaced(place: Place, offered: frozenset[str] | None) -> Iterator[Unavailable]:
    if offered is not None and place.zone not in offered:
        yield Unavailable.NOT_OFFERED
    if not place.has_subnet:
        yield Unavailable.NO_SUBNET
