"""Nodes that are already there: whether the pod fits one in Karpenter's eyes, so that it launches nothing.

Mirrors karpenter pkg/controllers/provisioning/scheduling/existingnode.go and scheduler.go (v1.15).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bot.diagnosis.daemons import DaemonPod
from bot.diagnosis.indexes import Ladder, Memo, bits
from bot.diagnosis.pods import HostPort, Variant, host_ports_of, requests_of, untolerated
from bot.diagnosis.requirements import ABSENT_OPERATORS, Requirement, Requirements
from bot.diagnosis.state_nodes import StateNode, state_nodes
from bot.diagnosis.topology import Group, choose
from bot.diagnosis.volumes import attached
from bot.model.kubernetes import Pod, Taint, Toleration
from bot.model.labels import HOSTNAME
from bot.model.quantities import ZERO, Resources, less, total
from bot.model.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the pod brings to a node."""

    requests: Resources
    ports: Sequence[HostPort]
    volumes: Sequence[Requirements]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupied:
    """A node that stays, with what runs on it and what is left beside that and the DaemonSets' pods that will still come."""

    node: StateNode
    pods: tuple[Pod, ...]
    ports: tuple[HostPort, ...]
    labels: Requirements
    room: Resources


class Nodes:
    """The nodes that Karpenter would try, in its order: initialised ones first, then by name. Worked out once a round.

    None where the pods on them are not known (`World.placements_known`). `daemons`: the DaemonSets' pods as new nodes have
    left them.
    """

    def __init__(self, world: World, daemons: Sequence[DaemonPod]) -> None:
        self._world = world
        self._daemons = daemons
        self._memo = Memo()

    @cached_property
    def _index(self) -> "_Index":
        return _Index(self.occupied)

    @cached_property
    def occupied(self) -> tuple[Occupied, ...]:
        """Every node that is not being deleted."""
        if not self._world.placements_known:
            return ()
        placed: dict[str, list[Pod]] = {}
        for pod in self._world.pods:
            if pod.spec.node_name and not _over(pod):
                placed.setdefault(pod.spec.node_name, []).append(pod)
        staying = (node for node in state_nodes(self._world) if not node.deleting)
        ordered = sorted(staying, key=lambda n: (not n.initialized, n.name))
        return tuple(self._occupied(node, placed.get(node.node_name, ())) for node in ordered)

    def _occupied(self, node: StateNode, pods: Sequence[Pod]) -> Occupied:
        own = Requirements.from_labels(node.labels)
        used = total((*(requests_of(p.spec) for p in pods), self._coming(node, own, pods)))
        hosted = (
            own if node.labels.get(HOSTNAME) else Requirements.from_labels({**node.labels, HOSTNAME: node.hostname})
        )
        return Occupied(
            node=node,
            pods=tuple(pods),
            ports=tuple(port for pod in pods for port in host_ports_of(pod.spec)),
            labels=hosted,
            room=less(node.allocatable, used),
        )

    def _coming(self, node: StateNode, labels: Requirements, pods: Sequence[Pod]) -> Resources:
        """What DaemonSets will still take: their pods that should run here minus those that do, never below nothing."""
        due = total(d.requests for d in self._daemons if self._runs_on(d, node, labels))
        placed = (p for p in pods if any(o.kind == "DaemonSet" for o in p.metadata.owner_references))
        running = total(requests_of(p.spec) for p in placed)
        return {name: max(amount, ZERO) for name, amount in less(due, running).items()}

    def _runs_on(self, daemon: DaemonPod, node: StateNode, labels: Requirements) -> bool:
        """Its remaining first term alone counts here, and is not given up (getCompatibleDaemonPods)."""
        strict = self._memo.of(id(daemon), lambda: daemon.variant.strict)
        key = id(daemon), node.taints, tuple(labels.get(name) for name in strict)
        return self._memo.of(
            key, lambda: not daemon.skipped and daemon.tolerates(node.taints) and labels.accepts(strict)
        )

    def fitting(self, variant: Variant, load: Load, groups: Sequence[Group]) -> str:
        """The name of the first node that takes the pod; "" when none does."""
        candidates = (self.occupied[i] for i in bits(self._index.candidates(variant, load)))
        return next((o.node.name for o in candidates if _takes(self._world, o, variant, load, groups)), "")


class _Index:
    """Nodes by what each pod is asked: room, taints, labels. Sets of nodes are integers, bit i is the i-th node."""

    def __init__(self, occupied: Sequence[Occupied]) -> None:
        self._all = (1 << len(occupied)) - 1
        self._rooms = [one.room for one in occupied]
        self._overfull = sum(1 << i for i, room in enumerate(self._rooms) if any(a.nano < 0 for a in room.values()))
        self._ladders: dict[str, Ladder] = {}
        self._labels = [one.labels for one in occupied]
        self._by_label: dict[str, dict[Requirement, int]] = {}
        self._by_taints: dict[tuple[Taint, ...], int] = {}
        self._memo = Memo()
        for i, one in enumerate(occupied):
            self._by_taints[one.node.taints] = self._by_taints.get(one.node.taints, 0) | 1 << i

    def candidates(self, variant: Variant, load: Load) -> int:
        """Nodes with room for it, whose taints it tolerates, with labels that it accepts."""
        found = self._all & ~self._overfull
        for resource, amount in load.requests.items():
            if amount.nano > 0 and found:
                found &= self._ladder(resource).at_least(amount.nano)
        if found:
            found &= self._memo.of(variant.tolerations, lambda: self._tolerated(variant.tolerations))
        for requirement in variant.requirements.values() if found else ():
            found &= self._met(requirement)
        return found

    def _ladder(self, resource: str) -> Ladder:
        if resource not in self._ladders:
            self._ladders[resource] = Ladder(self._rooms, resource)
        return self._ladders[resource]

    def _tolerated(self, tolerations: Sequence[Toleration]) -> int:
        return sum(nodes for taints, nodes in self._by_taints.items() if not untolerated(tolerations, taints))

    def _met(self, requirement: Requirement) -> int:
        return self._memo.of(requirement, lambda: self._meeting(requirement))

    def _meeting(self, requirement: Requirement) -> int:
        """Nodes that accept one requirement (Requirements.accepts, with no label that may be undefined)."""
        key = requirement.key
        if key not in self._by_label:
            by_value: dict[Requirement, int] = {}
            for i, labels in enumerate(self._labels):
                if key in labels:
                    by_value[labels[key]] = by_value.get(labels[key], 0) | 1 << i
            self._by_label[key] = by_value
        by_value = self._by_label[key]
        met = sum(nodes for value, nodes in by_value.items() if not value.conflicts_with(requirement))
        undefined = self._all & ~sum(by_value.values())
        return met | (undefined if requirement.operator in ABSENT_OPERATORS else 0)


def _takes(world: World, one: Occupied, variant: Variant, load: Load, groups: Sequence[Group]) -> bool:
    """What the index does not know: ports, volumes, topology."""
    if any(a.conflicts_with(b) for a in load.ports for b in one.ports):
        return False
    if _volumes_exceed(world, one.node, variant.pod, one.pods):
        return False
    both = one.labels & variant.requirements
    return any(
        both.accepts(alternative) and _topology_allows(both & alternative, variant, groups)
        for alternative in load.volumes or (Requirements(),)
    )


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
