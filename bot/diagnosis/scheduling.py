"""Karpenter's decision for one pod: which NodePool would launch which instance types, or why each one refuses.

A mirror of karpenter pkg/controllers/provisioning/scheduling/{scheduler.go trySchedule, add, addToNewNodeClaim; nodeclaim.go
CanAdd, filterInstanceTypesByRequirements} (v1.14), for a pod that is alone in its round. The words are Karpenter's own
findings (bot.karpenter), so that the message it would log can be predicted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from bot.diagnosis import existing, volumes
from bot.diagnosis.daemons import DaemonPod, daemon_pods
from bot.diagnosis.indexes import Types
from bot.diagnosis.met import Seen, waits_for_reservation
from bot.diagnosis.pods import HostPort, Variant, host_ports_of, requests_of, untolerated, variants
from bot.diagnosis.releases import NEWEST, RESOURCES_WITH_OFFERING, Version
from bot.diagnosis.requirements import Clash, Requirement, Requirements
from bot.diagnosis.state_nodes import NODES
from bot.diagnosis.templates import Template, min_values_unmet, ready_problem, templates, well_known, within_limits
from bot.diagnosis.topology import Group, Topology, choose
from bot.diagnosis.validation import ignored
from bot.karpenter import (
    AllFilteredOut,
    DomainCounts,
    DynamicResourcesUnsupported,
    Finding,
    IncompatibleRequirements,
    InstanceTypeRefusal,
    KeyConflict,
    LabelUnknown,
    LimitsExceeded,
    NodeLimitsExhausted,
    Operator,
    PrintedRequirement,
    Reason,
    Reserved,
    ReservedOfferings,
    TaintNotTolerated,
    TopologyUnsatisfiable,
    Where,
)
from bot.model.kubernetes import Pod
from bot.model.labels import HOSTNAME
from bot.model.quantities import Resources, largest, total
from bot.model.world import Refused, World

# A NodeClaim that is only thought of has a hostname too; Karpenter numbers them, and never prints them but in topology.
PLACEHOLDER: Final = "hostname-placeholder-0001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One NodePool tried for one variant of the pod: the types that are left, or the findings against it.

    `random` is True where Karpenter chooses a topology domain by chance and not every choice ends the same.
    """

    template: Template
    requirements: Requirements
    types: Types = 0
    findings: tuple[Finding, ...] = ()
    random: bool = False

    @property
    def launches(self) -> bool:
        return not self.findings

    @property
    def deferred(self) -> bool:
        """Karpenter waits for a reservation and tries no other NodePool (ReservedOfferingError)."""
        return any(isinstance(f, ReservedOfferings) for f in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What Karpenter does with the pod. Exactly one of the outcomes holds: ignored, node, launch, or refused by all.

    `no_nodepools`: none is usable, so it does not even try (it logs `no dynamic nodepools found`, the pod hears nothing).
    """

    ignored: tuple[Finding, ...] = ()
    node: str = ""
    launch: Attempt | None = None
    refusals: tuple[Attempt, ...] = ()
    variant: Variant | None = None
    nothing_left: tuple[Finding, ...] = ()
    no_nodepools: bool = False

    @property
    def blocked(self) -> bool:
        return self.launch is None and not self.node

    @property
    def left_alone(self) -> bool:
        """Refused for what the pod is, whatever nodes and NodePools there are."""
        return any(isinstance(f, DynamicResourcesUnsupported) for f in self.nothing_left)

    @property
    def random(self) -> bool:
        return any(a.random for a in (*self.refusals, *((self.launch,) if self.launch else ())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What stays the same while one pod is tried: the NodePools, its resources, ports and volumes, the topology."""

    world: World
    pod: Pod
    templates: tuple[Template, ...]
    requests: Resources
    ports: tuple[HostPort, ...]
    volumes: tuple[Requirements, ...]
    topology: Topology
    daemons: tuple[DaemonPod, ...]
    nodes: existing.Nodes
    version: Version = NEWEST
    relax_min_values: bool = False
    term: int | None = None
    """If given, only this required OR-term of the pod is tried, at its place in Karpenter's order."""
    brief: bool = False
    """Refusals need no more than their reason: the pod will be relaxed further, and nobody hears of them."""

    @property
    def load(self) -> existing.Load:
        """What the pod brings to an existing node."""
        return existing.Load(requests=self.requests, ports=self.ports, volumes=self.volumes)


def begin(world: World, pod: Pod, refused: Sequence[Refused], version: Version = NEWEST) -> Round:
    """Prepares the round: NodePools filtered and ordered, requests added up."""
    daemons = daemon_pods(world)
    built = templates(world, refused, version, daemons)
    return Round(
        world=world,
        pod=pod,
        templates=built,
        daemons=daemons,
        nodes=existing.Nodes(world, built[-1].daemons_after if built else daemons),
        requests=requests_of(pod.spec),
        ports=host_ports_of(pod.spec),
        volumes=volumes.alternatives_of(volumes.demands(world, pod)),
        topology=Topology(world),
        version=version,
        relax_min_values=world.settings.min_values_policy == "BestEffort",
    )


def decide(world: World, pod: Pod, refused: Sequence[Refused] = (), version: Version = NEWEST) -> Decision:
    """Karpenter's decision for a pod that it does look at (see validation.not_provisionable for those it does not)."""
    left_out = ignored(world, pod)
    if left_out:
        return Decision(ignored=left_out)
    return solve(begin(world, pod, refused, version))


def solve(this: Round) -> Decision:
    """Tries the pod as written, then each relaxation, as trySchedule does; the last refusals are the ones it reports."""
    if all(ready_problem(pool) for pool in this.world.node_pools):
        return Decision(no_nodepools=True)  # Karpenter ends its round here, existing nodes unseen
    if this.pod.spec.resource_claims and this.world.settings.ignore_dra_requests:
        return Decision(nothing_left=(DynamicResourcesUnsupported(),))
    refusals: tuple[Attempt, ...] = ()
    tried: Variant | None = None
    every = steps(this)
    for variant in every:
        if this.term is not None and variant.terms and variant.terms[0][0] != this.term:
            continue
        tried = variant
        trying = this if variant is every[-1] else replace(this, brief=True)
        groups = this.topology.groups(variant)
        node = this.nodes.fitting(variant, this.load, groups)
        if node:
            return Decision(node=node, variant=variant)
        if not this.templates:
            continue
        refusals = ()
        for template in this.templates:
            attempt = attempt_template(trying, template, variant, groups)
            if attempt.launches:
                earlier = this.templates[: len(refusals)]
                told = tuple(attempt_template(this, one, variant, groups) for one in earlier)
                return Decision(launch=attempt, refusals=told, variant=variant)
            refusals = (*refusals, attempt)
            if attempt.deferred:
                return Decision(refusals=(attempt,), variant=variant)
    nothing: tuple[Finding, ...] = () if this.templates else (AllFilteredOut(),)
    return Decision(refusals=refusals, variant=tried, nothing_left=nothing)


def steps(this: Round) -> list[Variant]:
    """The pod as written and every relaxation of it."""
    soft_taints = any(
        taint.effect == "PreferNoSchedule" for pool in this.world.node_pools for taint in pool.spec.template.spec.taints
    )
    respect = this.world.settings.preference_policy != "Ignore"
    return list(variants(this.pod, respect_preferences=respect, tolerate_preferences=soft_taints))


def attempt_template(this: Round, template: Template, variant: Variant, groups: Sequence[Group]) -> Attempt:
    """One NodePool and one variant: limits, taints, requirements, then each volume alternative (addToNewNodeClaim, CanAdd)."""
    hosted = template.requirements & Requirements((Requirement.of(HOSTNAME, "In", (PLACEHOLDER,)),))
    left = template.remaining
    if left is not None and NODES in left and not left[NODES]:
        return Attempt(template=template, requirements=hosted, findings=(NodeLimitsExhausted(nodepool=template.name),))
    types = within_limits(template.space, template.types, left)
    if not types:
        return Attempt(template=template, requirements=hosted, findings=(LimitsExceeded(nodepool=template.name),))
    taints = untolerated(variant.tolerations, template.pool.spec.template.spec.taints)
    if taints:
        refused = tuple(TaintNotTolerated(key=t.key, value=t.value, effect=t.effect) for t in taints)
        return Attempt(template=template, requirements=hosted, findings=refused)
    asked = variant.requirements
    conflicts = _conflicts(template, hosted, asked)
    if conflicts:
        found = IncompatibleRequirements(where=Where.POD, conflicts=conflicts)
        return Attempt(template=template, requirements=hosted, findings=(found,))
    attempt: Attempt | None = None
    for alternative in this.volumes or (Requirements(),):
        attempt = _attempt_volumes(this, template, types, variant, (hosted & asked, alternative), groups)
        if attempt.launches:
            return attempt
    assert attempt is not None  # noqa: S101 (the loop runs at least once)
    return attempt


def _attempt_volumes(
    this: Round,
    template: Template,
    types: Types,
    variant: Variant,
    wanted: tuple[Requirements, Requirements],
    groups: Sequence[Group],
) -> Attempt:
    """One alternative of the volumes: its requirements, then topology, then instance types (tryVolumeAlternative)."""
    base, alternative = wanted
    conflicts = _conflicts(template, base, alternative)
    if conflicts:
        found = IncompatibleRequirements(where=Where.VOLUME, conflicts=conflicts)
        return Attempt(template=template, requirements=base, findings=(found,))
    placed = base & alternative
    outcomes = [
        topology if isinstance(topology, Attempt) else _filter_types(this, template, types, topology)
        for topology in _placements(this, template, placed, variant, groups)
    ]
    best = next((o for o in outcomes if o.launches), outcomes[0])
    by_chance = len({(o.launches, o.types) for o in outcomes}) > 1
    return (
        best
        if not by_chance
        else Attempt(
            template=template, requirements=best.requirements, types=best.types, findings=best.findings, random=True
        )
    )


def _placements(
    this: Round, template: Template, placed: Requirements, variant: Variant, groups: Sequence[Group]
) -> Iterator[Requirements | Attempt]:
    """The requirements with every topology rule added, one for each domain Karpenter may pick (Topology.AddRequirements)."""
    if not groups:
        yield placed
        return
    strict = variant.strict
    picks: list[tuple[Requirement, ...]] = []
    for group in groups:
        anything = Requirement.of(group.key, "Exists")
        pod_domains, node_domains = strict.get(group.key, anything), placed.get(group.key, anything)
        choice = choose(group, this.pod, pod_domains, node_domains)
        if not choice.picks:
            found = TopologyUnsatisfiable(
                rule=group.rule,
                key=group.key,
                counts=DomainCounts(named=tuple(sorted(group.domains.items()))),
                pod_domains=printed(pod_domains),
                node_domains=printed(node_domains),
            )
            yield Attempt(template=template, requirements=placed, findings=(found,))
            return
        picks.append(choice.picks)
    for picked in product(*picks):
        narrowed = placed & Requirements(picked)
        conflicts = _conflicts(template, placed, narrowed)
        if conflicts:
            found_conflict = IncompatibleRequirements(where=Where.TOPOLOGY, conflicts=conflicts)
            yield Attempt(template=template, requirements=placed, findings=(found_conflict,))
        else:
            yield narrowed


def _conflicts(
    template: Template, defined: Requirements, incoming: Requirements
) -> tuple[LabelUnknown | KeyConflict, ...]:
    """Karpenter's Compatible: the first undefined label ends it, else every conflicting key."""
    known = well_known(template.pool)
    undefined = defined.undefined(incoming, allowed=known)
    if undefined:
        return (LabelUnknown(key=undefined[0].key, hint=label_hint(undefined[0].key, defined, known)),)
    return tuple(_key_conflict(clash) for clash in defined.clashes(incoming))


def _key_conflict(clash: Clash) -> KeyConflict:
    existing_side = clash.existing or clash.incoming
    return KeyConflict(key=clash.key, incoming=printed(clash.incoming), existing=printed(existing_side))


def label_hint(key: str, defined: Requirements, well_known_labels: frozenset[str]) -> str | None:
    """A label that `key` may be a typo of. Karpenter takes any match at random (labelHint); here the first sorted one."""
    suffix = key.split("/", 1)[-1]
    for known in (*sorted(well_known_labels), *sorted(defined)):
        if key in known or known.endswith(suffix):
            return known
    return None


def _filter_types(this: Round, template: Template, types: Types, requirements: Requirements) -> Attempt:
    """The types that meet requirements, resources and offering at once (filterInstanceTypesByRequirements)."""
    space = template.space
    met_by, offered_by = space.types_meeting(requirements), space.types_offered(requirements)
    coupled = this.version >= RESOURCES_WITH_OFFERING
    seen, left = Seen(), 0
    overheads: list[Resources] = []
    for group in template.daemons:
        considered = group.types & types
        if not group.types & template.types or any(a.conflicts_with(b) for a in this.ports for b in group.host_ports):
            continue
        if group.overhead:
            overheads.append(group.overhead)
        met, offered = met_by & considered, offered_by & considered
        fits = space.types_fitting(total((this.requests, group.overhead))) & considered
        fits = fits & offered if coupled else fits
        seen.requirements |= bool(met)
        seen.resources |= bool(fits)
        seen.offering |= bool(offered)
        seen.requirements_resources |= bool(met & fits & ~offered)
        seen.requirements_offering |= bool(met & offered & ~fits)
        seen.resources_offering |= bool(fits & offered & ~met)
        left |= met & fits & offered
    unmet = min_values_unmet(requirements, space, left, this.version)
    if unmet and not this.relax_min_values:
        refusal = _refusal(this, Reason.MIN_VALUES, requirements, overheads, tuple(sorted(unmet)))
        return Attempt(template=template, requirements=requirements, findings=(refusal,))
    if not left:
        refusal = _refusal(this, seen.reason(), requirements, overheads, ())
        return Attempt(template=template, requirements=requirements, findings=(refusal,))
    if this.world.settings.reserved_capacity and waits_for_reservation(this.version, space, requirements, left):
        waiting = ReservedOfferings(reserved=Reserved.TAKEN)
        return Attempt(template=template, requirements=requirements, findings=(waiting,))
    return Attempt(template=template, requirements=requirements, types=left)


def _refusal(
    this: Round, reason: Reason, requirements: Requirements, overheads: Sequence[Resources], keys: tuple[str, ...]
) -> InstanceTypeRefusal:
    if this.brief:
        return InstanceTypeRefusal(reason=reason)
    names = {name for overhead in overheads for name in overhead}
    common = {n: min(o[n] for o in overheads) for n in names if all(n in o for o in overheads)}
    low = total((common, this.requests))
    high = total((largest(overheads), this.requests))
    texts = [{name: str(amount) for name, amount in part.items()} for part in (low, high)]
    return InstanceTypeRefusal(
        reason=reason,
        requirements=tuple(printed(r) for r in requirements.values() if r.key != HOSTNAME),
        resources=texts[0],
        resources_max=texts[1] if texts[0] != texts[1] else None,
        min_values_keys=keys,
        cpu_typo=reason is Reason.RESOURCES and "cpu" in this.requests and this.requests["cpu"].whole >= 10**6,
    )


def printed(requirement: Requirement) -> PrintedRequirement:
    """A requirement as Karpenter's messages show it."""
    return PrintedRequirement(
        key=requirement.key,
        operator=Operator(requirement.operator),
        values=tuple(sorted(requirement.values)),
        at_least=requirement.gte,
        at_most=requirement.lte,
        min_values=requirement.min_values,
    )
