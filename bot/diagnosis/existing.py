"""Nodes that are already there: whether the pod fits one in Karpenter's eyes, so that it launches nothing.

Mirrors karpenter pkg/controllers/provisioning/scheduling/existingnode.go and pkg/controllers/state/statenode.go (v1.15).
"""

from collections.abc import Sequence
from typing import Final

from bot.diagnosis.pods import HostPort, Variant, first_variant, host_ports_of, requests_of, untolerated
from bot.diagnosis.requirements import Requirement, Requirements
from bot.diagnosis.topology import Group, choose
from bot.diagnosis.volumes import attached
from bot.model.kubernetes import DaemonSet, Node, Pod, Taint
from bot.model.labels import HOSTNAME, INITIALIZED, NODEPOOL
from bot.model.quantities import ZERO, Resources, less, total
from bot.model.world import World

# Taints that a node has only while it starts (taints.go, KnownEphemeralTaints); "" matches any value.
_EPHEMERAL: Final = frozenset(
    {
        ("node.kubernetes.io/not-ready", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule"),
        ("karpenter.sh/unregistered", "NoExecute"),
    }
)
_READINESS: Final = "readiness.k8s.io/"


def fitting_node(
    world: World,
    variant: Variant,
    requests: Resources,
    ports: Sequence[HostPort],
    alternatives: Sequence[Requirements],
    groups: Sequence[Group],
) -> str:
    """The name of the first node that takes the pod, initialised ones first, then by name; "" when none does.

    Judged only where the pods on the nodes are known (`World.placements_known`); else "".
    """
    if not world.placements_known:
        return ""
    nodes = sorted(world.nodes, key=lambda n: (not _initialised(n), n.metadata.name))
    for node in nodes:
        if node.metadata.deletion_timestamp is None and _takes(
            world, node, variant, (requests, ports), alternatives, groups
        ):
            return node.metadata.name
    return ""


def _initialised(node: Node) -> bool:
    managed = NODEPOOL in node.metadata.labels
    return not managed or node.metadata.labels.get(INITIALIZED) == "true"


def _takes(
    world: World,
    node: Node,
    variant: Variant,
    load: tuple[Resources, Sequence[HostPort]],
    alternatives: Sequence[Requirements],
    groups: Sequence[Group],
) -> bool:
    requests, ports = load
    pods = [
        p
        for p in world.pods
        if p.spec.node_name == node.metadata.name and p.status.phase not in ("Succeeded", "Failed")
    ]
    if untolerated(variant.tolerations, _taints(world, node)) or _volumes_exceed(world, node, (variant.pod, *pods)):
        return False
    taken = [port for p in pods for port in host_ports_of(p.spec)]
    if any(a.conflicts_with(b) for a in ports for b in taken):
        return False
    room = less(
        _allocatable(world, node), total((*(requests_of(p.spec) for p in pods), _coming_daemons(world, node, pods)))
    )
    if any(left.nano < 0 for left in room.values()) or any(
        room.get(n, ZERO) < amount for n, amount in requests.items()
    ):
        return False
    labels = Requirements.from_labels({**node.metadata.labels, HOSTNAME: _hostname(node)})
    if not labels.accepts(variant.requirements, allow_well_known=False):
        return False
    for alternative in alternatives or (Requirements(),):
        both = labels & variant.requirements
        if both.accepts(alternative, allow_well_known=False) and _topology_allows(both & alternative, variant, groups):
            return True
    return False


def _volumes_exceed(world: World, node: Node, pods: Sequence[Pod]) -> bool:
    """Whether the node's CSI drivers could not attach the volumes of all these pods (volumeusage.go, ExceedsLimits)."""
    found = next((c for c in world.csi_nodes if c.metadata.name == node.metadata.name), None)
    if found is None:
        return False
    limits = {d.name: d.allocatable.count for d in found.spec.drivers if d.allocatable and d.allocatable.count is not None}
    used: dict[str, set[str]] = {}
    for pod in pods:
        for driver, claims in attached(world, pod).items():
            used.setdefault(driver, set()).update(claims)
    return any(len(claims) > limits[driver] for driver, claims in used.items() if driver in limits)


def _topology_allows(placed: Requirements, variant: Variant, groups: Sequence[Group]) -> bool:
    strict = variant.strict
    picks: list[Requirement] = []
    for group in groups:
        anything = Requirement.of(group.key, "Exists")
        choice = choose(group, variant.pod, strict.get(group.key, anything), placed.get(group.key, anything))
        if not choice.picks:
            return False
        picks.append(choice.picks[0])
    return placed.accepts(Requirements(picks), allow_well_known=False)


def _hostname(node: Node) -> str:
    return node.metadata.labels.get(HOSTNAME, node.metadata.name)


def _taints(world: World, node: Node) -> tuple[Taint, ...]:
    """The node's taints; while a Karpenter node starts, those that its start removes do not count (statenode.go, Taints)."""
    if _initialised(node):
        return node.spec.taints
    pool = next((p for p in world.node_pools if p.metadata.name == node.metadata.labels.get(NODEPOOL)), None)
    startup = {(t.key, t.effect) for t in pool.spec.template.spec.startup_taints} if pool else set()
    return tuple(
        t
        for t in node.spec.taints
        if (t.key, t.effect) not in _EPHEMERAL | startup and not t.key.startswith(_READINESS)
    )


def _allocatable(world: World, node: Node) -> Resources:
    """What the node has; while it starts, its NodeClaim's promise fills what kubelet has not reported yet."""
    if _initialised(node):
        return node.status.allocatable
    claim = next((c for c in world.node_claims if c.status.node_name == node.metadata.name), None)
    known = {k: v for k, v in node.status.allocatable.items() if v}
    return {**(claim.status.allocatable if claim else {}), **known}


def _coming_daemons(world: World, node: Node, pods: Sequence[Pod]) -> Resources:
    """What DaemonSets will still take: their pods that should run here minus those that do, never below nothing."""
    labels = Requirements.from_labels(node.metadata.labels)
    expected = [d for d in world.daemon_sets if _runs_on(d, node, labels)]
    due = total(requests_of(d.spec.template.spec) for d in expected)
    running = total(
        requests_of(p.spec) for p in pods if any(o.kind == "DaemonSet" for o in p.metadata.owner_references)
    )
    return {name: max(amount, ZERO) for name, amount in less(due, running).items()}


def _runs_on(daemon_set: DaemonSet, node: Node, labels: Requirements) -> bool:
    spec = daemon_set.spec.template.spec
    variant = first_variant(Pod(spec=spec), respect_preferences=False)
    hard = tuple(t for t in node.spec.taints if t.effect != "PreferNoSchedule")
    return not untolerated(spec.tolerations, hard) and labels.accepts(variant.strict, allow_well_known=False)
