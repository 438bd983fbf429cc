"""Constraints taken away from the objects that carry them, so that what is left of a conflict can be decided again.

Nothing here looks at the offering space: a constraint is relaxed where it is written, and the engine decides anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from msgspec.structs import replace as changed

from bot.diagnosis.constraints import UNAVAILABLE, Partition, partition, pod_constraints
from bot.diagnosis.daemons import Daemons
from bot.diagnosis.lowering import without
from bot.diagnosis.pods import Variant, first_variant
from bot.diagnosis.refusal import Explanation
from bot.diagnosis.releases import NEWEST
from bot.diagnosis.requirements import Requirement, Requirements, parse_terms
from bot.diagnosis.scheduling import Round, begin, solve
from bot.diagnosis.templates import pool_requirements, template, well_known
from bot.diagnosis.volumes import claim_name
from bot.model.diagnosis import Constraint, Kind
from bot.model.karpenter import NodeClassRef, NodePool
from bot.model.kubernetes import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    Pod,
    PodAffinity,
    PodSpec,
    ResourceRequirements,
    Toleration,
)
from bot.model.labels import AWS_DOMAIN, normalised
from bot.model.objects import Condition
from bot.model.world import Catalogue, InstanceType, Unavailable, World

_REQUIRED = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
_OF_EC2 = {kind for kind, *_ in UNAVAILABLE.values()}


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """A blocked pod with its explanation."""

    world: World
    pod: Pod
    told: Explanation


def all_constraints(this: Round, pool: NodePool, term: int | None) -> frozenset[Constraint]:
    """Every condition of a NodePool and of one OR-term of the pod (None: whichever is first)."""
    built = template(this.world, pool, (), this.version, this.daemons)
    variant = variant_of(this.pod, term)
    whole = partition(this, built, variant, this.topology.groups(variant))
    return frozenset({*_named(whole), *pod_constraints(this, variant)})


def _named(whole: Partition) -> Iterable[Constraint]:
    yield from (f.constraint for f in whole.filters)
    yield from (c for choice in whole.choices for broken in choice for c in broken)
    yield from (floor.constraint for floor in whole.floors)


def variant_of(pod: Pod, term: int | None) -> Variant:
    """The pod with only that OR-term, without preferences if it is the last."""
    base = first_variant(pod, respect_preferences=False)
    if term is None:
        return base
    last = term == base.terms[-1][0]
    return replace(base if last else first_variant(pod), terms=tuple(t for t in base.terms if t[0] == term))


def term_of(constraints: Iterable[Constraint]) -> int | None:
    """The OR-term that a conflict is about; None when it names no expression of any, the first one for a preference."""
    return term_of_fields({c.field for c in constraints})


def term_of_fields(fields: Collection[str]) -> int | None:
    """The same for the fields alone."""
    named = (int(field[len(_REQUIRED) + 1 :].split("]")[0]) for field in fields if field.startswith(_REQUIRED))
    return next(named, 0 if any(".preferredDuring" in field for field in fields) else None)


def launches(world: World, pod: Pod, nodepool: str, daemons: Sequence[Daemons]) -> bool:
    """Whether that NodePool by itself has something for the pod, if only a reservation that it must wait for.

    DaemonSets count where `daemons` says, as in the cluster that is asked about: what else holds has no say in it, though
    Karpenter may count them elsewhere once a condition is gone. Existing nodes are left aside.
    """
    this = begin(replace(world, placements_known=False), pod, (), NEWEST)
    alone = tuple(replace(t, daemons=tuple(daemons)) for t in this.templates if t.name == nodepool)
    decision = solve(replace(this, templates=alone))
    return decision.launch is not None or any(a.deferred for a in decision.refusals)


def counted(this: Round, pool: NodePool, gone: Collection[Constraint]) -> tuple[Daemons, ...]:
    """The DaemonSets where they count now, without what they take of some resources."""
    taken = {c.subject for c in gone if c.kind is Kind.DAEMON_OVERHEAD}
    built = next((t for t in this.templates if t.pool is pool), None)
    groups = (built or template(this.world, pool, (), this.version, this.daemons)).daemons
    return tuple(replace(g, overhead={k: v for k, v in g.overhead.items() if k not in taken}) for g in groups)


def relaxed(
    world: World, pod: Pod, nodepool: str, gone: Collection[Constraint], conflict: Collection[Constraint]
) -> tuple[World, Pod]:
    """The World and the pod without some constraints, of the pod's OR-terms only the one that the conflict is about.

    Constraints that no object carries (implied labels) stay. Kept preferences become requirements: Karpenter takes them for
    such as long as there are OR-terms to give up.
    """
    fields = {c.field for c in gone}
    spec = _pod(pod.spec, gone, fields, {c.field for c in conflict})
    spec = changed(spec, volumes=tuple(v for v in spec.volumes if not _volume_gone(pod, claim_name(pod, v), gone)))
    reasons = {
        reason for reason, (kind, *_) in UNAVAILABLE.items() if any(f"ec2/{reason.name.lower()}" in c.id for c in gone)
    }
    asks = first_variant(changed(pod, spec=spec), respect_preferences=False).asks
    asked = {a.requirement.key for a in asks if a.requirement.operator not in ("NotIn", "DoesNotExist")}
    pools = tuple(_pool(p, gone, asked) if p.metadata.name == nodepool else p for p in world.node_pools)
    catalogues = {
        name: _catalogue(found, reasons) if name == nodepool and reasons else found
        for name, found in world.catalogues.items()
    }
    others = {c.subject for c in gone if "of other pods" in c.field}
    pods = tuple(_without_anti_affinity(p, others) for p in world.pods)
    made = replace(world, node_pools=pools, catalogues=catalogues, pods=pods)
    return made, changed(pod, spec=spec)


def _volume_gone(pod: Pod, claim: str, gone: Collection[Constraint]) -> bool:
    return any(c.kind is Kind.VOLUME and c.id == f"volume/{pod.metadata.namespace}/{claim}" for c in gone)


def _pod(spec: PodSpec, gone: Collection[Constraint], fields: set[str], kept: set[str]) -> PodSpec:
    for constraint in gone:
        if constraint.kind is Kind.RESOURCE:
            spec = without(spec, constraint.subject)
            overhead = {k: v for k, v in spec.overhead.items() if k != constraint.subject}
            spec = changed(spec, overhead=overhead, resources=_without(spec.resources, constraint.subject))
    tolerations = [
        Toleration(key=c.subject, operator="Exists", effect=c.operator) for c in gone if c.kind is Kind.TOLERATIONS
    ]
    return changed(
        spec,
        node_selector={k: v for k, v in spec.node_selector.items() if f"spec.nodeSelector[{k}]" not in fields},
        affinity=_affinity(spec, fields, kept),
        tolerations=(*spec.tolerations, *tolerations),
        topology_spread_constraints=tuple(
            changed(s, when_unsatisfiable="DoNotSchedule")
            for i, s in enumerate(spec.topology_spread_constraints)
            if f"spec.topologySpreadConstraints[{i}]" in kept - fields
            or (f"spec.topologySpreadConstraints[{i}]" not in fields and s.when_unsatisfiable != "ScheduleAnyway")
        ),
        containers=tuple(
            changed(
                container,
                ports=tuple(
                    p
                    for n, p in enumerate(container.ports)
                    if f"spec.containers[{i}].ports[{n}].hostPort" not in fields
                ),
            )
            for i, container in enumerate(spec.containers)
        ),
    )


def _without(whole: ResourceRequirements | None, resource: str) -> ResourceRequirements | None:
    """What the pod asks for as a whole, that one resource aside."""
    if whole is None:
        return None
    kept = ({k: v for k, v in part.items() if k != resource} for part in (whole.requests, whole.limits))
    return changed(whole, **dict(zip(("requests", "limits"), kept, strict=True)))


def _affinity(spec: PodSpec, fields: set[str], kept: set[str]) -> Affinity | None:
    """One OR-term, with the kept preferences in it, without the expressions and pod terms of these fields."""
    affinity = spec.affinity
    if affinity is None:
        return None
    node = affinity.node_affinity or NodeAffinity()
    required = node.required_during_scheduling_ignored_during_execution or NodeSelector()
    asks = {a.field: a for a in first_variant(Pod(spec=spec)).asks}
    preferred = (asks[field].requirement for field in sorted((kept - fields) & asks.keys()) if asks[field].preferred)
    soft = tuple(_expression(requirement) for requirement in preferred)
    about = term_of_fields(kept)
    terms = []
    for index, one in enumerate(required.node_selector_terms):
        left = tuple(
            e
            for n, e in enumerate(one.match_expressions)
            if f"{_REQUIRED}[{index}].matchExpressions[{n}]" not in fields
        )
        if index == about and (*left, *soft):
            terms.append(changed(one, match_expressions=(*left, *soft)))
    only = NodeSelector(node_selector_terms=tuple(terms)) if terms else None
    return Affinity(
        node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=only),
        pod_affinity=_pod_terms(affinity.pod_affinity, "podAffinity", fields, kept),
        pod_anti_affinity=_pod_terms(affinity.pod_anti_affinity, "podAntiAffinity", fields, kept),
    )


def _expression(requirement: Requirement) -> NodeSelectorRequirement:
    if requirement.gte is not None:
        return NodeSelectorRequirement(key=requirement.key, operator="Gte", values=(str(requirement.gte),))
    if requirement.lte is not None:
        return NodeSelectorRequirement(key=requirement.key, operator="Lte", values=(str(requirement.lte),))
    return NodeSelectorRequirement(
        key=requirement.key, operator=requirement.operator, values=tuple(sorted(requirement.values))
    )


def _pod_terms(rules: PodAffinity | None, name: str, fields: set[str], kept: set[str]) -> PodAffinity | None:
    where = f"spec.affinity.{name}.requiredDuringSchedulingIgnoredDuringExecution"
    soft = f"spec.affinity.{name}.preferredDuringSchedulingIgnoredDuringExecution"
    whole = rules or PodAffinity()
    required = enumerate(whole.required_during_scheduling_ignored_during_execution)
    preferred = enumerate(whole.preferred_during_scheduling_ignored_during_execution)
    terms = (
        *(t for i, t in required if f"{where}[{i}]" not in fields),
        *(t.pod_affinity_term for i, t in preferred if f"{soft}[{i}]" in kept - fields),
    )
    return PodAffinity(required_during_scheduling_ignored_during_execution=terms) if terms else None


def _without_anti_affinity(pod: Pod, keys: set[str]) -> Pod:
    rules = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
    if not keys or pod.spec.affinity is None or rules is None:
        return pod
    kept = tuple(t for t in rules.required_during_scheduling_ignored_during_execution if t.topology_key not in keys)
    left = changed(rules, required_during_scheduling_ignored_during_execution=kept)
    return changed(pod, spec=changed(pod.spec, affinity=changed(pod.spec.affinity, pod_anti_affinity=left)))


def _pool(pool: NodePool, gone: Collection[Constraint], asked: set[str]) -> NodePool:
    needed, fields = asked - well_known(pool), {c.field for c in gone}
    mine = [c for c in gone if c.nodepool == pool.metadata.name]
    kinds = {c.kind for c in mine}
    undefined = {c.subject for c in mine if c.kind in (Kind.POOL_UNDEFINED, Kind.POOL_LABEL)} & needed
    spec = pool.spec
    requirements = []
    for index, requirement in enumerate(spec.template.spec.requirements):
        where = f"spec.template.spec.requirements[{index}]"
        floorless = f"{where}.minValues" in fields
        if where not in fields:
            requirements.append(changed(requirement, min_values=None) if floorless else requirement)
        elif (requirement.min_values is not None and not floorless) or normalised(requirement.key) in needed:
            # the values go; the label stays defined, and the floor stays
            floor = None if floorless else requirement.min_values
            requirements.append(NodeSelectorRequirement(key=requirement.key, operator="Exists", min_values=floor))
    requirements += [NodeSelectorRequirement(key=key, operator="Exists") for key in undefined]
    taints = {c.value for c in mine if c.kind is Kind.POOL_TAINT}
    inner = changed(
        spec.template.spec,
        requirements=tuple(requirements),
        taints=tuple(t for t in spec.template.spec.taints if str(t) not in taints),
    )
    labels = {
        k: v for k, v in spec.template.metadata.labels.items() if f"spec.template.metadata.labels[{k}]" not in fields
    }
    meta = changed(spec.template.metadata, labels=labels)
    limits = {k: v for k, v in spec.limits.items() if f"spec.limits[{k}]" not in fields}
    made = changed(pool, spec=changed(spec, template=changed(spec.template, spec=inner, metadata=meta), limits=limits))
    if Kind.POOL_NOT_READY in kinds:
        ready = changed(pool.status, conditions=(Condition(type="Ready", status="True"),))
        ours = NodeClassRef(group=AWS_DOMAIN, kind="EC2NodeClass", name=inner.node_class_ref.name)
        inner = changed(inner, node_class_ref=ours)
        made = changed(
            made,
            metadata=changed(made.metadata, deletion_timestamp=None),
            spec=changed(made.spec, replicas=None, template=changed(made.spec.template, spec=inner)),
            status=ready,
        )
    return made


def _catalogue(found: Catalogue, reasons: set[Unavailable]) -> Catalogue:
    return Catalogue(types=tuple(_offered(t, reasons) for t in found.types))


def _offered(one: InstanceType, reasons: set[Unavailable]) -> InstanceType:
    """The type's own labels say where it can be had, so they follow its offerings."""
    offerings = tuple(
        replace(o, unavailable=tuple(u for u in o.unavailable if u not in reasons)) for o in one.offerings
    )
    labels = dict(one.labels)
    for offering in (o for o in offerings if o.available):
        for key, value in offering.labels.items():
            labels[key] = labels.get(key, frozenset()) | ({value} if value is not None else frozenset())
    return replace(one, offerings=offerings, labels=labels)


