"""Pods that run, as topology rules count them: on which nodes, in which domains, and whom they keep away.

Worked out once for a World, since a cluster has thousands of nodes and pods, and a pod is decided again and again: each
relaxation and each remedy that is tried leaves all of this as it is. Mirrors karpenter
pkg/controllers/provisioning/scheduling/{topology.go, topologynodefilter.go} (v1.15).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from bot.diagnosis.indexes import Memo
from bot.diagnosis.pods import Variant, tolerates
from bot.diagnosis.requirements import Requirements, parse_terms
from bot.diagnosis.state_nodes import StateNode, state_nodes
from bot.model.kubernetes import LabelSelector, Node, Pod, PodAffinityTerm, Toleration, TopologySpreadConstraint
from bot.model.labels import HOSTNAME
from bot.model.world import World


def selects(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches (apimachinery meta/v1 helpers.go: none matches nothing, an empty one everything)."""
    if selector is None:
        return False
    wanted: list[tuple[str, str, tuple[str, ...]]] = [(k, "In", (v,)) for k, v in selector.match_labels.items()]
    wanted += [(e.key, e.operator, e.values) for e in selector.match_expressions]
    for key, operator, values in wanted:
        match operator:
            case "In":
                met = key in labels and labels[key] in values
            case "NotIn":
                met = key not in labels or labels[key] not in values
            case "Exists":
                met = key in labels
            case _:
                met = key not in labels
        if not met:
            return False
    return True


@dataclass(frozen=True, slots=True)
class NodeFilter:
    """Which nodes count for a spread constraint (topologynodefilter.go); affinity rules count all nodes."""

    tolerations: tuple[Toleration, ...] | None
    alternatives: tuple[Requirements, ...] | None

    @classmethod
    def of(cls, variant: Variant, spread: TopologySpreadConstraint | None) -> "NodeFilter":
        if spread is None:
            return cls(None, None)
        selector = Requirements(a.requirement for a in variant.selector)
        terms = tuple(selector & Requirements(parse_terms(term.match_expressions)) for _, term in variant.terms)
        return cls(
            variant.tolerations if spread.node_taints_policy == "Honor" else None,
            (terms or (selector,)) if spread.node_affinity_policy == "Honor" else None,
        )

    @property
    def key(self) -> object:
        """What tells it from another one."""
        wanted = None if self.alternatives is None else tuple(frozenset(one.values()) for one in self.alternatives)
        return self.tolerations, wanted


@dataclass(frozen=True, slots=True, eq=False)
class Holder:
    """One term of required anti-affinity: of a pod that runs on `node`, or of the pod in question (None)."""

    pod: Pod
    node: Node | None
    term: PodAffinityTerm
    namespaces: frozenset[str]

    def keeps_away(self, pod: Pod) -> bool:
        """Whether the pod may not be where this one is."""
        return pod.metadata.namespace in self.namespaces and selects(self.term.label_selector, pod.metadata.labels)


