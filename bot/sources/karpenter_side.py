"""What a cluster says about Karpenter: its NodePools, what it made of them, how it is set up, what it logged."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.model.gaps import gap_in
from bot.model.karpenter import EC2NodeClass, NodeClaim, NodePool
from bot.model.kubernetes import DaemonSet, Event, Node, Pod
from bot.model.objects import AnyObject
from bot.model.world import Missing
from bot.sources.controller import SELECTOR, Controller, ControllerPod, parse_controller
from bot.sources.errors import ReadFailed, missing_read
from bot.sources.features import GATED, Features, observe_features
from bot.sources.logs import SERVER_LIMIT, SINCE_SECONDS, TAILS, LogTail
from bot.sources.neighbours import observe_daemon_pods
from bot.sources.reading import IN_ONE_PIECE, Reader
from bot.sources.resources import (
    AUTO_MODE,
    DAEMON_SETS,
    EVENTS,
    KARPENTER,
    KARPENTER_AWS,
    NODES,
    PODS,
    VERSIONS,
    Resource,
    none_of,
)

LOG: Final = "Karpenter's log"
_CONTROLLERS_READ: Final = 3
_TRUSTED_FOR: Final = 300.0
"""Seconds for which only the namespaces where Karpenter was found are looked in: a second one elsewhere shows after that."""
_EVENTS_KEPT: Final = 2000
_CLUSTER_EVENTS: Final = "default"
"""The namespace of events about cluster-scoped objects (client-go tools/record/event.go, makeEvent)."""
_ABOUT: Final = frozenset({"NodePool", "NodeClaim", "EC2NodeClass", "NodeClass"})
_OTHERS: Final = ("Pod", "Node", "Job", "CronJob", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Service")
"""What else events of that namespace are about, as a rule."""
_NODE_EVENTS: Final = ("involvedObject.kind=Node,source=karpenter", "involvedObject.kind=Node,reason=NodeNotReady")
"""Karpenter's, and the node controller's of nodes that fell silent; a kubelet's own about its node would be thousands."""
_NODES_A_PAGE: Final = 2000
"""A Node is some 10 KiB, mostly names of images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where Karpenter runs: the namespaces to look in (none: all) and its pods' label."""

    namespaces: tuple[str, ...] = ()
    selector: str = SELECTOR


class Whereabouts:
    """Where Karpenter's pods were last: looked for there first, and in all namespaces of the installation now and then."""

    def __init__(self, installation: Installation, clock: Callable[[], float] = time.monotonic) -> None:
        self.installation = installation
        self._clock = clock
        self._there: tuple[str, ...] = ()
        self._searched = float("-inf")

    def likely(self) -> tuple[str, ...]:
        """The namespaces of the last search, as long as that may be trusted; else none."""
        return self._there if self._clock() - self._searched < _TRUSTED_FOR else ()

    def searched(self, pods: Sequence[ControllerPod]) -> None:
        """Notes what a search of all namespaces found."""
        self._there, self._searched = tuple(sorted({pod.metadata.namespace for pod in pods})), self._clock()


@dataclass(frozen=True, slots=True, kw_only=True)
class KarpenterSide:
    """The part of a World that is the same for every pod, but for the choice of log lines."""

    node_pools: tuple[NodePool, ...]
    node_classes: tuple[EC2NodeClass, ...]
    node_claims: tuple[NodeClaim, ...]
    nodes: tuple[Node, ...]
    daemon_sets: tuple[DaemonSet, ...]
    daemon_pods: tuple[Pod, ...]
    events: tuple[Event, ...]
    controller: Controller
    log: tuple[str, ...]
    features: Features


