"""Other pods that a question needs: those its topology rules count, those on nodes, one of each DaemonSet."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bot.model.kubernetes import (
    DaemonSet,
    LabelSelector,
    Namespace,
    Node,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodSpec,
)
from bot.sources.reading import IN_ONE_PIECE, Reader
from bot.sources.resources import NAMESPACES, PODS, is_name

_RUNNING: Final = ",status.phase!=Succeeded,status.phase!=Failed"
_PLACED: Final = f"spec.nodeName!={_RUNNING}"
_FEW_NODES: Final = 20
"""Up to so many nodes are asked for their pods one by one; beyond, one list of all pods is cheaper."""
_DAEMON_PODS: Final = 20


def selector_text(selector: LabelSelector | None) -> str:
    """A label selector as the API's `labelSelector` parameter; "" selects everything."""
    if selector is None:
        return ""
    parts = [f"{key}={value}" for key, value in selector.match_labels.items()]
    for one in selector.match_expressions:
        match one.operator:
            case "Exists":
                parts.append(one.key)
            case "DoesNotExist":
                parts.append(f"!{one.key}")
            case operator:
                parts.append(f"{one.key} {operator.lower()} ({','.join(one.values)})")
    return ",".join(parts)


def affinity_terms(spec: PodSpec) -> Iterator[PodAffinityTerm]:
    """All pod affinity and anti-affinity terms, required and preferred."""
    both: Sequence[PodAffinity | None] = (
        (spec.affinity.pod_affinity, spec.affinity.pod_anti_affinity) if spec.affinity else ()
    )
    for affinity in both:
        if affinity is not None:
            yield from affinity.required_during_scheduling_ignored_during_execution
            yield from (w.pod_affinity_term for w in affinity.preferred_during_scheduling_ignored_during_execution)


def lists_for(pod: Pod) -> frozenset[tuple[str, str]]:
    """Which lists of pods the pod's rules count: (namespace, label selector); an empty namespace stands for all."""
    own = pod.metadata.namespace
    wanted = {(own, selector_text(spread.label_selector)) for spread in pod.spec.topology_spread_constraints}
    for term in affinity_terms(pod.spec):
        # A namespace selector may select any; one list of all is cheaper than many.
        namespaces = ("",) if term.namespace_selector is not None else term.namespaces or (own,)
        wanted |= {(n, selector_text(term.label_selector)) for n in namespaces if not n or is_name(n)}
    return frozenset(wanted)


async def observe_neighbours(reader: Reader, pod: Pod) -> tuple[tuple[Pod, ...], tuple[Namespace, ...]]:
    """The placed pods that the pod's spread, affinity and anti-affinity count, and the namespaces if a selector needs them.

    Other pods' anti-affinity against this one cannot be asked for; it is known only where all placed pods are read.
    """
    by_selector = any(term.namespace_selector is not None for term in affinity_terms(pod.spec))
    lists = [
        reader.many(PODS, Pod, namespace=namespace, query=_selecting(_PLACED, labels))
        for namespace, labels in sorted(lists_for(pod))
    ]
    namespaces = reader.many(NAMESPACES, Namespace) if by_selector else _nothing()
    *found, spaces = await asyncio.gather(*lists, namespaces)
    pods = [p for part in found for p in part if isinstance(p, Pod)]
    return unique(pods), tuple(n for n in spaces if isinstance(n, Namespace))


async def _nothing() -> tuple[Namespace, ...]:
    return ()


async def observe_on_node(reader: Reader, node: Node, fields: str = "") -> tuple[Pod, ...]:
    """The pods on one node, as the API server's memory has them: it keeps them by node, so other pods cost nothing."""
    query = [*_selecting(f"spec.nodeName={node.metadata.name}{fields}", ""), ("resourceVersion", "0")]
    return await reader.many(PODS, Pod, query=query, page=IN_ONE_PIECE)


def _selecting(fields: str, labels: str) -> list[tuple[str, str]]:
    return [("fieldSelector", fields), *([("labelSelector", labels)] if labels else [])]


async def observe_placed(reader: Reader, nodes: Sequence[Node]) -> tuple[Pod, ...]:
    """All pods that run on these nodes."""
    if len(nodes) > _FEW_NODES:
        names = {node.metadata.name for node in nodes}
        return await reader.many(PODS, Pod, query=_selecting(_PLACED, ""), keep=lambda p: p.spec.node_name in names)
    found = await asyncio.gather(*(observe_on_node(reader, node, _RUNNING) for node in nodes))
    return tuple(pod for part in found for pod in part)


async def observe_daemon_pods(
    reader: Reader, daemon_sets: Sequence[DaemonSet], nodes: Sequence[Node]
) -> tuple[Pod, ...]:
    """A young pod of each DaemonSet: Karpenter takes a real pod's requests before the template's, for admission may have
    changed them, and of several pods the newest (karpenter pkg/controllers/state/cluster.go, GetDaemonSetPod).

    The newest node has most of them, in one list; a DaemonSet that does not run there is asked for its own pods.
    """
    young = await _young_pods(reader, nodes) if len(daemon_sets) > 1 else {}
    absent = (one for one in daemon_sets if one.metadata.uid not in young)
    found = await asyncio.gather(*(_daemon_pod(reader, one) for one in absent))
    there = (young[one.metadata.uid] for one in daemon_sets if one.metadata.uid in young)
    return (*there, *(pod for pod in found if pod is not None))


async def _young_pods(reader: Reader, nodes: Sequence[Node]) -> dict[str, Pod]:
    """The pods of the newest node, by their owners' uids."""
    newest = max(nodes, key=lambda n: str(n.metadata.creation_timestamp or ""), default=None)
    if newest is None:
        return {}
    pods = await observe_on_node(reader, newest)
    return {owner.uid: pod for pod in pods for owner in pod.metadata.owner_references if owner.uid}


async def _daemon_pod(reader: Reader, daemon_set: DaemonSet) -> Pod | None:
    labels = selector_text(daemon_set.spec.selector)
    if not labels:
        return None
    namespace, uid = daemon_set.metadata.namespace, daemon_set.metadata.uid
    pods = await reader.some(PODS, Pod, _DAEMON_PODS, namespace=namespace, query=[("labelSelector", labels)])
    own = [p for p in pods if any(o.uid == uid for o in p.metadata.owner_references)]
    return max(own, key=lambda p: str(p.metadata.creation_timestamp or ""), default=None)


def unique(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Each pod once, in order."""
    return tuple({(p.metadata.namespace, p.metadata.name): p for p in pods}.values())
