"""NodePools as Karpenter schedules with them: which count, in which order, what they require, what daemons take.

Mirrors karpenter pkg/controllers/provisioning/{provisioner.go NewScheduler, scheduling/nodeclaimtemplate.go,
scheduling/scheduler.go} and pkg/utils/nodepool/nodepool.go (v1.15).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.diagnosis.pods import HostPort, first_variant, host_ports_of, relax, requests_of, untolerated
from bot.diagnosis.releases import MIN_VALUES_WITHIN, NEWEST, Version
from bot.diagnosis.requirements import Requirement, Requirements, parse_terms
from bot.diagnosis.space import Space, Types, bits, indexed
from bot.diagnosis.state_nodes import state_nodes
from bot.model.karpenter import NodePool
from bot.model.kubernetes import DaemonSet, Pod, PodSpec, Toleration
from bot.model.labels import (
    AUTO_MODE_DOMAIN,
    AUTO_MODE_WELL_KNOWN,
    AWS_DOMAIN,
    INITIALIZED,
    NODEPOOL,
    REGISTERED,
    WELL_KNOWN,
)
from bot.model.quantities import ZERO, Resources, less, total
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
_TOLERATE_PREFERENCES: Final = Toleration(operator="Exists", effect="PreferNoSchedule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemons:
    """The DaemonSets that would run on these types, and what they take together."""

    types: Types
    overhead: Resources
    host_ports: tuple[HostPort, ...]
    names: tuple[str, ...]


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


def pool_requirements(pool: NodePool) -> Requirements:
    """requirements ∩ template labels ∩ implied labels ∩ the two labels that every ready node has."""
    return Requirements(
        (
            *parse_terms(pool.spec.template.spec.requirements),
            *Requirements.from_labels(pool.spec.template.metadata.labels).values(),
            *Requirements.from_labels(implied_labels(pool)).values(),
            Requirement.of(REGISTERED, "In", ("true",)),
            Requirement.of(INITIALIZED, "In", ("true",)),
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


def templates(world: World, refused: Sequence[Refused], version: Version = NEWEST) -> tuple[Template, ...]:
    """The usable NodePools in Karpenter's order, each with the types that its own requirements leave."""
    usable = [p for p in world.node_pools if not ready_problem(p) and p.metadata.name in world.catalogues]
    built = (template(world, pool, refused, version) for pool in by_weight(usable))
    return tuple(t for t in built if t.types)


def template(world: World, pool: NodePool, refused: Sequence[Refused], version: Version = NEWEST) -> Template:
    """One NodePool's template. `types` is empty when its requirements leave no available type (NewScheduler's filter)."""
    space = indexed(world.catalogues[pool.metadata.name]).refusing(refused)
    requirements = pool_requirements(pool)
    types = space.types_meeting(requirements) & space.healthy & space.types_offered(requirements)
    unmet = min_values_unmet(requirements, space, types, version)
    if unmet and world.settings.min_values_policy == "Strict":
        types = 0
    return Template(
        pool=pool,
        space=space,
        requirements=requirements,
        types=types,
        daemons=daemons_of(world, pool, requirements, space),
        remaining=remaining_limits(world, pool),
        min_values_unmet=tuple(sorted(unmet)),
    )


def remaining_limits(world: World, pool: NodePool) -> Resources | None:
    """limits − capacity of the pool's nodes and NodeClaims that are not being deleted; None without limits.

    Source: scheduler.go, updateRemainingResources.
    """
    if not pool.spec.limits:
        return None
    name = pool.metadata.name
    return less(
        pool.spec.limits,
        total(n.capacity for n in state_nodes(world) if n.labels.get(NODEPOOL) == name and not n.deleting),
    )


def within_limits(space: Space, types: Types, remaining: Resources | None) -> Types:
    """Types whose whole capacity fits into what the limits leave (scheduler.go, filterByRemainingResources)."""
    if remaining is None:
        return types
    return sum(
        1 << i
        for i in bits(types)
        if all(not left < space.types[i].capacity.get(resource, ZERO) for resource, left in remaining.items())
    )


def daemons_of(world: World, pool: NodePool, requirements: Requirements, space: Space) -> tuple[Daemons, ...]:
    """The types in groups that run the same DaemonSets (scheduler.go, buildDaemonOverheadGroups)."""
    groups: dict[tuple[int, ...], Types] = {(): space.all_types}
    for index, daemon_set in enumerate(world.daemon_sets):
        running = _types_running(world, daemon_set, pool, requirements, space)
        split: dict[tuple[int, ...], Types] = {}
        for members, types in groups.items():
            if types & running:
                split[(*members, index)] = types & running
            if types & ~running:
                split[members] = types & ~running
        groups = split
    return tuple(_daemons(world, members, types) for members, types in groups.items() if types)


def _daemons(world: World, members: tuple[int, ...], types: Types) -> Daemons:
    daemon_sets = [world.daemon_sets[i] for i in members]
    specs = [_daemon_spec(world, d) for d in daemon_sets]
    return Daemons(
        types=types,
        overhead=total(requests_of(spec) for spec in specs),
        host_ports=tuple(port for spec in specs for port in host_ports_of(spec)),
        names=tuple(d.metadata.name for d in daemon_sets),
    )


def _daemon_spec(world: World, daemon_set: DaemonSet) -> PodSpec:
    """A running pod of the DaemonSet shows what admission made of it; without one, the template (getDaemonSetPods)."""
    uid = daemon_set.metadata.uid
    pods = [p for p in world.pods if uid and any(o.uid == uid for o in p.metadata.owner_references)]
    newest = max(pods, key=lambda p: str(p.metadata.creation_timestamp or ""), default=None)
    return newest.spec if newest else daemon_set.spec.template.spec


def _types_running(
    world: World, daemon_set: DaemonSet, pool: NodePool, requirements: Requirements, space: Space
) -> Types:
    """The types on which a pod of the DaemonSet would run (scheduler.go, isDaemonPodCompatible): its OR-terms in turn."""
    spec = daemon_set.spec.template.spec
    if spec.resource_claims and world.settings.ignore_dra_requests:
        return 0
    if untolerated((*spec.tolerations, _TOLERATE_PREFERENCES), pool.spec.template.spec.taints):
        return 0
    types = 0
    variant = first_variant(Pod(spec=spec), respect_preferences=False)
    while True:
        if requirements.accepts(variant.strict, allowed=well_known(pool)):
            types |= space.types_meeting(variant.strict)
        if len(variant.terms) <= 1:
            return types
        weaker = relax(variant, tolerate_preferences=False)
        if weaker is None:
            return types
        variant = weaker
