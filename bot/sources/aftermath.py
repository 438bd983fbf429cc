"""What alerts make one look up: which pods wait, where a node is, what became of a pod's name. Each a handful of reads."""

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bot.model.karpenter import NodeClaim
from bot.model.kubernetes import Event, Node, Pod
from bot.model.labels import NODEPOOL
from bot.model.objects import AnyObject, Condition, ObjectMeta
from bot.sources.errors import ClusterUnreachable, NotPermitted, ReadFailed
from bot.sources.owners import controller_of
from bot.sources.reading import IN_ONE_PIECE, OnlyMeta, Reader
from bot.sources.resources import EVENTS, NODE_CLAIMS, NODES, PODS, Resource, is_name

MOST_PODS: Final = 20_000
"""How many waiting pods are counted by workload."""
_NAMED: Final = 200
_SAID: Final = 5
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingGroup:
    """Pending pods of one controller. `pods` are the first of them, as `namespace/name`."""

    namespace: str
    owner: str
    pods: tuple[str, ...]
    count: int
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A node and its NodeClaim as they are now; None for what is not there. `said`: events about both, oldest first."""

    node: Node | None
    claim: NodeClaim | None
    pods: int
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """A pod by its exact name, None when it is gone; what was said about it, oldest first."""

    pod: Pod | None
    said: tuple[str, ...]


async def observe_pending(reader: Reader, namespace: str = "") -> tuple[PendingGroup, ...]:
    """The pending pods by controller, the largest group first. Raises NotPermitted, ClusterUnreachable."""
    groups: dict[tuple[str, str], list[str]] = {}
    counts: dict[tuple[str, str], int] = {}
    oldest: dict[tuple[str, str], datetime] = {}
    if namespace and not is_name(namespace):
        return ()
    seen = 0
    query = (("fieldSelector", "status.phase=Pending"),)
    try:
        async with aclosing(reader.metadata(PODS, namespace=namespace, query=query)) as pages:
            async for page in pages:
                _count(page, groups, counts, oldest)
                seen += len(page)
                if seen >= MOST_PODS:
                    break
    except ReadFailed as failure:
        raise _spoken(failure, "pods") from failure
    found = (
        PendingGroup(namespace=key[0], owner=key[1], pods=tuple(names), count=counts[key], oldest=oldest.get(key))
        for key, names in groups.items()
    )
    return tuple(sorted(found, key=lambda one: (-one.count, one.namespace, one.owner)))


Key = tuple[str, str]


def _count(
    page: Iterable[OnlyMeta], groups: dict[Key, list[str]], counts: dict[Key, int], oldest: dict[Key, datetime]
) -> None:
    for meta in (item.metadata for item in page):
        owner = controller_of(meta)
        key = (meta.namespace, owner.name if owner else meta.name)
        counts[key] = counts.get(key, 0) + 1
        names = groups.setdefault(key, [])
        if meta.creation_timestamp is not None:
            oldest[key] = min(oldest.get(key, meta.creation_timestamp), meta.creation_timestamp)
        if len(names) < _NAMED:
            names.append(f"{meta.namespace}/{meta.name}")


async def observe_node(reader: Reader, node: str, claim: str = "") -> NodeState:
    """A node by name (or by its NodeClaim's). Raises ClusterUnreachable; gaps are left out."""
    nodes = await _all(reader, NODES, Node)
    claims = await _all(reader, NODE_CLAIMS, NodeClaim)
    found_claim = next((c for c in claims if c.metadata.name == claim or (node and c.status.node_name == node)), None)
    node = node or (found_claim.status.node_name if found_claim else "")
    found = next((n for n in nodes if n.metadata.name == node), None)
    pods = 0
    if found is not None:
        on_it = (("fieldSelector", f"spec.nodeName={node}"), ("resourceVersion", "0"))
        pods = len(await reader.many(PODS, OnlyMeta, query=on_it, page=IN_ONE_PIECE))
    said: list[tuple[datetime, str]] = []
    for kind, name in (("Node", node), ("NodeClaim", found_claim.metadata.name if found_claim else claim)):
        if name:
            said += await _events(reader, kind, name, "")
    return NodeState(node=found, claim=found_claim, pods=pods, said=_told(said))


async def _all(reader: Reader, resource: Resource, kind: type[AnyObject]) -> tuple[AnyObject, ...]:
    try:
        return await reader.all_of(resource, kind)
    except ReadFailed:
        return ()


async def observe_trace(reader: Reader, namespace: str, pod: str) -> PodState:
    """A pod's state and its last events. Raises ClusterUnreachable."""
    if not is_name(pod) or (namespace and not is_name(namespace)):
        return PodState(pod=None, said=())
    found = await reader.one(PODS, Pod, pod, namespace) if namespace else None
    return PodState(pod=found, said=_told(await _events(reader, "Pod", pod, namespace)))


async def _events(reader: Reader, kind: str, name: str, namespace: str) -> list[tuple[datetime, str]]:
    query = (("fieldSelector", f"involvedObject.kind={kind},involvedObject.name={name}"),)
    events = await reader.many(EVENTS, Event, namespace=namespace, query=query)
    return [(_time(event), f"{event.reason}: {event.message}") for event in events if event.reason]


def _time(event: Event) -> datetime:
    series = event.series.last_observed_time if event.series else None
    moment = series or event.last_timestamp or event.event_time or event.first_timestamp
    return moment or event.metadata.creation_timestamp or _LONG_AGO


def _told(said: Iterable[tuple[datetime, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{when:%H:%M} UTC {text}" for when, text in sorted(said)[-_SAID:]))


def ready_condition(node: Node) -> Condition:
    """The node's Ready condition; an empty one where it has none."""
    return next((c for c in node.status.conditions if c.type == "Ready"), Condition())


def nodepool_of(meta: ObjectMeta | None) -> str:
    """The NodePool that a node or NodeClaim belongs to."""
    return meta.labels.get(NODEPOOL, "") if meta else ""


def _spoken(failure: ReadFailed, what: str) -> NotPermitted | ClusterUnreachable:
    if failure.status == 403:
        return NotPermitted(f"no permission to list {what}: {failure.message}")
    return ClusterUnreachable(f"the API server did not list {what}: {failure}")
