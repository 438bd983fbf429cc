"""From EC2's descriptions to the instance types that Karpenter schedules with, for one EC2NodeClass.

Mirrors karpenter-provider-aws pkg/providers/instancetype (v1.14): UpdateInstanceTypes (which types exist), NewInstanceType
(labels, capacity, overhead) and offering/offering.go, InjectOfferings. The parts that are the same for every EC2NodeClass
are made once per region by `prepared`, and `catalogue` adds the rest: so ten classes do not cost ten times.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.diagnosis.ami_families import AmiFamily
from bot.diagnosis.instance_capacity import MEMORY, Machine, Sizing, allocatable
from bot.diagnosis.instance_compatibility import is_compatible
from bot.diagnosis.instance_labels import ARCHITECTURES, NOTHING, architecture, one, own_labels
from bot.diagnosis.instance_offerings import Lane, Market, Place, Prices, lanes, on_demand_prices, spot_prices
from bot.model.ec2 import CapacityReservation, Ec2Facts, InstanceTypeInfo
from bot.model.karpenter import CapacityReservationStatus, EC2NodeClass
from bot.model.labels import (
    AUTO_MODE_DOMAIN,
    AWS_DOMAIN,
    CAPACITY_TYPE,
    INSTANCE_LABELS,
    ON_DEMAND,
    OS,
    REGION,
    RESERVATION_ID,
    RESERVATION_INTERRUPTIBLE,
    RESERVATION_TYPE,
    RESERVED,
    SPOT,
    WINDOWS_BUILD,
    ZONE,
    ZONE_ID,
)
from bot.model.quantities import Quantity
from bot.model.world import Catalogue, InstanceType, Settings, Unavailable

Labels = Mapping[str, frozenset[str]]
AUTO_MODE_NAMES: Final = {key: f"{AUTO_MODE_DOMAIN}/{key.partition('/')[2]}" for key in INSTANCE_LABELS}
_NO_MEMORY: Final[Mapping[str, Quantity]] = {}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """One type of a region: `zones` are where EC2 has it (None: not read)."""

    info: InstanceTypeInfo
    machine: Machine
    labels: Labels
    zones: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """What the facts of one region come to before any EC2NodeClass is looked at. Keep it as long as the facts hold."""

    name: str
    members: tuple[Member, ...]
    zones: tuple[str, ...]
    """Every zone in which EC2 offers anything, sorted; where that was not read, every zone that has a subnet."""
    zone_ids: Mapping[str, str]
    prices: Prices
    reservations: Mapping[str, CapacityReservation] | None


def resolve(
    ec2: Ec2Facts,
    node_class: EC2NodeClass | None,
    settings: Settings,
    memory: Mapping[str, Quantity] = _NO_MEMORY,
) -> Catalogue:
    """Every instance type, as Karpenter resolves it for the EC2NodeClass, in the order of EC2's description.

    `memory`: type name to the memory that running nodes really have (bot/diagnosis/instance_memory.py). Refusals of the
    last minutes are not in here. The catalogue is empty when EC2's descriptions were not read.
    """
    return catalogue(prepared(ec2), node_class, settings, memory)


def is_schedulable(info: InstanceTypeInfo) -> bool:
    """Whether Karpenter asks EC2 for the type at all (instancetype.go, UpdateInstanceTypes)."""
    known = any(a in ARCHITECTURES for a in info.processor_info.supported_architectures)
    return known and "hvm" in info.supported_virtualization_types


def prepared(ec2: Ec2Facts) -> Region:
    """Works out all that does not depend on an EC2NodeClass."""
    offered = _offered_zones(ec2)
    subnets = ec2.subnets or ()
    everywhere = {zone for zones in (offered or {}).values() for zone in zones}
    described = {info.instance_type: info for info in ec2.instance_types or ()}
    members = tuple(
        Member(
            info=info,
            machine=Machine.of(info),
            labels={**own_labels(info), **_region_labels(info, ec2.region)},
            zones=None if offered is None else offered.get(info.instance_type, NOTHING),
        )
        for info in described.values()
        if is_schedulable(info)
    )
    return Region(
        name=ec2.region,
        members=members,
        zones=tuple(sorted(everywhere or {subnet.availability_zone for subnet in subnets})),
        zone_ids={subnet.availability_zone: subnet.availability_zone_id for subnet in subnets},
        prices=Prices(
            region=ec2.region,
            on_demand=None if ec2.on_demand_prices is None else on_demand_prices(ec2.on_demand_prices),
            spot=None if ec2.spot_prices is None else spot_prices(ec2.spot_prices),
        ),
        reservations=None
        if ec2.capacity_reservations is None
        else {r.capacity_reservation_id: r for r in ec2.capacity_reservations},
    )


def _offered_zones(ec2: Ec2Facts) -> Mapping[str, frozenset[str]] | None:
    """Zones by type. None when they were not read, or read by region only (the AWS CLI's own default)."""
    rows = [row for row in ec2.offerings or () if row.location_type == "availability-zone"]
    if ec2.offerings is None or (ec2.offerings and not rows):
        return None
    zones: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        zones[row.instance_type].add(row.location)
    shared: dict[frozenset[str], frozenset[str]] = {}
    return {name: shared.setdefault(frozenset(found), frozenset(found)) for name, found in zones.items()}


def catalogue(
    region: Region,
    node_class: EC2NodeClass | None,
    settings: Settings,
    memory: Mapping[str, Quantity] = _NO_MEMORY,
) -> Catalogue:
    """The region's types for one EC2NodeClass; None stands for one that leaves everything to Karpenter, on any subnet."""
    sizing = Sizing.of(node_class, settings)
    own_reservations = _reservations(node_class)
    market = Market(
        prices=region.prices,
        reservations=own_reservations if settings.reserved_capacity else {},
        free=region.reservations,
    )
    places = _places(region, node_class)
    of_class = {arch: _class_labels(node_class, sizing.family, arch) for arch in ARCHITECTURES.values()}
    reaches: dict[frozenset[str] | None, Reach] = {}
    types: list[InstanceType] = []
    for member in region.members:
        info = member.info
        if member.zones not in reaches:
            reaches[member.zones] = Reach.of(places, member.zones)
        reach = reaches[member.zones]
        capacity = sizing.capacity(member.machine)
        overhead = sizing.overhead(member.machine, capacity)
        # A node's real memory replaces the estimate in capacity, not in the thresholds made from it (instancetype.go, get)
        if info.instance_type in memory:
            capacity[MEMORY] = memory[info.instance_type]
        barred = () if is_compatible(info, node_class) else (Unavailable.INCOMPATIBLE,)
        labels = {**member.labels, **reach.labels, **of_class[architecture(info)]}
        if info.instance_type in own_reservations:
            labels |= _reservation_labels(own_reservations[info.instance_type], labels[CAPACITY_TYPE])
        types.append(
            InstanceType(
                name=info.instance_type,
                labels=labels,
                capacity=capacity,
                allocatable=allocatable(capacity, overhead),
                offerings=market.offerings(info, reach.lanes, barred),
            )
        )
    return Catalogue(types=tuple(types))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reach:
    """What a set of zones in which EC2 has a type means: few such sets serve all types of a region."""

    lanes: tuple[Lane, ...]
    labels: Labels

    @classmethod
    def of(cls, places: tuple[Place, ...], offered: frozenset[str] | None) -> "Reach":
        """The zone labels are those zones where EC2 has the type and the EC2NodeClass a subnet (computeRequirements).

        When not a single zone of the region is known, the labels stay undefined rather than empty.
        """
        reached = lanes(places, offered)
        within = [lane.place for lane in reached if not lane.barred]
        ids = frozenset(place.zone_id for place in within if place.zone_id)
        zones = frozenset(place.zone for place in within)
        return cls(lanes=reached, labels={**({ZONE: zones} if places else {}), **({ZONE_ID: ids} if ids else {})})


def _places(region: Region, node_class: EC2NodeClass | None) -> tuple[Place, ...]:
    """The region's zones as the EC2NodeClass sees them. No subnet in its status: they are not known, so any may be there."""
    subnets = node_class.status.subnets if node_class else ()
    ids = {**region.zone_ids, **{subnet.zone: subnet.zone_id for subnet in subnets if subnet.zone_id}}
    own = {subnet.zone for subnet in subnets}
    return tuple(
        Place(zone=zone, zone_id=ids.get(zone, ""), has_subnet=not own or zone in own)
        for zone in region.zones or sorted(own)
    )


def _reservations(node_class: EC2NodeClass | None) -> Mapping[str, list[CapacityReservationStatus]]:
    by_type: dict[str, list[CapacityReservationStatus]] = defaultdict(list)
    for reservation in node_class.status.capacity_reservations if node_class else ():
        by_type[reservation.instance_type].append(reservation)
    return by_type


def _region_labels(info: InstanceTypeInfo, region: str) -> Labels:
    """How the type can be bought somewhere in the region; reservations are the EC2NodeClass's."""
    return {
        CAPACITY_TYPE: frozenset(c for c in (ON_DEMAND, SPOT) if c in info.supported_usage_classes),
        **dict.fromkeys((RESERVATION_ID, RESERVATION_TYPE, RESERVATION_INTERRUPTIBLE), NOTHING),
        **({REGION: one(region)} if region else {}),
    }


def _reservation_labels(reservations: Sequence[CapacityReservationStatus], sold: frozenset[str]) -> Labels:
    return {
        CAPACITY_TYPE: sold | {RESERVED},
        RESERVATION_ID: frozenset(r.id for r in reservations),
        RESERVATION_TYPE: frozenset(r.reservation_type for r in reservations),
        RESERVATION_INTERRUPTIBLE: frozenset(str(r.interruptible).lower() for r in reservations),
    }


def _class_labels(node_class: EC2NodeClass | None, family: AmiFamily, arch: str) -> Labels:
    """The operating system (getOS: Windows images exist for amd64 alone), and the placement group when it has an id here."""
    selector = node_class.spec.placement_group_selector if node_class else None
    group: Labels = {f"{AWS_DOMAIN}/placement-group-id": one(selector.id)} if selector and selector.id else {}
    if not family.windows_build:
        return {OS: one("linux"), WINDOWS_BUILD: NOTHING, **group}
    return {OS: one("windows") if arch == "amd64" else NOTHING, WINDOWS_BUILD: one(family.windows_build), **group}


def for_auto_mode(found: Catalogue) -> Catalogue:
    """The same types for a NodePool of EKS Auto Mode, which names its instance labels `eks.amazonaws.com/instance-...`."""
    return Catalogue(types=tuple(replace(t, labels=_auto_mode_labels(t.labels)) for t in found.types))


def _auto_mode_labels(labels: Labels) -> Labels:
    renamed = ((AUTO_MODE_NAMES.get(key, key), values) for key, values in labels.items())
    return {key: values for key, values in renamed if not key.startswith(f"{AWS_DOMAIN}/")}
