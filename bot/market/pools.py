"""Which NodePools could use which offerings, and what keeps the others from those that they allow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.diagnosis.releases import NEWEST
from bot.diagnosis.space import Rows, Space
from bot.diagnosis.templates import Template, by_weight, ready_problem, template, within_limits
from bot.model.karpenter import NodePool
from bot.model.world import InstanceType, Offering, Refused, Unavailable, World

NOT_READY: Final = "not-ready"
AT_LIMIT: Final = "limit-reached"

Key = tuple[str, str, str, str]
"""(instance type, zone, capacity type, reservation id or "")."""

_NEVER: Final = (Unavailable.NOT_OFFERED, Unavailable.NOT_SOLD, Unavailable.NO_SUBNET, Unavailable.INCOMPATIBLE)
"""What bars an offering for good; all else passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """A NodePool that allows an offering. `why_not`: what keeps it from launching it now, or ""."""

    name: str
    why_not: str = ""


PoolUses = Mapping[Key, tuple[PoolUse, ...]]


def allowed(built: Template, names: Iterable[str] | None = None) -> Rows:
    """The offerings that the NodePool's own requirements and its node class allow, stock and limits aside."""
    space = built.space
    rows = space.rows_of_types(space.types_meeting(built.requirements) & space.healthy)
    rows &= space.rows_of_slots(space.slots_meeting(built.requirements))
    for reason in _NEVER:
        rows &= ~space.reasons.get(reason, 0)
    if names is not None:
        rows &= space.rows_of_types(_types(space, names))
    return rows


def _types(space: Space, names: Iterable[str]) -> int:
    return sum(1 << space.position[name] for name in names if name in space.position)


def configured(world: World, pool: NodePool, refused: Sequence[Refused] = ()) -> Template:
    """The NodePool as it is configured. Daemons take room on a node, they do not keep one from being launched."""
    return template(world, pool, refused, NEWEST, ())


def uses(world: World, names: Iterable[str]) -> PoolUses:
    """Offering -> the NodePools that allow it, in Karpenter's order. Empty where EC2's types were not read."""
    wanted = tuple(names)
    found: dict[Key, list[PoolUse]] = {}
    for pool in by_weight(world.node_pools):
        if pool.metadata.name not in world.catalogues:
            continue
        built = configured(world, pool)
        within = within_limits(built.space, built.space.all_types, built.remaining)
        for instance_type, offering in built.space.offerings(allowed(built, wanted)):
            fits = bool(within >> built.space.position[instance_type.name] & 1)
            why_not = NOT_READY if ready_problem(pool) else "" if fits else AT_LIMIT
            found.setdefault(_key(instance_type, offering), []).append(
                PoolUse(name=pool.metadata.name, why_not=why_not)
            )
    return {key: tuple(pools) for key, pools in found.items()}


def _key(instance_type: InstanceType, offering: Offering) -> Key:
    return instance_type.name, offering.zone, offering.capacity_type, offering.reservation_id
