"""Where EC2 has no stock: what would give Karpenter more to try, each option checked against stock, subnets and quotas.

Kept are the pod's amounts and volumes and what EC2, the EC2NodeClass and EC2's last refusals say; given up are the labels
that pod and NodePool ask for. What the NodePool itself excludes is named apart.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bot.diagnosis.constraints import Partition
from bot.diagnosis.quotas import quotas_of
from bot.diagnosis.reserved import LABELS, OF_POOL, Reserved, reserved
from bot.diagnosis.space import Rows
from bot.model.diagnosis import Constraint, Fact
from bot.model.labels import AWS_DOMAIN
from bot.model.world import InstanceType, Offering, World

_GPU: Final = (f"{AWS_DOMAIN}/instance-gpu-memory", f"{AWS_DOMAIN}/instance-gpu-manufacturer")

Tried = list[tuple[InstanceType, Offering]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Widening:
    """Names by what they widen, each list sorted. `excluded`: those of all lists that the NodePool does not allow."""

    zones: tuple[str, ...]
    capacity_types: tuple[str, ...]
    sizes: tuple[str, ...]
    families: tuple[str, ...]
    excluded: tuple[str, ...]
    reserved: Reserved

    @property
    def facts(self) -> Mapping[str, Fact]:
        """For the page `capacity-unavailable`."""
        return {
            "wider_zones": self.zones,
            "wider_capacity_types": self.capacity_types,
            "wider_sizes": self.sizes,
            "wider_families": self.families,
            "excluded_by_nodepool": self.excluded,
            **self.reserved.facts,
        }


def widening(partition: Partition, world: World, tried: Tried) -> Widening:
    """What else is open for the pod: other zones and capacity types of the types tried, other sizes of their families,
    other families whose GPUs have as much memory, and capacity that is held for the account or could be.
    """
    types, zones = {t.name for t, _ in tried}, {o.zone for _, o in tried}
    ways, families = {o.capacity_type for _, o in tried}, {_family(t) for t, _ in tried}
    gpus = {_gpus(t) for t, _ in tried}
    space = partition.space
    near = sum(
        1 << i for i, t in enumerate(space.types) if _family(t) in families or (any(g := _gpus(t)) and g in gpus)
    )
    labels = [f.constraint for f in partition.filters if f.constraint.kind in LABELS]
    of_pool = [c for c in labels if c.kind in OF_POOL]
    found: dict[str, set[str]] = {"zones": set(), "capacity_types": set(), "sizes": set(), "families": set()}
    allowed: set[str] = set()
    for rows, into in ((partition.passing(labels), None), (_allowed(partition, labels, of_pool), allowed)):
        for instance_type, offering in _possible(partition, world, rows & space.rows_of_types(near)):
            name, family = instance_type.name, _family(instance_type)
            options = (
                (
                    "zones",
                    offering.zone,
                    name in types and offering.zone not in zones and offering.capacity_type in ways,
                ),
                ("capacity_types", offering.capacity_type, name in types and offering.capacity_type not in ways),
                ("sizes", name, family in families and name not in types),
                (
                    "families",
                    family,
                    family not in families and _gpus(instance_type) in gpus and any(_gpus(instance_type)),
                ),
            )
            for kind, option, holds in options:
                if holds and into is None:
                    found[kind].add(option)
                elif holds and into is not None:
                    into.add(option)
    every = {option for options in found.values() for option in options}
    named = {kind: tuple(sorted(options)) for kind, options in found.items()}
    held = reserved(partition, world, space.rows_of_types(near), _has_addresses(world))
    return Widening(**named, excluded=tuple(sorted(every - allowed)), reserved=held)


def _allowed(partition: Partition, labels: Iterable[Constraint], of_pool: Iterable[Constraint]) -> Rows:
    """The same with the NodePool's own requirements kept."""
    kept = set(of_pool)
    return partition.passing([c for c in labels if c not in kept])


def _possible(partition: Partition, world: World, rows: Rows) -> Iterable[tuple[InstanceType, Offering]]:
    """Offerings with free addresses in their zone's subnets and room in their quota, as far as either is known."""
    quotas, has_addresses = quotas_of(world), _has_addresses(world)
    for instance_type, offering in partition.space.offerings(rows):
        if has_addresses(offering.zone) and quotas.short(instance_type.name, offering.capacity_type) is None:
            yield instance_type, offering


def _has_addresses(world: World) -> Callable[[str], bool]:
    """Whether a zone's subnets have a free address; one whose subnets were not read counts as having some."""
    free: dict[str, int] = {}
    for subnet in world.ec2.subnets or ():
        free[subnet.availability_zone] = free.get(subnet.availability_zone, 0) + subnet.available_ip_address_count
    return lambda zone: free.get(zone, 1) > 0


def _family(instance_type: InstanceType) -> str:
    return instance_type.name.partition(".")[0]


def _gpus(instance_type: InstanceType) -> tuple[str, ...]:
    """Memory and maker of its GPUs; nothing where it has none."""
    return tuple(value for key in _GPU for value in sorted(instance_type.labels.get(key, ())))
