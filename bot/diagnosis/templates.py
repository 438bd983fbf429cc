"""NodePools as Karpenter schedules with them: which count, in which order, what they require, what daemons take.

Mirrors karpenter pkg/controllers/provisioning/{provisioner.go NewScheduler, scheduling/nodeclaimtemplate.go,
scheduling/scheduler.go} and pkg/utils/nodepool/nodepool.go (v1.15).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.diagnosis.daemons import DaemonPod, Daemons, Grounds, overhead_groups
from bot.diagnosis.indexes import Types
from bot.diagnosis.releases import DAEMONS_BY_TYPE, MIN_VALUES_WITHIN, NEWEST, READY_LABELS, Version
from bot.diagnosis.requirements import Requirement, Requirements, parse_terms
from bot.diagnosis.space import Space, indexed
from bot.diagnosis.state_nodes import capacity_of_pools
from bot.model.karpenter import NodePool
from bot.model.labels import (
    AUTO_MODE_DOMAIN,
    AUTO_MODE_WELL_KNOWN,
    AWS_DOMAIN,
    INITIALIZED,
    NODEPOOL,
    REGISTERED,
    WELL_KNOWN,
)
from bot.model.quantities import Resources, less
from bot.model.world import Refused, World

NODE_CLASSES: Final = frozenset(
    {
        (AWS_DOMAIN, "EC2NodeClass"),
        ("", "EC2NodeClass"),  # v1beta1 allowed to leave the group out
        (AUTO_MODE_DOMAIN, "NodeClass"),
        ("karpenter.kwok.sh", "KWOKNodeClass"),
    }
)
"""Node classes whose Karpenter we mirror: self-managed on AWS, EKS Auto Mode, and the provider of the test bed."""

READY: Final = (Requirement.of(REGISTERED, "In", ("true",)), Requirement.of(INITIALIZED, "In", ("true",)))
"""The labels that every node has which is ready for pods."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """One NodePool, ready to be tried: its requirements, its types, what daemons take, what its limits leave."""

    pool: NodePool
    space: Space
    requirements: Requirements
    types: Types
    daemons: tuple[Daemons, ...]
    remaining: Resources | None
    min_values_unmet: tuple[str, ...] = ()
    daemons_before: tuple[DaemonPod, ...] = ()
    """The DaemonSets' pods as the NodePools before have left them; what is left of them after this one comes next."""
    daemons_after: tuple[DaemonPod, ...] = ()

    @property
    def name(self) -> str:
        return self.pool.metadata.name


def ready_problem(pool: NodePool) -> str:
    """Why Karpenter does not look at the pool at all, or "". Values: `static`, `not ready`, `deleting`, `foreign`."""
    if pool.spec.replicas is not None:
        return "static"
    ready = next((c for c in pool.status.conditions if c.type == "Ready"), None)
    # v1beta1 before v0.37 had no Ready condition; a NodePool without any conditions was never judged
    if ready is not None and ready.status != "True":
        return "not ready"
    if pool.metadata.deletion_timestamp is not None:
        return "deleting"
    ref = pool.spec.template.spec.node_class_ref
    return "" if not ref.kind or (ref.group, ref.kind) in NODE_CLASSES else "foreign"


def well_known(pool: NodePool) -> frozenset[str]:
    """Labels that the NodePool need not define because the instance type decides them; EKS Auto Mode has its own names."""
    return AUTO_MODE_WELL_KNOWN if pool.spec.template.spec.node_class_ref.group == AUTO_MODE_DOMAIN else WELL_KNOWN


def by_weight(pools: Sequence[NodePool]) -> list[NodePool]:
    """Karpenter's order: weight, then name, both descending (nodepool.go, OrderByWeight)."""
    return sorted(pools, key=lambda p: (p.spec.weight, p.metadata.name), reverse=True)


def node_class_key(pool: NodePool) -> str:
    """The label by which a node names its node class: `karpenter.k8s.aws/ec2nodeclass`."""
    ref = pool.spec.template.spec.node_class_ref
    return f"{ref.group or AWS_DOMAIN}/{(ref.kind or 'EC2NodeClass').lower()}"


