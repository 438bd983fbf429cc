"""DaemonSets as Karpenter counts them: which of them run on a node of each instance type, and what they take there.

Mirrors karpenter pkg/controllers/provisioning/provisioner.go getDaemonSetPods and scheduling/scheduler.go
buildDaemonOverheadGroups, isDaemonPodCompatible (v1.14). Karpenter gives up the first of a DaemonSet's required OR-terms
for good as soon as one instance type does not meet it: the types that come after, the NodePools that come after and the
nodes that exist are judged by the terms that are left. So the order of types and NodePools counts here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from msgspec.structs import replace as changed

from bot.diagnosis.indexes import Types
from bot.diagnosis.pods import HostPort, Variant, first_variant, host_ports_of, requests_of, untolerated
from bot.diagnosis.requirements import Requirements
from bot.diagnosis.space import Space
from bot.model.kubernetes import Affinity, DaemonSet, NodeAffinity, Pod, PodSpec, Taint, Toleration
from bot.model.quantities import Resources, total
from bot.model.world import World

_TOLERATE_PREFERENCES: Final = Toleration(operator="Exists", effect="PreferNoSchedule")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonPod:
    """One DaemonSet's pod, as far as Karpenter has relaxed it. `skipped`: it claims devices, so it is not counted."""

    name: str
    variant: Variant
    requests: Resources
    host_ports: tuple[HostPort, ...]
    skipped: bool = False

    def relaxed(self) -> "DaemonPod":
        """Without the first of its required terms."""
        return replace(self, variant=replace(self.variant, terms=self.variant.terms[1:]))

    def tolerating_preferences(self) -> "DaemonPod":
        """As it is once Karpenter has tried it for a new node: PreferNoSchedule keeps no daemon away."""
        tolerations = self.variant.tolerations
        if self.skipped or _TOLERATE_PREFERENCES in tolerations:
            return self
        return replace(self, variant=replace(self.variant, tolerations=(*tolerations, _TOLERATE_PREFERENCES)))

    def tolerates(self, taints: Sequence[Taint]) -> bool:
        """Whether none of the taints keeps it away."""
        return not untolerated(self.variant.tolerations, taints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemons:
    """The DaemonSets that would run on these types, and what they take together."""

    types: Types
    overhead: Resources
    host_ports: tuple[HostPort, ...]
    names: tuple[str, ...]


def daemon_pods(world: World) -> tuple[DaemonPod, ...]:
    """Every DaemonSet's pod as written, in the API server's order: the first of a sum gives it its format."""
    newest: dict[str, Pod] = {}
    for pod in world.pods:
        for owner in pod.metadata.owner_references:
            if owner.controller and owner.kind == "DaemonSet" and _later(pod, newest.get(owner.uid)):
                newest[owner.uid] = pod
    listed = sorted(world.daemon_sets, key=lambda d: (d.metadata.namespace, d.metadata.name))
    return tuple(_daemon_pod(world, d, newest.get(d.metadata.uid)) for d in listed)


def _later(pod: Pod, known: Pod | None) -> bool:
    if known is None:
        return True
    return str(pod.metadata.creation_timestamp or "") > str(known.metadata.creation_timestamp or "")


def _daemon_pod(world: World, daemon_set: DaemonSet, running: Pod | None) -> DaemonPod:
    """A running pod shows what admission made of it, but for the node affinity: that is the template's (getDaemonSetPods)."""
    written = daemon_set.spec.template.spec
    spec = _with_required_affinity(running.spec, written) if running is not None else written
    return DaemonPod(
        name=daemon_set.metadata.name,
        variant=first_variant(Pod(spec=spec), respect_preferences=False),
        requests=requests_of(spec),
        host_ports=host_ports_of(spec),
        skipped=bool(spec.resource_claims) and world.settings.ignore_dra_requests,
    )


def _with_required_affinity(spec: PodSpec, written: PodSpec) -> PodSpec:
    node = written.affinity.node_affinity if written.affinity else None
    required = node.required_during_scheduling_ignored_during_execution if node else None
    if required is None:
        return spec
    affinity = spec.affinity or Affinity()
    own = affinity.node_affinity or NodeAffinity()
    placed = changed(own, required_during_scheduling_ignored_during_execution=required)
    return changed(spec, affinity=changed(affinity, node_affinity=placed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """One NodePool, as DaemonSets are judged by it. `types` are those that its own requirements leave.

    `by_type`: whether instance types are looked at; before v1.14 they were not (scheduler.go, getDaemonOverhead).
    """

    space: Space
    requirements: Requirements
    taints: Sequence[Taint]
    types: Types
    well_known: frozenset[str]
    by_type: bool = True

    def meeting(self, daemon: DaemonPod) -> Types:
        """The types that take the first of the daemon's terms."""
        strict = daemon.variant.strict
        if not self.requirements.accepts(strict, allowed=self.well_known):
            return 0
        return self.space.types_meeting(strict) if self.by_type else self.space.all_types


def overhead_groups(
    grounds: Grounds, daemons: Sequence[DaemonPod]
) -> tuple[tuple[Daemons, ...], tuple[DaemonPod, ...]]:
    """The types in groups that run the same DaemonSets, and the DaemonSets' pods as Karpenter goes on with them."""
    groups: dict[tuple[int, ...], Types] = {(): grounds.space.all_types}
    after: list[DaemonPod] = []
    for index, daemon in enumerate(daemons):
        running, relaxed = _types_running(grounds, daemon)
        after.append(relaxed)
        split: dict[tuple[int, ...], Types] = {}
        for members, types in groups.items():
            if types & running:
                split[(*members, index)] = types & running
            if types & ~running:
                split[members] = types & ~running
        groups = split
    found = tuple(_together([daemons[i] for i in members], types) for members, types in groups.items() if types)
    return found, tuple(after)


def _together(members: Sequence[DaemonPod], types: Types) -> Daemons:
    return Daemons(
        types=types,
        overhead=total(one.requests for one in members),
        host_ports=tuple(port for one in members for port in one.host_ports),
        names=tuple(one.name for one in members),
    )


def _types_running(grounds: Grounds, daemon: DaemonPod) -> tuple[Types, DaemonPod]:
    """The types on which the DaemonSet's pod would run, and the pod as it is after all of them (isDaemonPodCompatible).

    Types that Karpenter does not look at here count if any term takes them: what a remedy would open needs to know.
    """
    tried = daemon.tolerating_preferences()
    if tried.skipped or not tried.tolerates(grounds.taints):
        return 0, tried if grounds.types else daemon
    running, relaxed = _in_turn(grounds, tried)
    elsewhere = grounds.space.all_types & ~grounds.types
    if elsewhere:
        running |= elsewhere & _by_any_term(grounds, tried)
    return running, relaxed if grounds.types else daemon


def _in_turn(grounds: Grounds, daemon: DaemonPod) -> tuple[Types, DaemonPod]:
    """Type after type: the first one that a term does not take ends that term for all that follow."""
    running, left = 0, grounds.types
    while True:
        met = grounds.meeting(daemon)
        failing = left & ~met
        if not failing or len(daemon.variant.terms) <= 1:
            return running | left & met, daemon
        before = left & ((failing & -failing) - 1)
        running, left, daemon = running | before, left & ~before, daemon.relaxed()


def _by_any_term(grounds: Grounds, daemon: DaemonPod) -> Types:
    running = grounds.meeting(daemon)
    while len(daemon.variant.terms) > 1:
        daemon = daemon.relaxed()
        running |= grounds.meeting(daemon)
    return running


def may_move(daemon: DaemonPod, requirements: Requirements, taints: Sequence[Taint], known: frozenset[str]) -> bool:
    """Whether the DaemonSet may count on other types once a requirement of the NodePool gives way.

    One with several terms depends on which types are looked at, as long as the NodePool could meet any; one with a single
    term only where the NodePool's requirements keep it away.
    """
    if daemon.skipped or not daemon.tolerating_preferences().tolerates(taints):
        return False
    several = len(daemon.variant.terms) > 1
    while requirements.undefined(daemon.variant.strict, allowed=known):
        if len(daemon.variant.terms) <= 1:
            return False
        daemon = daemon.relaxed()
    return several or bool(requirements.clashes(daemon.variant.strict))
