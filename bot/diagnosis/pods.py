"""What a pod asks for: resources, host ports, and the requirements of each step of Karpenter's relaxation.

Mirrors karpenter pkg/utils/resources/resources.go, pkg/scheduling/requirements.go (newPodRequirements), taints.go and
pkg/controllers/provisioning/scheduling/preferences.go (v1.15).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.diagnosis.requirements import Requirement, Requirements, integer
from bot.model.kubernetes import (
    Container,
    ContainerPort,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodAffinityTerm,
    PodSpec,
    PreferredSchedulingTerm,
    Taint,
    Toleration,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from bot.model.quantities import Quantity, Resources, largest, total

PODS: Final = "pods"
_REQUIRED: Final = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
_PREFERRED: Final = "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
# Kubernetes: component-helpers resource/helpers.go, the resources that may be asked for at pod level.
POD_LEVEL: Final = frozenset({"cpu", "memory"})
_TOLERATE_PREFERENCES: Final = Toleration(operator="Exists", effect="PreferNoSchedule")


def _asked(container: Container) -> Resources:
    """The container's requests; a limit without a request is a request, as the API server defaults it."""
    return {**container.resources.limits, **container.resources.requests}


def requests_of(spec: PodSpec) -> dict[str, Quantity]:
    """What one pod takes from a node, `pods: 1` included.

    The larger of all init containers in their turn and of all containers with sidecars, plus overhead; pod-level requests
    win where they are given. Source: kubernetes component-helpers resource/helpers.go PodRequests.
    """
    running = total(_asked(c) for c in spec.containers)
    sidecars: dict[str, Quantity] = {}
    starting: list[Resources] = []
    for container in spec.init_containers:
        if container.restart_policy == "Always":
            sidecars = total((sidecars, _asked(container)))
            starting.append(sidecars)
        else:
            starting.append(total((sidecars, _asked(container))))
    needed = largest((total((running, sidecars)), *starting))
    if spec.resources is not None:
        asked = {**spec.resources.limits, **spec.resources.requests}
        needed.update({k: v for k, v in asked.items() if k in POD_LEVEL or k.startswith("hugepages-")})
    return total((needed, spec.overhead, {PODS: Quantity.of(1)}))


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """A port taken on the node itself. An empty ip counts as 0.0.0.0, which collides with every ip."""

    port: int
    protocol: str
    ip: str

    def conflicts_with(self, other: "HostPort") -> bool:
        """Source: karpenter pkg/scheduling/hostportusage.go, Matches."""
        any_ip = "0.0.0.0" in (self.ip, other.ip) or "::" in (self.ip, other.ip)  # noqa: S104 (an address that is read)
        return self.port == other.port and self.protocol == other.protocol and (self.ip == other.ip or any_ip)


def host_ports_of(spec: PodSpec) -> tuple[HostPort, ...]:
    """The host ports that the pod's containers ask for."""
    ports = (host_port(spec, port) for container in spec.containers for port in container.ports)
    return tuple(port for port in ports if port is not None)


def host_port(spec: PodSpec, port: ContainerPort) -> HostPort | None:
    """The port that one container port takes on the node, if it does; with hostNetwork each one does."""
    number = port.host_port or (port.container_port if spec.host_network else 0)
    return HostPort(number, port.protocol, port.host_ip or "0.0.0.0") if number else None  # noqa: S104


def tolerates(tolerations: Sequence[Toleration], taint: Taint) -> bool:
    """Whether one of the tolerations matches the taint. Source: kubernetes core/v1 toleration.go ToleratesTaint."""
    return any(
        (not t.effect or t.effect == taint.effect)
        and (t.key == taint.key or (not t.key and t.operator == "Exists"))
        and _value_tolerated(t, taint)
        for t in tolerations
    )


def _value_tolerated(toleration: Toleration, taint: Taint) -> bool:
    match toleration.operator:
        case "Exists":
            return True
        case "" | "Equal":
            return toleration.value == taint.value
        case _:  # Gt and Lt, Kubernetes 1.35: the taint's number is above (below) the toleration's
            left, right = integer(taint.value), integer(toleration.value)
            comparable = left is not None and right is not None
            return comparable and (left > right if toleration.operator == "Gt" else left < right)  # type: ignore[operator]


def untolerated(tolerations: Sequence[Toleration], taints: Sequence[Taint]) -> tuple[Taint, ...]:
    """The taints that keep the pod away, PreferNoSchedule ones included, as Karpenter counts them."""
    return tuple(taint for taint in taints if not tolerates(tolerations, taint))


