"""All ways to buy an instance type or family in one region: zone × capacity type, with price, marks, quota, NodePools."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from msgspec import structs

from bot.diagnosis.history import History, is_on, last_marks, read_history
from bot.diagnosis.instance_offerings import on_demand_prices, spot_prices
from bot.diagnosis.instance_tables import FIGURES
from bot.diagnosis.quotas import CAPACITY_BLOCK, Quota, quotas_of
from bot.diagnosis.spot_history import SpotDay, spot_days
from bot.market.names import Asked
from bot.market.pools import PoolUse, PoolUses, uses
from bot.model.ec2 import (
    AvailabilityZone,
    CapacityBlockOffering,
    CapacityReservation,
    Ec2Facts,
)
from bot.model.labels import ON_DEMAND, RESERVED, SPOT
from bot.model.world import Missing, Refused, World

SOLD: Final = (ON_DEMAND, SPOT)
WITHOUT_DOLLARS: Final = "cn-"
"""Regions whose prices are in yuan: none is shown, for every figure here is in dollars."""

# Why an offering is none, in the order in which it is told.
NOT_IN_ZONE: Final = "not-offered-in-zone"
NOT_SOLD: Final = "not-sold"
UNKNOWN: Final = "unknown"
NO_ROOM: Final = "reservation-full"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFigures:
    """What a type is: vCPUs, MiB, devices. All None or 0 where EC2's description was not read.

    `newer`: newer than the tables of Karpenter's figures that this bot carries.
    """

    name: str
    vcpus: int | None = None
    memory_mib: int | None = None
    gpus: int = 0
    gpu_name: str = ""
    gpu_memory_mib: int = 0
    efa: int = 0
    neuron_devices: int = 0
    newer: bool = False
    capacity_blocks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferingRow:
    """One zone and capacity type (or reservation) of one type. Dollars an hour; `offered` None: could not be read.

    `as_of`: since when the price holds (spot) or is in force (on-demand), RFC 3339 or a date. `mark`: EC2's last refusal as
    Karpenter told it, on until `mark.until`. `score`: spot placement score, 1 to 10. `free_addresses`: of the subnets read.
    """

    instance_type: str
    zone: str
    zone_id: str
    zone_type: str
    capacity_type: str
    offered: bool | None
    why_not: str = ""
    price: float | None = None
    on_demand_price: float | None = None
    as_of: str = ""
    on_demand_as_of: str = ""
    spot: SpotDay | None = None
    mark: Refused | None = None
    marked: bool = False
    metric_unavailable: bool = False
    reservation: CapacityReservation | None = None
    score: int | None = None
    quota: Quota | None = None
    quota_short: bool = False
    free_addresses: int | None = None
    pools: tuple[PoolUse, ...] = ()

    @property
    def open(self) -> bool:
        """Whether nothing that is known stands against launching one now; whether EC2 has stock, nobody can know."""
        barred = self.marked or self.quota_short or self.free_addresses == 0 or (self.metric_unavailable and self.pools)
        return bool(self.offered) and not barred

    @property
    def nodepools(self) -> tuple[str, ...]:
        """The NodePools that could use it now."""
        return tuple(use.name for use in self.pools if not use.why_not)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferingsTable:
    """The whole answer. `quotas`: those that the rows count against."""

    region: str
    asked: Asked
    now: datetime
    types: tuple[TypeFigures, ...]
    rows: tuple[OfferingRow, ...]
    quotas: tuple[Quota, ...]
    reservations: tuple[CapacityReservation, ...]
    blocks: tuple[CapacityBlockOffering, ...]
    account: str
    missing: tuple[Missing, ...]
    notes: tuple[str, ...] = ()

    @property
    def offered(self) -> bool | None:
        """Whether EC2 sells any of it anywhere in the region; None: could not be read."""
        said = {row.offered for row in self.rows if row.capacity_type != RESERVED}
        return True if True in said else None if None in said or not said else False

    @property
    def cheapest(self) -> OfferingRow | None:
        """The cheapest row that is open and has a price."""
        priced = [row for row in self.rows if row.open and row.price is not None and row.capacity_type != RESERVED]
        return min(priced, key=lambda row: (row.price or 0.0, row.instance_type, row.zone), default=None)


def narrowed(world: World, names: Iterable[str]) -> World:
    """The World as if EC2 had described these types alone: a table of one family needs no catalogue of a whole region."""
    if world.ec2.instance_types is None:
        return world
    wanted = frozenset(names)
    described = tuple(info for info in world.ec2.instance_types if info.instance_type in wanted)
    return replace(world, ec2=structs.replace(world.ec2, instance_types=described))


def offerings_table(world: World, asked: Asked) -> OfferingsTable:
    """The table for the types asked for. The World's catalogues need to have no more than these types."""
    figures = tuple(sorted((_figures(name, world.ec2) for name in asked.instance_types), key=_size))
    reading = _Reading(world, read_history(world))
    pools = uses(world, asked.instance_types)
    rows = tuple(row for one in figures for row in reading.rows(one.name, pools))
    counted = {row.quota.code: row.quota for row in rows if row.quota is not None}
    return OfferingsTable(
        region=world.ec2.region,
        asked=asked,
        now=world.now,
        types=figures,
        rows=rows,
        quotas=tuple(counted.values()),
        reservations=tuple(row.reservation for row in rows if row.reservation is not None),
        blocks=tuple(b for b in world.ec2.capacity_blocks or () if b.instance_type in asked.instance_types),
        account=next((one.account for one in world.ec2.identity or ()), ""),
        missing=world.missing,
        notes=tuple(_notes(world, figures)),
    )


