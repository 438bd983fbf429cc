"""What if a remedy were done: its edits made in the model objects, and the decision taken again.

The edits mean what bot/remediation makes of them in manifests: a resource's old and new value are the pod's total (see
lowering.py); a term that loses its last expression takes the whole required affinity with it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from msgspec.structs import replace as changed

from bot.diagnosis.daemons import DaemonPod
from bot.diagnosis.lowering import lowered, without
from bot.diagnosis.pods import host_ports_of, requests_of
from bot.diagnosis.scheduling import Decision, Round, solve
from bot.diagnosis.templates import Template, by_weight, ready_problem, template
from bot.diagnosis.topology import Topology
from bot.model.diagnosis import Edit, Remedy
from bot.model.karpenter import NodePool
from bot.model.kubernetes import (
    Affinity,
    NodeSelectorRequirement,
    Pod,
    PodAffinity,
    PodSpec,
    Toleration,
)
from bot.model.objects import decode
from bot.model.quantities import Quantity
from bot.model.world import Refused, World

Place = tuple[str, ...]
_NODE_AFFINITY: Final = ("spec", "affinity", "nodeAffinity")
_TOKEN: Final = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def after(world: World, pod: Pod, remedy: Remedy) -> tuple[World, Pod]:
    """The World and the pod as they are once the remedy is done. What an edit does not find it leaves as it is."""
    return edited(world, pod, remedy.edits)


def edited(world: World, pod: Pod, edits: Sequence[Edit]) -> tuple[World, Pod]:
    """The World and the pod with some edits made."""
    new_pod = pod
    pools = {pool.metadata.name: pool for pool in world.node_pools}
    for edit in sorted(edits, key=_position, reverse=True):
        if edit.object.kind == "NodePool":
            pools[edit.object.name] = _pool(pools[edit.object.name], edit)
        else:
            new_pod = _pod(new_pod, edit)
    pods = world.pods if new_pod is pod else tuple(new_pod if one is pod else one for one in world.pods)
    return replace(world, pods=pods, node_pools=tuple(pools[p.metadata.name] for p in world.node_pools)), new_pod


def decided(this: Round, edits: Sequence[Edit], nodepool: str, refused: Sequence[Refused]) -> Decision:
    """Karpenter's decision after some edits, with that NodePool alone: cheap enough to check every remedy offered.

    Where an edit is about one OR-term of the pod, only that term is tried: the others were refused before.
    """
    world, pod = edited(this.world, this.pod, edits)
    touched = any(edit.object.kind == "NodePool" for edit in edits)
    pools = [p for p in by_weight(world.node_pools) if p.metadata.name == nodepool and not ready_problem(p)]
    known = {t.name: t for t in this.templates}
    if touched:
        templates = tuple(
            template(world, pool, refused, this.version, _daemons_before(this, known.get(pool.metadata.name)))
            for pool in pools
        )
    else:
        templates = tuple(known[p.metadata.name] for p in pools if p.metadata.name in known)
    return solve(
        replace(
            this,
            world=world,
            pod=pod,
            templates=tuple(t for t in templates if t.types),
            requests=requests_of(pod.spec),
            ports=host_ports_of(pod.spec),
            topology=Topology(world, this.topology.placed) if touched else this.topology,
            term=_term(pod, edits),
        )
    )


def _daemons_before(this: Round, known: Template | None) -> tuple[DaemonPod, ...]:
    return known.daemons_before if known else this.daemons


def _term(pod: Pod, edits: Sequence[Edit]) -> int | None:
    """The required term that the edits are about, as long as the pod still has more than one."""
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    places = (parse_place(edit.field) for edit in edits)
    about = {int(place[5]) for place in places if place[:3] == _NODE_AFFINITY and place[3].startswith("required")}
    return about.pop() if len(about) == 1 and required and len(required.node_selector_terms) > 1 else None


def parse_place(field: str) -> Place:
    """`spec.nodeSelector[topology.kubernetes.io/zone]` as its tokens."""
    return tuple(bracketed or plain for bracketed, plain in _TOKEN.findall(field))


def _position(edit: Edit) -> list[int]:
    """Where in its list an edit is: of two in one list the later goes first, since indexes count from before all edits."""
    return [int(token) for token in parse_place(edit.field) if token.isdecimal()]


def _pod(pod: Pod, edit: Edit) -> Pod:
    place = parse_place(edit.field)
    make = next((make for prefix, make in _OF_POD if place[: len(prefix)] == prefix), None)
    return changed(pod, spec=make(pod.spec, edit, place)) if make else pod


def _selector(spec: PodSpec, edit: Edit, place: Place) -> PodSpec:
    return changed(spec, node_selector=_entry(spec.node_selector, place[2], edit.new))


def _entry(entries: Mapping[str, str], key: str, value: object) -> dict[str, str]:
    left = {k: v for k, v in entries.items() if k != key}
    return left if value is None else {**left, key: str(value)}


def _expression(spec: PodSpec, edit: Edit, place: Place) -> PodSpec:
    """One expression of node affinity, widened or dropped."""
    if place[3].startswith("preferred"):
        return _preference(spec, place)
    affinity = spec.affinity.node_affinity if spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    if spec.affinity is None or affinity is None or required is None:
        return spec
    term, position = int(place[5]), int(place[7])
    terms = list(required.node_selector_terms)
    expressions = _replaced(terms[term].match_expressions, position, edit.new)
    terms[term] = changed(terms[term], match_expressions=expressions)
    emptied = not expressions and not terms[term].match_fields
    kept = None if emptied else changed(required, node_selector_terms=tuple(terms))
    node_affinity = changed(affinity, required_during_scheduling_ignored_during_execution=kept)
    return changed(spec, affinity=changed(spec.affinity, node_affinity=node_affinity))


def _preference(spec: PodSpec, place: Place) -> PodSpec:
    """A preferred term without one expression, or gone with its last."""
    affinity = spec.affinity.node_affinity if spec.affinity else None
    if spec.affinity is None or affinity is None:
        return spec
    terms = list(affinity.preferred_during_scheduling_ignored_during_execution)
    index = int(place[4])
    left = _replaced(terms[index].preference.match_expressions, int(place[7]), None)
    kept = changed(terms[index], preference=changed(terms[index].preference, match_expressions=left))
    terms[index : index + 1] = [kept] if left else []
    node_affinity = changed(affinity, preferred_during_scheduling_ignored_during_execution=tuple(terms))
    return changed(spec, affinity=changed(spec.affinity, node_affinity=node_affinity))


def _replaced(
    expressions: tuple[NodeSelectorRequirement, ...], position: int, values: object
) -> tuple[NodeSelectorRequirement, ...]:
    """The expressions with other values at one place, or without that one."""
    before, rest = expressions[:position], expressions[position + 1 :]
    if not isinstance(values, list) or position >= len(expressions):
        return (*before, *rest)
    return (*before, changed(expressions[position], values=tuple(str(v) for v in values)), *rest)


def _toleration(spec: PodSpec, edit: Edit, _place: Place) -> PodSpec:
    return changed(spec, tolerations=(*spec.tolerations, decode(edit.new, Toleration)))


def _spread(spec: PodSpec, edit: Edit, place: Place) -> PodSpec:
    rules = list(spec.topology_spread_constraints)
    rules[int(place[2])] = changed(rules[int(place[2])], when_unsatisfiable=str(edit.new))
    return changed(spec, topology_spread_constraints=tuple(rules))


def _pod_affinity(spec: PodSpec, _edit: Edit, place: Place) -> PodSpec:
    affinity = spec.affinity or Affinity()
    near = place[2] == "podAffinity"
    rules = affinity.pod_affinity if near else affinity.pod_anti_affinity
    if rules is None:
        return spec
    required = list(rules.required_during_scheduling_ignored_during_execution)
    preferred = list(rules.preferred_during_scheduling_ignored_during_execution)
    del (required if place[3].startswith("required") else preferred)[int(place[4])]
    rules = PodAffinity(
        required_during_scheduling_ignored_during_execution=tuple(required),
        preferred_during_scheduling_ignored_during_execution=tuple(preferred),
    )
    changes = changed(affinity, pod_affinity=rules) if near else changed(affinity, pod_anti_affinity=rules)
    return changed(spec, affinity=changes)


def _containers(spec: PodSpec, edit: Edit, place: Place) -> PodSpec:
    if place[3] == "ports":
        return _without_host_port(spec, place)
    return _resource(spec, edit, place)


def _resource(spec: PodSpec, edit: Edit, _place: Place) -> PodSpec:
    if edit.new is None:
        return without(spec, edit.subject)
    return lowered(spec, edit.subject, Quantity.parse(str(edit.new))) or spec


def _without_host_port(spec: PodSpec, place: Place) -> PodSpec:
    containers = list(spec.containers)
    container = containers[int(place[2])]
    ports = list(container.ports)
    ports[int(place[4])] = changed(ports[int(place[4])], host_port=0)
    containers[int(place[2])] = changed(container, ports=tuple(ports))
    return changed(spec, containers=tuple(containers))


_OF_POD: Final[tuple[tuple[Place, Callable[[PodSpec, Edit, Place], PodSpec]], ...]] = (
    (("spec", "nodeSelector"), _selector),
    (_NODE_AFFINITY, _expression),
    (("spec", "affinity"), _pod_affinity),
    (("spec", "tolerations"), _toleration),
    (("spec", "topologySpreadConstraints"), _spread),
    (("spec", "containers"), _containers),
    (("spec", "initContainers"), _resource),
    (("spec", "resources"), _resource),
)


def _pool(pool: NodePool, edit: Edit) -> NodePool:
    """One field of a NodePool: a limit, a template label, a requirement's values or minValues, or the whole requirement."""
    place = parse_place(edit.field)
    spec = pool.spec
    if place[1] == "limits":
        return changed(pool, spec=changed(spec, limits={**spec.limits, place[2]: Quantity.parse(str(edit.new))}))
    inner = spec.template
    if place[2] == "metadata":
        labels = _entry(inner.metadata.labels, place[4] if len(place) > 4 else edit.subject, edit.new)
        inner = changed(inner, metadata=changed(inner.metadata, labels=labels))
    else:
        requirements = inner.spec.requirements
        index = int(place[4])
        if place[-1] == "minValues":
            lowered = changed(requirements[index], min_values=edit.new if isinstance(edit.new, int) else None)
            requirements = (*requirements[:index], lowered, *requirements[index + 1 :])
        else:
            requirements = _replaced(requirements, index, edit.new)
        inner = changed(inner, spec=changed(inner.spec, requirements=requirements))
    return changed(pool, spec=changed(spec, template=inner))