async def observe_karpenter(reader: Reader, whereabouts: Whereabouts, tail: LogTail) -> KarpenterSide:
    """Reads all of it at once; `tail` chooses the log lines. Raises ClusterUnreachable, CredentialsExpired."""
    async with asyncio.TaskGroup() as group:
        pools = group.create_task(_observe_pools(reader))
        claims = group.create_task(_observe_versions(reader, KARPENTER, "nodeclaims", NodeClaim))
        nodes = group.create_task(_observe_nodes(reader))
        daemons = group.create_task(_observe_daemons(reader, nodes))
        events = group.create_task(_observe_events(reader))
        controllers = group.create_task(_observe_with_log(reader, whereabouts, tail))
    node_pools, node_classes = pools.result()
    daemon_sets, daemon_pods = daemons.result()
    pods = controllers.result()
    if not pods and node_pools and not any(gap.what in (LOG, PODS.full_name) for gap in reader.missing):
        reader.lacks(_no_controller(node_pools, whereabouts.installation))
    controller = parse_controller(pods)
    for gap in controller.missing:
        reader.lacks(gap)
    gates = controller.settings.feature_gates if pods else _unknown_gates(node_pools)
    return KarpenterSide(
        node_pools=node_pools,
        node_classes=node_classes,
        node_claims=claims.result() or (),
        nodes=nodes.result(),
        daemon_sets=daemon_sets,
        daemon_pods=daemon_pods,
        events=events.result(),
        controller=controller,
        log=tuple(tail),
        features=await observe_features(reader, gates, known=bool(pods)),
    )


def _unknown_gates(pools: Sequence[NodePool]) -> Iterable[str]:
    """Gates that may be on, for all that is known: any, but that EKS Auto Mode has none of them."""
    ours = any(pool.spec.template.spec.node_class_ref.group != AUTO_MODE for pool in pools)
    return GATED if ours else ()


async def _observe_nodes(reader: Reader) -> tuple[Node, ...]:
    try:
        return await reader.all_of(NODES, Node, page=_NODES_A_PAGE)
    except ReadFailed as failure:
        reader.lacks(missing_read(failure, "list", NODES.full_name))
        return ()


async def _observe_versions(
    reader: Reader, group: str, plural: str, kind: type[AnyObject]
) -> tuple[AnyObject, ...] | None:
    """A kind of Karpenter's in the newest version that the cluster serves; None when it serves none."""
    for version in VERSIONS:
        resource = Resource(group=group, version=version, plural=plural, namespaced=False)
        try:
            return await reader.all_of(resource, kind)
        except ReadFailed as failure:
            if failure.status != 404:
                reader.lacks(missing_read(failure, "list", resource.full_name))
                return ()
    return None


async def _observe_pools(reader: Reader) -> tuple[tuple[NodePool, ...], tuple[EC2NodeClass, ...]]:
    pools, classes = await asyncio.gather(
        _observe_versions(reader, KARPENTER, "nodepools", NodePool),
        _observe_versions(reader, KARPENTER_AWS, "ec2nodeclasses", EC2NodeClass),
    )
    if pools is None:
        reader.lacks(gap_in(f"nodepools.{KARPENTER}", "no-karpenter", absent=True, resource=KARPENTER))
        return (), classes or ()
    groups = {pool.spec.template.spec.node_class_ref.group for pool in pools}
    auto_mode: tuple[EC2NodeClass, ...] = ()
    if AUTO_MODE in groups:
        resource = Resource(group=AUTO_MODE, plural="nodeclasses", namespaced=False)
        auto_mode = await reader.many(resource, EC2NodeClass)  # rare and few: not worth a watch
    if classes is None and groups - {AUTO_MODE}:
        name = f"ec2nodeclasses.{KARPENTER_AWS}"
        reader.lacks(gap_in(name, "not-served", resource=name))
    return pools, (*(classes or ()), *auto_mode)


async def _observe_daemons(
    reader: Reader, nodes: Awaitable[Sequence[Node]]
) -> tuple[tuple[DaemonSet, ...], tuple[Pod, ...]]:
    daemon_sets = await reader.many(DAEMON_SETS, DaemonSet)
    return daemon_sets, await observe_daemon_pods(reader, daemon_sets, await nodes)