def _figures(name: str, ec2: Ec2Facts) -> TypeFigures:
    info = next((info for info in ec2.instance_types or () if info.instance_type == name), None)
    newer = name not in FIGURES
    if info is None:
        return TypeFigures(name=name, newer=newer)
    gpu = info.gpu_info.gpus[0] if info.gpu_info and info.gpu_info.gpus else None
    efa = info.network_info.efa_info
    return TypeFigures(
        name=name,
        vcpus=info.v_cpu_info.default_v_cpus,
        memory_mib=info.memory_info.size_in_mi_b,
        gpus=gpu.count if gpu else 0,
        gpu_name=f"{gpu.manufacturer} {gpu.name}".strip() if gpu else "",
        gpu_memory_mib=gpu.memory_info.size_in_mi_b if gpu else 0,
        efa=efa.maximum_efa_interfaces if info.network_info.efa_supported and efa else 0,
        neuron_devices=sum(d.count for d in info.neuron_info.neuron_devices) if info.neuron_info else 0,
        newer=newer,
        capacity_blocks=CAPACITY_BLOCK in info.supported_usage_classes,
    )


def _size(figures: TypeFigures) -> tuple[str, int, str]:
    return figures.name.partition(".")[0], figures.vcpus or 0, figures.name


def _notes(world: World, figures: Sequence[TypeFigures]) -> Iterator[str]:
    if any(one.newer for one in figures):
        yield "newer-than-tables"
    if any(subnet.outpost_arn for subnet in world.ec2.subnets or ()):
        yield "outposts"
    if world.ec2.region.startswith(WITHOUT_DOLLARS):
        yield "no-dollar-prices"


