"""Instance types under construction: what the AWS provider adds to the catalogue for a NodeClass and its subnets."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.oracle.catalogue import (
    CAPACITY_TYPE,
    REGION,
    RESERVATION_ID,
    RESERVATION_INTERRUPTIBLE,
    RESERVATION_TYPE,
    ZONE,
    ZONE_ID,
    catalogue,
)

Json = dict[str, object]

REGION_NAME = "us-east-1"
ZONE_IDS = {"us-east-1a": "use1-az4", "us-east-1b": "use1-az6", "us-east-1c": "use1-az1"}
ZONES = tuple(ZONE_IDS)


@dataclass(slots=True, kw_only=True)
class Reservation:
    """A capacity reservation for an instance type in one zone."""

    id: str
    zone: str
    kind: str = "default"
    left: int = 1


@dataclass(slots=True, kw_only=True)
class InstanceTypeDraft:
    """A type of the catalogue, offered in some zones. `unavailable` are (zone, capacity type) that EC2 refused lately."""

    name: str
    zones: list[str] = field(default_factory=lambda: list(ZONES))
    unavailable: set[tuple[str, str]] = field(default_factory=set)
    reservations: list[Reservation] = field(default_factory=list)
    reserved_memory: str = ""

    def json(self) -> Json:
        """The type as karpenter-provider-aws resolves it: pkg/providers/instancetype/types.go, computeRequirements."""
        entry = catalogue()[self.name]
        requirements = [
            *(_in(key, value) for key, value in entry.labels.items()),
            *(_in(key, *values) for key, values in entry.multi.items()),
            *(_absent(key) for key in entry.absent),
            _in(REGION, REGION_NAME),
            _in(ZONE, *self.zones),
            _in(ZONE_ID, *(ZONE_IDS[zone] for zone in self.zones)),
            _in(CAPACITY_TYPE, *entry.capacity_types, *(["reserved"] if self.reservations else [])),
        ]
        if self.reservations:
            requirements.append(_in(RESERVATION_ID, *(r.id for r in self.reservations)))
            requirements.append(_in(RESERVATION_TYPE, *(r.kind for r in self.reservations)))
            requirements.append(_in(RESERVATION_INTERRUPTIBLE, "false"))
        else:
            requirements += [_absent(key) for key in (RESERVATION_ID, RESERVATION_TYPE, RESERVATION_INTERRUPTIBLE)]
        reserved = dict(entry.overhead.kube_reserved)
        if self.reserved_memory:
            reserved["memory"] = self.reserved_memory
        return {
            "name": self.name,
            "requirements": requirements,
            "capacity": entry.capacity,
            "overhead": {"kubeReserved": reserved, "evictionThreshold": entry.overhead.eviction_threshold},
            "offerings": [*self._offerings(entry.capacity_types), *map(self._reserved, self.reservations)],
        }

    @property
    def _price(self) -> float:
        capacity = catalogue()[self.name].capacity
        accelerators = int(capacity["nvidia.com/gpu"]) + int(capacity["aws.amazon.com/neuron"])
        return round(0.048 * int(capacity["cpu"]) + 2.4 * accelerators, 4)

    def _offerings(self, capacity_types: tuple[str, ...]) -> list[Json]:
        """One per zone and capacity type, as offering/base_resolver.go makes them; zones not offered are unavailable."""
        return [
            {
                "requirements": [
                    _in(CAPACITY_TYPE, capacity_type),
                    _in(ZONE, zone),
                    _in(ZONE_ID, zone_id),
                    _absent(RESERVATION_ID),
                    _absent(RESERVATION_TYPE),
                    _absent(RESERVATION_INTERRUPTIBLE),
                ],
                "price": self._price if capacity_type == "on-demand" else round(self._price * 0.35, 4),
                "available": zone in self.zones and (zone, capacity_type) not in self.unavailable,
            }
            for zone, zone_id in ZONE_IDS.items()
            for capacity_type in capacity_types
        ]

    def _reserved(self, reservation: Reservation) -> Json:
        """As offering/reserved_capacity_resolver.go makes it."""
        return {
            "requirements": [
                _in(CAPACITY_TYPE, "reserved"),
                _in(ZONE, reservation.zone),
                _in(ZONE_ID, ZONE_IDS[reservation.zone]),
                _in(RESERVATION_ID, reservation.id),
                _in(RESERVATION_TYPE, reservation.kind),
                _in(RESERVATION_INTERRUPTIBLE, "false"),
            ],
            "price": self._price / 10_000_000,
            "available": reservation.left > 0 and reservation.zone in self.zones,
            "reservationCapacity": reservation.left,
        }


def _in(key: str, *values: str) -> Json:
    return {"key": key, "operator": "In", "values": list(values)}


def _absent(key: str) -> Json:
    return {"key": key, "operator": "DoesNotExist"}