def carried(constraint: Constraint) -> bool:
    """Whether some object carries the constraint, so that `relaxed` can take it away."""
    implied = constraint.field == "metadata.name" or constraint.subject == "pods"
    return not implied


def settled(this: Round, pool: NodePool, conflict: Collection[Constraint]) -> bool:
    """Whether the conflict stands for itself, so that dropping conditions outside it changes nothing about it.

    Three things of Karpenter's do not: a contradiction on one label reads as DoesNotExist, which a third condition can
    turn into a conflict or undo; a topology rule is counted by what the pod asks of its label; and a preference (a
    PreferNoSchedule taint too) gives way as soon as nothing harder is left to give up.
    """
    term = term_of(conflict)
    asks = Requirements(a.requirement for a in variant_of(this.pod, term).asks)
    own = pool_requirements(pool)
    labels = Requirements.from_labels(pool.spec.template.metadata.labels)
    single = [
        *(a.requirement for a in variant_of(this.pod, term).asks),
        *parse_terms(pool.spec.template.spec.requirements),
        *labels.values(),
    ]
    for constraint in conflict:
        key = normalised(constraint.subject)
        possible = any(not r.is_empty for r in single if r.key == key)
        contradicted = possible and any(key in r and r[key].is_empty for r in (asks, own))
        topology = constraint.kind in (Kind.TOPOLOGY_SPREAD, Kind.POD_AFFINITY)
        soft = ".preferredDuring" in constraint.field or constraint.operator == "PreferNoSchedule"
        if contradicted or (topology and key in asks) or soft:
            return False
    return True