class _Reading:
    """The World's facts, indexed once for all rows."""

    def __init__(self, world: World, history: History) -> None:
        ec2 = world.ec2
        self.now = world.now
        self.infos = {info.instance_type: info for info in ec2.instance_types or ()}
        self.offered = _offered(ec2)
        self.zones = _zones(ec2)
        self.on_demand = on_demand_prices(ec2.on_demand_prices or ())
        self.effective = {p.instance_type: p.effective for p in ec2.on_demand_prices or ()}
        self.spot = spot_prices(ec2.spot_prices or ec2.spot_history or ())
        self.days = spot_days((*(ec2.spot_history or ()), *(ec2.spot_prices or ())), world.now)
        self.marks = {(m.instance_type, m.zone, m.capacity_type): m for m in last_marks(world, history)}
        self.metric = world.unavailable_in_metrics
        self.held = ec2.capacity_reservations or ()
        self.quotas = quotas_of(world)
        self.addresses = _addresses(ec2)
        self.scores = {
            (score.instance_type, score.availability_zone_id): score.score for score in ec2.placement_scores or ()
        }

    def rows(self, name: str, pools: PoolUses) -> Iterator[OfferingRow]:
        """Every zone on demand and as spot, then every reservation of the type."""
        for zone in self.zones:
            for capacity_type in SOLD:
                yield self._sold(name, zone, capacity_type, pools)
        for held in self.held:
            if held.instance_type == name:
                yield self._reserved(held, pools)

    def _sold(self, name: str, zone: AvailabilityZone, capacity_type: str, pools: PoolUses) -> OfferingRow:
        offered, why_not = self._is_offered(name, zone.zone_name, capacity_type)
        spot = capacity_type == SPOT
        day = self.days.get((name, zone.zone_name)) if spot else None
        price = self.spot.get((name, zone.zone_name)) if spot else self.on_demand.get(name)
        quota = self.quotas.of(name, capacity_type)
        mark = self.marks.get((name, zone.zone_name, capacity_type))
        return OfferingRow(
            instance_type=name,
            zone=zone.zone_name,
            zone_id=zone.zone_id,
            zone_type=zone.zone_type,
            capacity_type=capacity_type,
            offered=offered,
            why_not=why_not,
            price=price if offered is not False else None,
            on_demand_price=self.on_demand.get(name),
            as_of=self._as_of(name, day, spot=spot) if price is not None else "",
            on_demand_as_of=self.effective.get(name, ""),
            spot=day if offered is not False else None,
            mark=mark,
            marked=is_on(mark, self.now),
            metric_unavailable=(name, zone.zone_name, capacity_type) in self.metric,
            score=self._score(name, zone.zone_id) if spot else None,
            quota=quota,
            quota_short=self.quotas.short(name, capacity_type) is not None,
            free_addresses=self.addresses.get(zone.zone_name),
            pools=pools.get((name, zone.zone_name, capacity_type, ""), ()),
        )

    def _reserved(self, held: CapacityReservation, pools: PoolUses) -> OfferingRow:
        room = held.available_instance_count > 0 and held.state == "active"
        zone = next((z for z in self.zones if z.zone_name == held.availability_zone), None)
        return OfferingRow(
            instance_type=held.instance_type,
            zone=held.availability_zone,
            zone_id=zone.zone_id if zone else "",
            zone_type=zone.zone_type if zone else "",
            capacity_type=RESERVED,
            offered=room,
            why_not="" if room else NO_ROOM,
            on_demand_price=self.on_demand.get(held.instance_type),
            on_demand_as_of=self.effective.get(held.instance_type, ""),
            reservation=held,
            free_addresses=self.addresses.get(held.availability_zone),
            pools=pools.get((held.instance_type, held.availability_zone, RESERVED, held.capacity_reservation_id), ()),
        )

    def _is_offered(self, name: str, zone: str, capacity_type: str) -> tuple[bool | None, str]:
        info = self.infos.get(name)
        if self.offered is not None and zone not in self.offered.get(name, ()):
            return False, NOT_IN_ZONE
        if info is not None and capacity_type not in info.supported_usage_classes:
            return False, NOT_SOLD
        return (None, UNKNOWN) if self.offered is None or info is None else (True, "")

    def _as_of(self, name: str, day: SpotDay | None, *, spot: bool) -> str:
        if not spot:
            return self.effective.get(name, "")
        return day.as_of.isoformat() if day else ""

    def _score(self, name: str, zone_id: str) -> int | None:
        """The type's own, else its family's, else that of all types asked about together."""
        asked = (self.scores.get((one, zone_id)) for one in (name, name.partition(".")[0], ""))
        return next((score for score in asked if score is not None), None)


def _offered(ec2: Ec2Facts) -> Mapping[str, frozenset[str]] | None:
    if ec2.offerings is None:
        return None
    found: dict[str, set[str]] = {}
    for row in ec2.offerings:
        if row.location_type == "availability-zone":
            found.setdefault(row.instance_type, set()).add(row.location)
    return {name: frozenset(zones) for name, zones in found.items()}


def _zones(ec2: Ec2Facts) -> tuple[AvailabilityZone, ...]:
    """The region's zones with their ids, sorted: as EC2 lists them, else every zone that an offering or a subnet names.

    A name (`us-east-1a`) means another place in every account, an id (`use1-az4`) the same: only EC2 may pair them.
    """
    listed = {zone.zone_name: zone for zone in ec2.zones or () if zone.opt_in_status != "not-opted-in"}
    for subnet in ec2.subnets or ():
        if subnet.availability_zone:
            listed.setdefault(
                subnet.availability_zone,
                AvailabilityZone(zone_name=subnet.availability_zone, zone_id=subnet.availability_zone_id),
            )
    for row in ec2.offerings or ():
        if row.location_type == "availability-zone":
            listed.setdefault(row.location, AvailabilityZone(zone_name=row.location, zone_type=""))
    return tuple(listed[name] for name in sorted(listed))


def _addresses(ec2: Ec2Facts) -> Mapping[str, int]:
    free: dict[str, int] = {}
    for subnet in ec2.subnets or ():
        free[subnet.availability_zone] = free.get(subnet.availability_zone, 0) + subnet.available_ip_address_count
    return free