async def _observe_events(reader: Reader) -> tuple[Event, ...]:
    lists = (
        reader.many(
            EVENTS,
            Event,
            namespace=_CLUSTER_EVENTS,
            query=[("fieldSelector", none_of("involvedObject.kind", _OTHERS))],
            keep=lambda event: event.involved_object.kind in _ABOUT,
        ),
        *(
            reader.many(EVENTS, Event, namespace=_CLUSTER_EVENTS, query=[("fieldSelector", about)])
            for about in _NODE_EVENTS
        ),
    )
    found = [event for part in await asyncio.gather(*lists) for event in part]
    return tuple(sorted(found, key=lambda e: str(e.time or ""))[-_EVENTS_KEPT:])


async def observe_controllers(reader: Reader, whereabouts: Whereabouts) -> tuple[ControllerPod, ...]:
    """Karpenter's own pods."""
    pods = await _controllers_in(reader, whereabouts.likely(), whereabouts.installation)
    if not pods:
        pods = await _controllers_in(reader, whereabouts.installation.namespaces or ("",), whereabouts.installation)
        whereabouts.searched(pods)
    return pods


def running(pods: Sequence[ControllerPod]) -> tuple[ControllerPod, ...]:
    """Those of them that run."""
    return tuple(pod for pod in pods if pod.status.phase == "Running")


async def _observe_with_log(reader: Reader, whereabouts: Whereabouts, tail: LogTail) -> tuple[ControllerPod, ...]:
    pods = await observe_controllers(reader, whereabouts)
    # Only the leader logs decisions; after a change of leader the old one's lines still count, so all are read.
    read = running(pods)[:_CONTROLLERS_READ]
    tails = await asyncio.gather(*(_observe_log(reader, pod, tail.names) for pod in read))
    for lines in tails:
        for line in lines:
            tail.take(line)
    return pods


async def _controllers_in(
    reader: Reader, namespaces: Iterable[str], installation: Installation
) -> tuple[ControllerPod, ...]:
    # few, long-lived pods: the API server looks them up in its memory
    query = [("labelSelector", installation.selector), ("resourceVersion", "0")]
    lists = (reader.many(PODS, ControllerPod, namespace=n, query=query, page=IN_ONE_PIECE) for n in namespaces)
    return tuple(pod for part in await asyncio.gather(*lists) for pod in part)


async def _observe_log(reader: Reader, pod: ControllerPod, names: tuple[str, ...]) -> LogTail:
    """One controller's log: a short tail, and a long one where the short one does not name the pod."""
    best = LogTail(names)
    path = PODS.path(pod.metadata.namespace, pod.metadata.name, "log")
    for lines in TAILS:
        tail = LogTail(names)
        asked = {"tailLines": lines, "sinceSeconds": SINCE_SECONDS, "limitBytes": SERVER_LIMIT}
        query = [("container", pod.container.name), *((key, str(value)) for key, value in asked.items())]
        try:
            await tail.read(reader.chunks(path, query))
        except ReadFailed as failure:
            unread = missing_read(failure, "get", "pods/log", f" in namespace {pod.metadata.namespace}")
            reader.lacks(replace(unread, what=LOG, facts={**unread.facts, "of": LOG}))
            return best if best.seen else tail
        best = tail
        if tail.names_pod or tail.seen < lines or not names:
            break
    if best.received >= SERVER_LIMIT:
        reader.lacks(gap_in(LOG, "too-much-log", part="newest", mib=str(SERVER_LIMIT >> 20)))
    return best


def _no_controller(pools: Sequence[NodePool], installation: Installation) -> Missing:
    if all(pool.spec.template.spec.node_class_ref.group == AUTO_MODE for pool in pools):
        return gap_in(LOG, "auto-mode")
    where = f"namespaces {', '.join(installation.namespaces)}" if installation.namespaces else "any namespace"
    return gap_in(LOG, "no-controller", label=installation.selector, where=where)