class Placed:
    """The pods and nodes of one World that count."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._labels: dict[str, Requirements] = {}
        self._memo = Memo()

    @cached_property
    def active(self) -> tuple[StateNode, ...]:
        """Nodes and NodeClaims on their way, those that are being deleted left out."""
        return tuple(n for n in state_nodes(self._world) if not n.deleting)

    @cached_property
    def hostnames(self) -> tuple[str, ...]:
        """Of all of these, in their order."""
        return tuple(one.hostname for one in self.active)

    @cached_property
    def _pods(self) -> Mapping[str, list[tuple[Pod, Node]]]:
        """By namespace, those that are bound to a node that exists, not finished, not leaving."""
        nodes = {n.metadata.name: n for n in self._world.nodes}
        found: defaultdict[str, list[tuple[Pod, Node]]] = defaultdict(list)
        for pod in self._world.pods:
            node = nodes.get(pod.spec.node_name) if pod.spec.node_name else None
            over = pod.status.phase in ("Succeeded", "Failed") or pod.metadata.deletion_timestamp is not None
            if node is not None and not over:
                found[pod.metadata.namespace].append((pod, node))
        return found

    @cached_property
    def _holders(self) -> tuple[Holder, ...]:
        """In the World's order, which decides who makes a rule."""
        order = {id(pod): index for index, pod in enumerate(self._world.pods)}
        all_of_them = (pair for pairs in self._pods.values() for pair in pairs if pair[0].spec.affinity is not None)
        ordered = sorted(all_of_them, key=lambda pair: order[id(pair[0])])
        return tuple(one for pod, node in ordered for one in self.terms_of(pod, node))

    def terms_of(self, pod: Pod, node: Node | None) -> Iterator[Holder]:
        """The pod's own terms of required anti-affinity."""
        affinity = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
        for term in affinity.required_during_scheduling_ignored_during_execution if affinity else ():
            yield Holder(pod, node, term, self.namespaces(pod, term))

    def keeping_away(self, pod: Pod) -> tuple[Holder, ...]:
        """Terms of other pods that run, which select the pod."""
        key = "holders", pod.metadata.namespace, frozenset(pod.metadata.labels.items())
        found = self._memo.of(key, lambda: tuple(one for one in self._holders if one.keeps_away(pod)))
        return tuple(one for one in found if one.pod.metadata.uid != pod.metadata.uid)

    def namespaces(self, pod: Pod, term: PodAffinityTerm) -> frozenset[str]:
        """Where a term of the pod looks for pods."""
        if not term.namespaces and term.namespace_selector is None:
            return frozenset({pod.metadata.namespace})
        selected = {
            n.metadata.name
            for n in self._world.namespaces
            if term.namespace_selector is not None and selects(term.namespace_selector, n.metadata.labels)
        }
        return frozenset({*term.namespaces, *selected})

    def domains(self, key: str, counted: NodeFilter) -> frozenset[str]:
        """The domains of the nodes that count."""
        return self._memo.of(("domains", key, counted.key), lambda: frozenset(self._domains(key, counted)))

    def _domains(self, key: str, counted: NodeFilter) -> Iterable[str]:
        matches = self._matcher(counted)
        for one in self.active:
            domain = one.labels.get(key)
            if one.node is not None and domain is not None and matches(one.node):
                yield domain

    def count(
        self, key: str, namespaces: frozenset[str], selector: LabelSelector | None, counted: NodeFilter, besides: Pod
    ) -> Mapping[str, int]:
        """How many pods there are in each domain. No selector means all (topology.go, TopologyListOptions)."""
        said = selector and (frozenset(selector.match_labels.items()), selector.match_expressions)
        asked = "count", key, namespaces, said, counted.key, besides.metadata.uid
        return self._memo.of(asked, lambda: Counter(self._counted(key, namespaces, selector, counted, besides)))

    def _counted(
        self, key: str, namespaces: frozenset[str], selector: LabelSelector | None, counted: NodeFilter, besides: Pod
    ) -> Iterator[str]:
        matches = self._matcher(counted)
        listed = (pair for namespace in sorted(namespaces) for pair in self._pods.get(namespace, ()))
        for pod, node in listed:
            if (
                (selector is None or selects(selector, pod.metadata.labels))
                and pod.metadata.uid != besides.metadata.uid
                and matches(node)
            ):
                domain = node.metadata.labels.get(key) or (node.metadata.name if key == HOSTNAME else None)
                if domain is not None:
                    yield domain

    def _matcher(self, counted: NodeFilter) -> Callable[[Node], bool]:
        """Whether a node counts, worked out once for nodes that are alike in all that is asked."""
        keys = sorted({key for wanted in counted.alternatives or () for key in wanted})
        known: dict[object, bool] = {}

        def matches(node: Node) -> bool:
            labels = self._labels_of(node) if keys else Requirements()
            alike = node.spec.taints, tuple(labels.get(key) for key in keys)
            if alike not in known:
                known[alike] = _counts(counted, node, labels)
            return known[alike]

        return matches

    def _labels_of(self, node: Node) -> Requirements:
        name = node.metadata.name
        if name not in self._labels:
            self._labels[name] = Requirements.from_labels(node.metadata.labels)
        return self._labels[name]


def _counts(counted: NodeFilter, node: Node, labels: Requirements) -> bool:
    if counted.tolerations is not None and not all(tolerates(counted.tolerations, t) for t in node.spec.taints):
        return False
    return counted.alternatives is None or any(labels.accepts(wanted) for wanted in counted.alternatives)
