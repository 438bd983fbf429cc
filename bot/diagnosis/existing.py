"""Nodes that are already there: whether the pod fits one in Karpenter's eyes, so that it launches nothing.

Mirrors karpenter pkg/controllers/provisioning/scheduling/existingnode.go and scheduler.go (v1.15).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.diagnosis.daemons import DaemonPod
from bot.diagnosis.pods import HostPort, Variant, host_ports_of, requests_of, untolerated
from bot.diagnosis.requirements import Requirement, Requirements
from bot.diagnosis.state_nodes import StateNode, state_nodes
from bot.diagnosis.topology import Group, choose
from bot.diagnosis.volumes import attached
from bot.model.kubernetes import Pod
from bot.model.labels import HOSTNAME
from bot.model.quantities import ZERO, Resources, less, total
from bot.model.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What comes to a node: the pod with what it needs, and daemons."""

    requests: Resources
    ports: Sequence[HostPort]
    volumes: Sequence[Requirements]
    daemons: Sequence[DaemonPod]
    """What DaemonSets put on every node, as new nodes have left it."""


def fitting_node(world: World, variant: Variant, load: Load, groups: Sequence[Group]) -> str:
    """The name of the first node that takes the pod, initialised ones first, then by name; "" when none does.

    Judged only where the pods on the nodes are known (`World.placements_known`); else "".
    """
    if not world.placements_known:
        return ""
    for node in sorted(state_nodes(world), key=lambda n: (not n.initialized, n.name)):
        if not node.deleting and _takes(world, node, variant, load, groups):
            return node.name
    return ""


def _takes(world: World, node: StateNode, variant: Variant, load: Load, groups: Sequence[Group]) -> bool:
    if untolerated(variant.tolerations, node.taints):
        return False
    pods = _pods_on(world, node)
    taken = [port for p in pods for port in host_ports_of(p.spec)]
    if any(a.conflicts_with(b) for a in load.ports for b in taken) or _volumes_exceed(world, node, variant.pod, pods):
        return False
    room = _room(load.daemons, node, pods)
    if any(left.nano < 0 for left in room.values()) or any(room.get(n, ZERO) < a for n, a in load.requests.items()):
        return False
    labels = Requirements.from_labels({**node.labels, HOSTNAME: node.hostname})
    if not labels.accepts(variant.requirements):
        return False
    both = labels & variant.requirements
    return any(
        both.accepts(alternative) and _topology_allows(both & alternative, variant, groups)
        for alternative in load.volumes or (Requirements(),)
    )


def rooms(world: World, daemons: Sequence[DaemonPod]) -> Iterator[Resources]:
    """What is left on each node that stays, as far as it is known."""
    for node in state_nodes(world) if world.placements_known else ():
        if not node.deleting:
            yield _room(daemons, node, _pods_on(world, node))


def _pods_on(world: World, node: StateNode) -> list[Pod]:
    return [p for p in world.pods if node.node_name and p.spec.node_name == node.node_name and not _over(p)]


def _room(daemons: Sequence[DaemonPod], node: StateNode, pods: Sequence[Pod]) -> Resources:
    used = total((*(requests_of(p.spec) for p in pods), _coming_daemons(daemons, node, pods)))
    return less(node.allocatable, used)


def _over(pod: Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def _volumes_exceed(world: World, node: StateNode, pod: Pod, pods: Sequence[Pod]) -> bool:
    """Whether the node's CSI drivers could not attach the volumes of all these pods (volumeusage.go, ExceedsLimits)."""
    found = next((c for c in world.csi_nodes if c.metadata.name == node.node_name), None)
    if found is None:
        return False
    limits = {
        d.name: d.allocatable.count for d in found.spec.drivers if d.allocatable and d.allocatable.count is not None
    }
    used: dict[str, set[str]] = {}
    for one in (pod, *pods):
        for driver, claims in attached(world, one).items():
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
    return placed.accepts(Requirements(picks))


def _coming_daemons(daemons: Sequence[DaemonPod], node: StateNode, pods: Sequence[Pod]) -> Resources:
    """What DaemonSets will still take: their pods that should run here minus those that do, never below nothing."""
    labels = Requirements.from_labels(node.labels)
    due = total(d.requests for d in daemons if _runs_on(d, node, labels))
    placed = (p for p in pods if any(o.kind == "DaemonSet" for o in p.metadata.owner_references))
    running = total(requests_of(p.spec) for p in placed)
    return {name: max(amount, ZERO) for name, amount in less(due, running).items()}


def _runs_on(daemon: DaemonPod, node: StateNode, labels: Requirements) -> bool:
    """Its remaining first term alone counts here, and is not given up (getCompatibleDaemonPods)."""
    return not daemon.skipped and daemon.tolerates(node.taints) and labels.accepts(daemon.variant.strict)
