"""Topology spread, pod affinity and anti-affinity, as Karpenter counts them for a new node.

Mirrors karpenter pkg/controllers/provisioning/scheduling/{topology.go, topologygroup.go, topologydomaingroup.go,
topologynodefilter.go} (v1.15). Where Karpenter takes a random one of equal domains, all of them are returned here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.diagnosis.placed import Holder, NodeFilter, Placed, selects
from bot.diagnosis.pods import Variant, first_variant, tolerates
from bot.diagnosis.requirements import Requirement, Requirements, parse_terms
from bot.diagnosis.space import indexed
from bot.diagnosis.templates import ready_problem
from bot.karpenter import TopologyRule
from bot.model.karpenter import NodePool
from bot.model.kubernetes import (
    Affinity,
    LabelSelector,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    Taint,
    Toleration,
    TopologySpreadConstraint,
)
from bot.model.labels import HOSTNAME
from bot.model.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One topology rule with the pods counted in each domain (topologygroup.go, TopologyGroup)."""

    rule: TopologyRule
    key: str
    namespaces: frozenset[str]
    selector: LabelSelector | None
    domains: Mapping[str, int]
    field: str
    max_skew: int = 0
    min_domains: int | None = None

    def selects(self, pod: Pod) -> bool:
        return pod.metadata.namespace in self.namespaces and selects(self.selector, pod.metadata.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a rule leaves: `picks` are the requirements Karpenter may choose between at random, `valid` all valid domains."""

    picks: tuple[Requirement, ...]
    valid: frozenset[str] = field(default_factory=frozenset)


def choose(group: Group, pod: Pod, pod_domains: Requirement, node_domains: Requirement) -> Choice:
    """The domains that one rule allows the new node (topologygroup.go, Get)."""
    if group.rule is TopologyRule.SPREAD:
        return _spread(group, pod, pod_domains, node_domains)
    if group.rule is TopologyRule.AFFINITY:
        return _affinity(group, pod, pod_domains, node_domains)
    hosts = _own_host(group, node_domains)
    if hosts:
        return _together(group.key, [h for h in hosts if not group.domains.get(h, 0)])
    empty = [d for d, n in group.domains.items() if n == 0 and d in node_domains and d in pod_domains]
    return _together(group.key, empty)


def _own_host(group: Group, node_domains: Requirement) -> tuple[str, ...]:
    """A new node is its own, yet unknown hostname domain."""
    return tuple(node_domains.values) if group.key == HOSTNAME and len(node_domains.values) == 1 else ()


def _together(key: str, domains: Sequence[str]) -> Choice:
    picks = (Requirement.of(key, "In", domains),) if domains else ()
    return Choice(picks=picks, valid=frozenset(domains))


def _one_of(key: str, domains: Sequence[str], valid: Sequence[str]) -> Choice:
    return Choice(picks=tuple(Requirement.of(key, "In", (d,)) for d in sorted(domains)), valid=frozenset(valid))


def _spread(group: Group, pod: Pod, pod_domains: Requirement, node_domains: Requirement) -> Choice:
    own = 1 if group.selects(pod) else 0
    hosts = _own_host(group, node_domains)
    if hosts:
        fits = group.domains.get(hosts[0], 0) + own <= group.max_skew
        return _together(group.key, hosts if fits else ())
    supported = [n for d, n in group.domains.items() if d in pod_domains]
    least = 0 if group.key == HOSTNAME else min(supported, default=2**31 - 1)
    if group.min_domains is not None and len(supported) < group.min_domains:
        least = 0
    counts = {d: n + own for d, n in group.domains.items() if d in node_domains}
    valid = [d for d, n in counts.items() if n - least <= group.max_skew]
    fewest = min((counts[d] for d in valid), default=0)
    return _one_of(group.key, [d for d in valid if counts[d] == fewest], valid)


def _affinity(group: Group, pod: Pod, pod_domains: Requirement, node_domains: Requirement) -> Choice:
    populated = [d for d, n in group.domains.items() if n > 0]
    reachable = [d for d in populated if d in pod_domains]
    first_of_its_kind = group.selects(pod) and not reachable
    hosts = _own_host(group, node_domains)
    if hosts:
        near = hosts[0] in pod_domains and (group.domains.get(hosts[0], 0) > 0 or first_of_its_kind)
        return _together(group.key, hosts if near else ())
    options = [d for d in reachable if d in node_domains]
    if options:
        return _together(group.key, options)
    if not first_of_its_kind:
        return Choice(picks=())
    both = [d for d in group.domains if d in pod_domains and d in node_domains]
    start = both or [d for d in group.domains if d in pod_domains]
    return _one_of(group.key, start, start)


class Topology:
    """The rules that concern one variant of a pod, counted once per World."""

    def __init__(self, world: World, placed: Placed | None = None) -> None:
        self._world = world
        self.placed = placed or Placed(world)
        self._universe: dict[str, dict[str, list[tuple[Taint, ...]]]] = {}

    def groups(self, variant: Variant) -> tuple[Group, ...]:
        """The variant's own rules, then other pods' required anti-affinity that selects it (getMatchingTopologies)."""
        own = [*self._spreads(variant), *self._affinities(variant)]
        return (*own, *self._inverse(variant))

    def _spreads(self, variant: Variant) -> Iterator[Group]:
        for spread in variant.spreads:
            pod = variant.pod
            same = tuple((k, pod.metadata.labels[k]) for k in spread.match_label_keys if k in pod.metadata.labels)
            selector = spread.label_selector
            if same and selector is not None:
                selector = LabelSelector(
                    match_labels={**selector.match_labels, **dict(same)}, match_expressions=selector.match_expressions
                )
            index = pod.spec.topology_spread_constraints.index(spread)
            yield self._group(
                TopologyRule.SPREAD,
                variant,
                PodAffinityTerm(topology_key=spread.topology_key, label_selector=selector),
                f"spec.topologySpreadConstraints[{index}]",
                spread,
            )

    def _affinities(self, variant: Variant) -> Iterator[Group]:
        affinity = variant.pod.spec.affinity or Affinity()
        for rule, rules, preferred, name in (
            (TopologyRule.AFFINITY, affinity.pod_affinity, variant.affinity, "podAffinity"),
            (TopologyRule.ANTI_AFFINITY, affinity.pod_anti_affinity, variant.anti_affinity, "podAntiAffinity"),
        ):
            whole = rules or PodAffinity()
            for index, term in enumerate(whole.required_during_scheduling_ignored_during_execution):
                where = f"spec.affinity.{name}.requiredDuringSchedulingIgnoredDuringExecution[{index}]"
                yield self._group(rule, variant, term, where, None)
            for soft in preferred:
                index = whole.preferred_during_scheduling_ignored_during_execution.index(soft)
                where = f"spec.affinity.{name}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
                yield self._group(rule, variant, soft.pod_affinity_term, where, None)

    def _group(
        self,
        rule: TopologyRule,
        variant: Variant,
        term: PodAffinityTerm,
        where: str,
        spread: TopologySpreadConstraint | None,
    ) -> Group:
        namespaces = self.placed.namespaces(variant.pod, term)
        counted = NodeFilter.of(variant, spread)
        ignore_taints = spread is not None and spread.node_taints_policy == "Ignore"
        # A rule of (anti-)affinity is made once, for the pod as written: its hash holds no tolerations, so a relaxed pod
        # finds the old one with the domains of then (karpenter: topologygroup.go, Hash; topology.go, Update).
        tolerated = variant.tolerations if spread is not None else variant.pod.spec.tolerations
        tolerations = None if ignore_taints else tolerated
        domains = dict.fromkeys(self._domains(term.topology_key, tolerations), 0)
        for domain in self.placed.domains(term.topology_key, counted):
            domains.setdefault(domain, 0)
        if term.topology_key == HOSTNAME and counted == NodeFilter.of(self._as_written(variant.pod), spread):
            self._register(domains)
        found = self.placed.count(term.topology_key, namespaces, term.label_selector, counted, variant.pod)
        for domain, number in found.items():
            domains[domain] = domains.get(domain, 0) + number
        return Group(
            rule=rule,
            key=term.topology_key,
            namespaces=namespaces,
            selector=term.label_selector,
            domains=domains,
            field=where,
            max_skew=spread.max_skew if spread else 0,
            min_domains=spread.min_domains if spread else None,
        )

    def _inverse(self, variant: Variant) -> Iterator[Group]:
        """Anti-affinity of pods that run, and of the pod itself: where they are, the pod may not be if it is selected.

        Who comes first makes the rule, with the domains that its own tolerations reach; later pods are only counted in it
        (topology.go, updateInverseAntiAffinity). Pods that run come before the pod.
        """
        pod = variant.pod
        own = (one for one in self.placed.terms_of(pod, None) if one.keeps_away(pod))
        rules: list[tuple[Holder, dict[str, int]]] = []
        for one in (*self.placed.keeping_away(pod), *own):
            known = next((rule for rule in rules if _same_rule(rule[0], one)), None)
            if known is not None:
                rules.remove(known)
            domains = known[1] if known else self._reached(one.term, one.pod)
            domain = one.node.metadata.labels.get(one.term.topology_key) if one.node else None
            if domain is not None:
                domains[domain] = domains.get(domain, 0) + 1
            rules.append((one, domains))
        for one, domains in rules:
            yield Group(
                rule=TopologyRule.ANTI_AFFINITY,
                key=one.term.topology_key,
                namespaces=one.namespaces,
                selector=one.term.label_selector,
                domains=domains,
                field="spec.affinity.podAntiAffinity of other pods",
            )

    def _reached(self, term: PodAffinityTerm, pod: Pod) -> dict[str, int]:
        """The domains of a rule that this pod makes, all empty."""
        domains = dict.fromkeys(self._domains(term.topology_key, pod.spec.tolerations), 0)
        if term.topology_key == HOSTNAME:
            self._register(domains)
        return domains

    def _as_written(self, pod: Pod) -> Variant:
        return first_variant(pod, respect_preferences=self._world.settings.preference_policy != "Ignore")

    def _register(self, domains: dict[str, int]) -> None:
        """Every node's hostname, one on its way included; rules that only a relaxation brings come too late for that.

        Source: existingnode.go, NewExistingNode, which registers with the rules there are before anything is tried.
        """
        for hostname in self.placed.hostnames:
            domains.setdefault(hostname, 0)

    def _domains(self, key: str, tolerations: Sequence[Toleration] | None) -> Iterator[str]:
        """Domains that NodePools can make (topology.go buildDomainGroups), those behind untolerated taints left out.

        Affinity rules have no taint policy, and Karpenter then honours taints; None means that taints are ignored.
        """
        if key not in self._universe:
            self._universe[key] = {}
            for pool in self._world.node_pools:
                catalogue = self._world.catalogues.get(pool.metadata.name)
                if not ready_problem(pool) and catalogue is not None and catalogue.types:
                    for domain in self._domains_of(pool, key):
                        self._universe[key].setdefault(domain, []).append(pool.spec.template.spec.taints)
        for domain, taint_lists in self._universe[key].items():
            if tolerations is None or any(all(tolerates(tolerations, t) for t in taints) for taints in taint_lists):
                yield domain

    def _domains_of(self, pool: NodePool, key: str) -> set[str]:
        requirements = Requirements(
            (
                *parse_terms(pool.spec.template.spec.requirements),
                *Requirements.from_labels(pool.spec.template.metadata.labels).values(),
            )
        )
        wanted = requirements.get(key)
        domains = set(wanted.values) if wanted is not None and wanted.operator == "In" else set()
        sets_of_values = {t.labels.get(key) for t in indexed(self._world.catalogues[pool.metadata.name]).types}
        for values in sets_of_values:
            if values is None:
                domains |= wanted.values if wanted is not None else frozenset()
            else:
                of_type = Requirement.of(key, "In" if values else "DoesNotExist", values)
                domains |= (of_type if wanted is None else wanted & of_type).values
        return domains


def _same_rule(one: Holder, other: Holder) -> bool:
    return (one.term.topology_key, one.namespaces, one.term.label_selector) == (
        other.term.topology_key,
        other.namespaces,
        other.term.label_selector,
    )
