"""What alerts make one look up: which pods wait, where a node is and what runs on it. Each a handful of reads."""

from collections.abc import AsyncIterable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from bot.model.karpenter import NodeClaim
from bot.model.kubernetes import Event, Node
from bot.model.labels import NODEPOOL
from bot.model.objects import AnyObject, Condition, ObjectMeta, OwnerReference
from bot.sources.errors import ClusterUnreachable, NotPermitted, ReadFailed
from bot.sources.kube_api import METADATA_ONLY
from bot.sources.owners import controller_of
from bot.sources.ownership import MOST_PODS, Owner, Ownership
from bot.sources.reading import IN_ONE_PIECE, OnlyMeta, Reader
from bot.sources.resources import EVENTS, NODE_CLAIMS, NODES, PENDING, PODS, Resource, is_name

_NAMED: Final = 200
"""Pods of a group that are named; all are counted."""
_SAID: Final = 5
"""Statements about one object that are told."""
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingGroup:
    """Pods of one topmost owner. `pods` are the first of them, as `namespace/name`; `jobs` counts the Jobs that made them."""

    namespace: str
    owner: Owner
    pods: tuple[str, ...]
    count: int
    oldest: datetime | None = None
    jobs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A node and its NodeClaim as they are now; None for what is not there. `pods` on it by owner; `said`: events about
    both, oldest first.
    """

    node: Node | None
    claim: NodeClaim | None
    pods: tuple[PendingGroup, ...]
    said: tuple[str, ...]


@dataclass(slots=True)
class _Counted:
    names: list[str] = field(default_factory=list)
    count: int = 0
    oldest: datetime | None = None
    jobs: set[str] = field(default_factory=set)

    def add(self, other: "_Counted") -> None:
        self.names = [*self.names, *other.names][:_NAMED]
        self.count += other.count
        self.jobs |= other.jobs
        if other.oldest is not None:
            self.oldest = min(self.oldest or other.oldest, other.oldest)


async def observe_pending(reader: Reader, ownership: Ownership, namespace: str = "") -> tuple[PendingGroup, ...]:
    """The pending pods by topmost owner, the largest group first. Raises NotPermitted, ClusterUnreachable."""
    if namespace and not is_name(namespace):
        return ()
    try:
        async with aclosing(reader.metadata(PODS, namespace=namespace, query=PENDING)) as pages:
            return await _by_owner(reader, ownership, pages)
    except ReadFailed as failure:
        raise _spoken(failure, "pods") from failure


async def _by_owner(
    reader: Reader, ownership: Ownership, pages: AsyncIterable[Iterable[OnlyMeta]]
) -> tuple[PendingGroup, ...]:
    """Counts page by page, so that no more than a page of pods is held; owners are followed once all are counted."""
    counted: dict[tuple[str, OwnerReference | str], _Counted] = {}
    seen = 0
    async for page in pages:
        for meta in (item.metadata for item in page):
            one = counted.setdefault((meta.namespace, controller_of(meta) or meta.name), _Counted())
            one.count += 1
            if meta.creation_timestamp is not None:
                one.oldest = min(one.oldest or meta.creation_timestamp, meta.creation_timestamp)
            if len(one.names) < _NAMED:
                one.names.append(f"{meta.namespace}/{meta.name}")
            seen += 1
        if seen >= MOST_PODS:
            break
    owned = ((space, owner) for space, owner in counted if isinstance(owner, OwnerReference))
    tops = await ownership.tops(reader, owned)
    groups: dict[tuple[str, Owner], _Counted] = {}
    for (space, owner), one in counted.items():
        top = Owner("Pod", owner) if isinstance(owner, str) else tops[space, owner.kind, owner.name]
        if not isinstance(owner, str) and owner.kind == "Job":
            one.jobs.add(owner.name)
        groups.setdefault((space, top), _Counted()).add(one)
    found = (
        PendingGroup(namespace=space, owner=top, pods=tuple(g.names), count=g.count, oldest=g.oldest, jobs=len(g.jobs))
        for (space, top), g in groups.items()
    )
    return tuple(sorted(found, key=lambda one: (-one.count, one.namespace, one.owner)))


async def observe_node(reader: Reader, ownership: Ownership, node: str, claim: str = "") -> NodeState:
    """A node by its name, the first part of it, its instance's id, or its NodeClaim's name. Raises ClusterUnreachable; gaps
    are left out.
    """
    nodes = await _all(reader, NODES, Node)
    claims = await _all(reader, NODE_CLAIMS, NodeClaim)
    node = next((n.metadata.name for n in nodes if node and _is_called(n, node)), node)
    found_claim = next((c for c in claims if c.metadata.name == claim or (node and c.status.node_name == node)), None)
    node = node or (found_claim.status.node_name if found_claim else "")
    found = next((n for n in nodes if n.metadata.name == node), None)
    pods: tuple[PendingGroup, ...] = ()
    if found is not None:
        with suppress(ReadFailed):
            running = f"spec.nodeName={node},status.phase!=Succeeded,status.phase!=Failed"
            on_it = (("fieldSelector", running), ("resourceVersion", "0"))
            whole = reader.pages(PODS, OnlyMeta, query=on_it, accept=METADATA_ONLY, page=IN_ONE_PIECE)
            async with aclosing(whole) as pages:
                pods = await _by_owner(reader, ownership, pages)
    said: list[tuple[datetime, str]] = []
    for kind, name in (("Node", node), ("NodeClaim", found_claim.metadata.name if found_claim else claim)):
        if name:
            said += await events_about(reader, kind, name, "")
    return NodeState(node=found, claim=found_claim, pods=pods, said=told(said))


def _is_called(node: Node, name: str) -> bool:
    own = node.metadata.name
    return name == own or own.startswith(f"{name}.") or node.spec.provider_id.endswith(f"/{name}")


async def _all(reader: Reader, resource: Resource, kind: type[AnyObject]) -> tuple[AnyObject, ...]:
    try:
        return await reader.all_of(resource, kind)
    except ReadFailed:
        return ()


async def events_about(reader: Reader, kind: str, name: str, namespace: str) -> list[tuple[datetime, str]]:
    """What was said about an object of this kind and name, with its time. Raises ClusterUnreachable; gaps are left out."""
    query = (("fieldSelector", f"involvedObject.kind={kind},involvedObject.name={name}"),)
    events = await reader.many(EVENTS, Event, namespace=namespace, query=query)
    return [(_time(event), f"{event.reason}: {event.message}") for event in events if event.reason]


def _time(event: Event) -> datetime:
    series = event.series.last_observed_time if event.series else None
    moment = series or event.last_timestamp or event.event_time or event.first_timestamp
    return moment or event.metadata.creation_timestamp or _LONG_AGO


def told(said: Iterable[tuple[datetime, str]]) -> tuple[str, ...]:
    """The last of it, each thing once, the oldest first."""
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