def implied_labels(pool: NodePool) -> dict[str, str]:
    """The labels that Karpenter adds to every node of the pool (NewNodeClaimTemplate)."""
    return {NODEPOOL: pool.metadata.name, node_class_key(pool): pool.spec.template.spec.node_class_ref.name}


def pool_requirements(pool: NodePool, version: Version = NEWEST) -> Requirements:
    """requirements ∩ template labels ∩ implied labels ∩ the two labels that every ready node has."""
    return Requirements(
        (
            *parse_terms(pool.spec.template.spec.requirements),
            *Requirements.from_labels(pool.spec.template.metadata.labels).values(),
            *Requirements.from_labels(implied_labels(pool)).values(),
            *(READY if version >= READY_LABELS else ()),
        )
    )


def min_values_unmet(requirements: Requirements, space: Space, types: Types, version: Version) -> dict[str, int]:
    """Keys whose minValues the types do not reach, with the number of values they have (types.go, SatisfiesMinValues)."""
    unmet: dict[str, int] = {}
    for key, requirement in requirements.items():
        if requirement.min_values is None or not types:
            continue
        having = space.axis(key).having.items()
        values = [v for v, of_value in having if of_value & types and (version < MIN_VALUES_WITHIN or v in requirement)]
        if len(values) < requirement.min_values:
            unmet[key] = len(values)
    return unmet


def templates(
    world: World, refused: Sequence[Refused], version: Version, daemons: tuple[DaemonPod, ...]
) -> tuple[Template, ...]:
    """The usable NodePools in Karpenter's order, each with the types that its own requirements leave."""
    usable = [p for p in world.node_pools if not ready_problem(p) and p.metadata.name in world.catalogues]
    built: list[Template] = []
    for pool in by_weight(usable):
        one = template(world, pool, refused, version, daemons)
        if one.types:
            daemons = one.daemons_after
            built.append(one)
    return tuple(built)


def template(
    world: World, pool: NodePool, refused: Sequence[Refused], version: Version, daemons: tuple[DaemonPod, ...]
) -> Template:
    """One NodePool's template. `types` is empty when its requirements leave no available type (NewScheduler's filter).

    `daemons`: the DaemonSets' pods as the NodePools before have left them.
    """
    space = indexed(world.catalogues[pool.metadata.name]).refusing(refused)
    requirements = pool_requirements(pool, version)
    types = space.types_meeting(requirements) & space.healthy & space.types_offered(requirements)
    unmet = min_values_unmet(requirements, space, types, version)
    if unmet and world.settings.min_values_policy == "Strict":
        types = 0
    taints = pool.spec.template.spec.taints
    grounds = Grounds(
        space=space,
        requirements=requirements,
        taints=taints,
        types=types,
        well_known=well_known(pool),
        by_type=version >= DAEMONS_BY_TYPE,
    )
    groups, after = overhead_groups(grounds, daemons)
    return Template(
        pool=pool,
        space=space,
        requirements=requirements,
        types=types,
        daemons=groups,
        remaining=remaining_limits(world, pool),
        min_values_unmet=tuple(sorted(unmet)),
        daemons_before=daemons,
        daemons_after=after,
    )


def remaining_limits(world: World, pool: NodePool) -> Resources | None:
    """limits − capacity of the pool's nodes and NodeClaims that are not being deleted; None without limits.

    Source: scheduler.go, updateRemainingResources.
    """
    if not pool.spec.limits:
        return None
    return less(pool.spec.limits, capacity_of_pools(world).get(pool.metadata.name, {}))


def within_limits(space: Space, types: Types, remaining: Resources | None) -> Types:
    """Types whose whole capacity fits into what the limits leave (scheduler.go, filterByRemainingResources)."""
    if remaining is None:
        return types
    for resource, left in remaining.items():
        types &= space.types_within(resource, left)
    return types
