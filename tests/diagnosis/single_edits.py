"""Every single-field edit of a pod or of a NodePool that could help it, made in the objects: an enumeration of its own.

What is not an edit here is not one for the bot either: a taint is there for others, a GPU less than one is another pod.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from msgspec.structs import replace as changed

from bot.diagnosis.edits import DEVICES
from bot.diagnosis.pods import requests_of
from bot.model.karpenter import NodePool
from bot.model.kubernetes import (
    Affinity,
    Container,
    NodeSelectorRequirement,
    Pod,
    PodSpec,
    ResourceRequirements,
    Toleration,
)
from bot.model.labels import EFA
from bot.model.quantities import Quantity
from bot.model.world import World

Edited = tuple[str, World, Pod]
LITTLE = {"cpu": "1m", "memory": "1Mi", "ephemeral-storage": "1Mi"}


def single_edits(world: World, pod: Pod) -> Iterator[Edited]:
    """What was edited, and the World and the pod then."""
    for what, spec in _pod_edits(pod.spec):
        yield what, world, changed(pod, spec=spec)
    for toleration in _tolerations(world):
        yield f"tolerate {toleration}", world, _tolerating(pod, toleration)
    for pool in world.node_pools:
        for what, edited in _pool_edits(pool, pod):
            pools = tuple(edited if p is pool else p for p in world.node_pools)
            yield f"{pool.metadata.name} {what}", replace(world, node_pools=pools), pod


def _tolerations(world: World) -> list[Toleration]:
    taints = {t for p in world.node_pools for t in p.spec.template.spec.taints}
    return [
        Toleration(key=t.key, operator="Equal" if t.value else "Exists", value=t.value, effect=t.effect) for t in taints
    ]


def _tolerating(pod: Pod, toleration: Toleration) -> Pod:
    return changed(pod, spec=changed(pod.spec, tolerations=(*pod.spec.tolerations, toleration)))


def _pod_edits(spec: PodSpec) -> Iterator[tuple[str, PodSpec]]:
    for key in spec.node_selector:
        yield f"drop {key}", changed(spec, node_selector={k: v for k, v in spec.node_selector.items() if k != key})
    for index, spread in enumerate(spec.topology_spread_constraints):
        if spread.when_unsatisfiable == "DoNotSchedule":
            rules = list(spec.topology_spread_constraints)
            rules[index] = changed(spread, when_unsatisfiable="ScheduleAnyway")
            yield f"relax spread {index}", changed(spec, topology_spread_constraints=tuple(rules))
    yield from _requests(spec)
    yield from _pod_level(spec)
    yield from _host_ports(spec)
    if spec.affinity is not None:
        for what, affinity in _affinities(spec.affinity):
            yield what, changed(spec, affinity=affinity)


def _requests(spec: PodSpec) -> Iterator[tuple[str, PodSpec]]:
    for name, containers in (("containers", spec.containers), ("init_containers", spec.init_containers)):
        for index, container in enumerate(containers):
            for resource in {**container.resources.limits, **container.resources.requests}:
                made = list(containers)
                made[index] = _asking_little(container, resource)
                yield f"less {resource} in {name} {index}", changed(spec, **{name: tuple(made)})


def _pod_level(spec: PodSpec) -> Iterator[tuple[str, PodSpec]]:
    """What the pod asks for as a whole; its containers as they are, which the API server takes only while they stay below."""
    whole = spec.resources or ResourceRequirements()
    for resource in whole.requests:
        least = Quantity.parse(LITTLE.get(resource, "1"))
        inside = requests_of(changed(spec, resources=None, overhead={})).get(resource, least)
        little = changed(whole, requests={**whole.requests, resource: max(least, inside)})
        yield f"less {resource} of the pod", changed(spec, resources=little)


def _asking_little(container: Container, resource: str) -> Container:
    """As little as still is a request: one device, next to nothing of what can be divided; of EFA none."""
    least = Quantity.parse(LITTLE.get(resource, "1"))
    if resource == EFA:
        least = Quantity(0)
    elif resource not in DEVICES and resource not in LITTLE:
        least = Quantity(1)
    parts = [
        {name: min(amount, least) if name == resource else amount for name, amount in part.items()}
        for part in (container.resources.requests, container.resources.limits)
    ]
    return changed(container, resources=changed(container.resources, requests=parts[0], limits=parts[1]))


def _host_ports(spec: PodSpec) -> Iterator[tuple[str, PodSpec]]:
    for index, container in enumerate(spec.containers):
        for place, port in enumerate(container.ports):
            if port.host_port:
                ports = list(container.ports)
                ports[place] = changed(port, host_port=0)
                made = list(spec.containers)
                made[index] = changed(container, ports=tuple(ports))
                yield f"drop host port {port.host_port}", changed(spec, containers=tuple(made))


def _affinities(affinity: Affinity) -> Iterator[tuple[str, Affinity]]:
    node = affinity.node_affinity
    required = node.required_during_scheduling_ignored_during_execution if node else None
    for index, term in enumerate(required.node_selector_terms if required else ()):
        assert node is not None
        assert required is not None
        for place in range(len(term.match_expressions)):
            left = (*term.match_expressions[:place], *term.match_expressions[place + 1 :])
            terms = list(required.node_selector_terms)
            terms[index] = changed(term, match_expressions=left)
            kept = changed(required, node_selector_terms=tuple(terms)) if left or term.match_fields else None
            made = changed(node, required_during_scheduling_ignored_during_execution=kept)
            yield f"drop expression {index}/{place}", changed(affinity, node_affinity=made)
    for name, rules in (("pod_affinity", affinity.pod_affinity), ("pod_anti_affinity", affinity.pod_anti_affinity)):
        wanted = rules.required_during_scheduling_ignored_during_execution if rules else ()
        for index in range(len(wanted)):
            assert rules is not None
            fewer = (*wanted[:index], *wanted[index + 1 :])
            without = changed(rules, required_during_scheduling_ignored_during_execution=fewer)
            yield f"drop {name} {index}", changed(affinity, **{name: without})


def _pool_edits(pool: NodePool, pod: Pod) -> Iterator[tuple[str, NodePool]]:
    inner = pool.spec.template
    requirements = inner.spec.requirements
    for index, requirement in enumerate(requirements):
        before, rest = requirements[:index], requirements[index + 1 :]
        variants: list[tuple[str, tuple[NodeSelectorRequirement, ...]]] = [("dropped", (*before, *rest))]
        if requirement.operator == "In":
            wider = changed(requirement, values=(*requirement.values, *_named(pod, requirement.key)))
            variants.append(("widened", (*before, wider, *rest)))
        if requirement.min_values is not None:
            variants.append(("minValues 1", (*before, changed(requirement, min_values=1), *rest)))
        for what, made in variants:
            spec = changed(inner.spec, requirements=made)
            yield f"{requirement.key} {what}", _with_template(pool, changed(inner, spec=spec))
    for resource in pool.spec.limits:
        limits = {**pool.spec.limits, resource: Quantity.parse("1000000Gi")}
        yield f"limit {resource}", changed(pool, spec=changed(pool.spec, limits=limits))
    for key in inner.metadata.labels:
        left = {k: v for k, v in inner.metadata.labels.items() if k != key}
        for labels in (left, *({**left, key: value} for asked, value in _labels_asked(pod) if asked == key)):
            meta = changed(inner.metadata, labels=labels)
            yield f"label {key}: {labels.get(key)}", _with_template(pool, changed(inner, metadata=meta))
    for key, value in _labels_asked(pod):
        if key not in inner.metadata.labels and all(r.key != key for r in requirements):
            labels = {**inner.metadata.labels, key: value}
            meta = changed(inner.metadata, labels=labels)
            yield f"label {key}", _with_template(pool, changed(inner, metadata=meta))


def _with_template(pool: NodePool, template: object) -> NodePool:
    return changed(pool, spec=changed(pool.spec, template=template))


def _expressions(pod: Pod) -> Iterator[NodeSelectorRequirement]:
    node = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = node.required_during_scheduling_ignored_during_execution if node else None
    for term in required.node_selector_terms if required else ():
        yield from term.match_expressions


def _named(pod: Pod, key: str) -> tuple[str, ...]:
    chosen = [pod.spec.node_selector[key]] if key in pod.spec.node_selector else []
    return (*chosen, *(v for e in _expressions(pod) if e.key == key and e.operator == "In" for v in e.values))


def _labels_asked(pod: Pod) -> Iterator[tuple[str, str]]:
    yield from pod.spec.node_selector.items()
    yield from ((e.key, v) for e in _expressions(pod) if e.operator == "In" for v in e.values[:1])