@dataclass(frozen=True, slots=True)
class Ask:
    """One requirement of a pod and the field it comes from. `term`: the index of its required OR-term."""

    requirement: Requirement
    field: str
    preferred: bool = False
    term: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A pod as Karpenter tries it at one step of relaxation. The first variant is the pod as written."""

    pod: Pod
    selector: tuple[Ask, ...]
    terms: tuple[tuple[int, NodeSelectorTerm], ...]
    preferred: tuple[tuple[int, PreferredSchedulingTerm], ...]
    affinity: tuple[WeightedPodAffinityTerm, ...]
    anti_affinity: tuple[WeightedPodAffinityTerm, ...]
    spreads: tuple[TopologySpreadConstraint, ...]
    tolerations: tuple[Toleration, ...]

    @property
    def asks(self) -> tuple[Ask, ...]:
        """nodeSelector, the heaviest preferred term left, and the first required term left, with their fields."""
        return (*self.selector, *self._preferred_asks(), *self.required_asks())

    def required_asks(self) -> tuple[Ask, ...]:
        """The expressions of the required term that this variant tries."""
        return tuple(
            Ask(_requirement(e), f"{_REQUIRED}[{index}].matchExpressions[{position}]", term=index)
            for index, term in self.terms[:1]
            for position, e in enumerate(term.match_expressions)
        )

    def _preferred_asks(self) -> tuple[Ask, ...]:
        return tuple(
            Ask(_requirement(e), f"{_PREFERRED}[{index}].preference.matchExpressions[{position}]", preferred=True)
            for index, term in self.preferred[:1]
            for position, e in enumerate(term.preference.match_expressions)
        )

    @property
    def requirements(self) -> Requirements:
        """All asks, preferred ones as if required. Source: requirements.go NewPodRequirements."""
        return Requirements(ask.requirement for ask in self.asks)

    @property
    def strict(self) -> Requirements:
        """Without preferences. Source: requirements.go NewStrictPodRequirements."""
        return Requirements(ask.requirement for ask in (*self.selector, *self.required_asks()))

    @property
    def affinity_terms(self) -> tuple[PodAffinityTerm, ...]:
        """Required pod affinity, then what is left of the preferred."""
        affinity = self.pod.spec.affinity.pod_affinity if self.pod.spec.affinity else None
        required = affinity.required_during_scheduling_ignored_during_execution if affinity else ()
        return (*required, *(t.pod_affinity_term for t in self.affinity))

    @property
    def anti_affinity_terms(self) -> tuple[PodAffinityTerm, ...]:
        """Required pod anti-affinity, then what is left of the preferred."""
        affinity = self.pod.spec.affinity.pod_anti_affinity if self.pod.spec.affinity else None
        required = affinity.required_during_scheduling_ignored_during_execution if affinity else ()
        return (*required, *(t.pod_affinity_term for t in self.anti_affinity))

    def without_preferences(self) -> "Variant":
        """The variant with everything soft left out, its required terms kept."""
        hard = tuple(s for s in self.spreads if s.when_unsatisfiable != "ScheduleAnyway")
        return replace(self, preferred=(), affinity=(), anti_affinity=(), spreads=hard)


def _requirement(expression: NodeSelectorRequirement) -> Requirement:
    return Requirement.of(expression.key, expression.operator, expression.values)


def first_variant(pod: Pod, *, respect_preferences: bool = True) -> Variant:
    """The pod as written: nothing relaxed. With PREFERENCE_POLICY Ignore, soft terms are never looked at."""
    affinity = pod.spec.affinity
    node = affinity.node_affinity if affinity else None
    required = node.required_during_scheduling_ignored_during_execution if node else None
    preferred = node.preferred_during_scheduling_ignored_during_execution if node else ()
    near = affinity.pod_affinity if affinity else None
    far = affinity.pod_anti_affinity if affinity else None
    variant = Variant(
        pod=pod,
        selector=tuple(
            Ask(Requirement.of(key, "In", (value,)), f"spec.nodeSelector[{key}]")
            for key, value in pod.spec.node_selector.items()
        ),
        terms=tuple(enumerate(required.node_selector_terms)) if required else (),
        preferred=tuple(sorted(enumerate(preferred), key=lambda numbered: -numbered[1].weight)),
        affinity=_heaviest_first(near.preferred_during_scheduling_ignored_during_execution if near else ()),
        anti_affinity=_heaviest_first(far.preferred_during_scheduling_ignored_during_execution if far else ()),
        spreads=pod.spec.topology_spread_constraints,
        tolerations=pod.spec.tolerations,
    )
    return variant if respect_preferences else variant.without_preferences()


def _heaviest_first(terms: tuple[WeightedPodAffinityTerm, ...]) -> tuple[WeightedPodAffinityTerm, ...]:
    return tuple(sorted(terms, key=lambda term: -term.weight))


def relax(variant: Variant, *, tolerate_preferences: bool) -> Variant | None:  # noqa: PLR0911 (one return a step)
    """The next, weaker variant, or None when nothing soft is left. Karpenter's order (preferences.go, Relax)."""
    if len(variant.terms) > 1:
        return replace(variant, terms=variant.terms[1:])
    if variant.affinity:
        return replace(variant, affinity=variant.affinity[1:])
    if variant.anti_affinity:
        return replace(variant, anti_affinity=variant.anti_affinity[1:])
    if variant.preferred:
        return replace(variant, preferred=variant.preferred[1:])
    soft = next((i for i, s in enumerate(variant.spreads) if s.when_unsatisfiable == "ScheduleAnyway"), None)
    if soft is not None:
        left = list(variant.spreads)
        left[soft] = left[-1]
        return replace(variant, spreads=tuple(left[:-1]))
    if tolerate_preferences and _TOLERATE_PREFERENCES not in variant.tolerations:
        return replace(variant, tolerations=(*variant.tolerations, _TOLERATE_PREFERENCES))
    return None


def variants(pod: Pod, *, respect_preferences: bool, tolerate_preferences: bool) -> Iterator[Variant]:
    """The pod as written, then each relaxation, until nothing soft is left."""
    variant: Variant | None = first_variant(pod, respect_preferences=respect_preferences)
    while variant is not None:
        yield variant
        variant = relax(variant, tolerate_preferences=tolerate_preferences)
