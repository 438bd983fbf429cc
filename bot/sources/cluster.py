"""A live cluster -> World: only what one pod's question needs, everything independent at once.

What is not permitted, does not answer or is malformed costs a `Missing`, not the answer. A `World` from here has no
catalogues and no EC2 facts but the region, if Karpenter's own pods tell it.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from bot.model.ec2 import Ec2Facts
from bot.model.kubernetes import Event, Node, Pod, PodDisruptionBudget
from bot.model.objects import MalformedObjectError, ObjectMeta, decode
from bot.model.world import World
from bot.sources.errors import ClusterUnreachable, NotPermitted, PodNotFound, ReadFailed, SourceError
from bot.sources.karpenter_metrics import observe_unavailable
from bot.sources.karpenter_side import (
    Installation,
    KarpenterSide,
    Whereabouts,
    observe_controllers,
    observe_karpenter,
    running,
)
from bot.sources.kube_api import KubeApi
from bot.sources.logs import LogTail
from bot.sources.neighbours import observe_neighbours, observe_on_node, observe_placed, unique
from bot.sources.owners import Discovery, controller_of, observe_owners
from bot.sources.pod_search import Candidates, PodQuestion, Search
from bot.sources.reading import IN_ONE_PIECE, Reader, Standing, decode_json
from bot.sources.resources import BUDGETS, EVENTS, PENDING, PODS, is_name, none_of
from bot.sources.storage import observe_storage

_NAMES_SEEN: Final = 20_000
"""How many pods a search by name looks at."""
_SIBLING_EVENTS: Final = frozenset({"Evicted", "Disrupted", "Scheduled"})
"""Reasons that tell which node a workload's earlier pods were on, and that they were driven off it."""
_LOST_EVENTS: Final = frozenset({"TaintManagerEviction", "Preempted", "NodeNotReady"})
"""Reasons that tell that Kubernetes itself gave a pod up."""
_SPACES_READ: Final = 5
"""Namespaces whose pods are read to see what protects them."""
_NODE_EVENTS: Final = frozenset(
    {
        "NodeNotReady",
        "NodeReady",
        "RemovingNode",
        "DeletingNode",
        "Rebooted",
        "NodeHasDiskPressure",
        "EvictionThresholdMet",
    }
)
"""Reasons that tell of a node's health and end; a kubelet's other events about its node are noise."""
_FREQUENT_EVENTS: Final = (
    *("BackOff", "Created", "Failed", "FailedMount", "FailedScheduling", "Killing", "Nominated", "Pulled", "Pulling"),
    *("Started", "Unhealthy"),
)
"""Reasons that make up most of a namespace's events about pods."""

Answer = TypeVar("Answer")


class Cluster:
    """One cluster. Keeps nothing between questions but what API discovery said and where Karpenter runs.

    `standing`: who keeps the collections that every question needs (a Mirror); without it they are listed each time.
    """

    def __init__(
        self,
        api: KubeApi,
        *,
        name: str = "",
        installation: Installation | None = None,
        standing: Standing | None = None,
    ) -> None:
        self._api = api
        self._standing = standing
        self._name = name
        self._karpenter = Whereabouts(installation or Installation())
        self._discovery = Discovery()

    async def observe_pod(self, question: PodQuestion) -> Pod:
        """The pod that is meant: of exactly that name, else the one pending pod that fits (see pod_search).

        Raises PodNotFound with the nearest names, SeveralPods, NotPermitted, ClusterUnreachable, CredentialsExpired.
        """
        reader = Reader(self._api)
        search = Search(question)
        exact = await _permitted(_observe_exact(reader, question))
        if len(exact) == 1:
            return exact[0]
        if exact:
            search.see(pod.metadata for pod in exact)
        else:
            await _permitted(_see(reader, search, question.namespace, PENDING))
        chosen = search.chosen()
        if chosen is None:
            await _see_alternatives(reader, search)
            raise search.not_found()
        namespace, _, name = chosen.partition("/")
        found = await _permitted(_observe_exact(reader, PodQuestion(name=name, namespace=namespace)))
        if not found:
            raise PodNotFound(chosen)
        return found[0]

    async def observe_candidates(self, question: PodQuestion) -> Candidates:
        """The pending pods that fit a part of a name or an owner's name best; with an empty name, all pending pods.

        Raises NotPermitted, ClusterUnreachable, CredentialsExpired.
        """
        search = Search(question)
        await _permitted(_see(Reader(self._api), search, question.namespace, PENDING))
        return search.candidates

    async def observe_world(self, pod: Pod, now: datetime) -> World:
        """What bears on the pod. Raises ClusterUnreachable, CredentialsExpired; all other trouble is in `missing`."""
        reader = Reader(self._api, self._standing)
        try:
            async with asyncio.TaskGroup() as group:
                side = group.create_task(observe_karpenter(reader, self._karpenter, LogTail.about(pod)))
                owners = group.create_task(observe_owners(reader, self._discovery, pod.metadata))
                storage = group.create_task(observe_storage(reader, pod))
                neighbours = group.create_task(observe_neighbours(reader, pod))
                events = group.create_task(_observe_events(reader, pod.metadata))
        except ExceptionGroup as failed:
            raise _first(failed) from failed
        pods, namespaces = neighbours.result()
        world = self._world(side.result(), now)
        return replace(
            world,
            pods=unique((pod, *pods, *world.pods)),
            events=(*events.result(), *world.events),
            claims=storage.result().claims,
            volumes=storage.result().volumes,
            storage_classes=storage.result().classes,
            namespaces=namespaces,
            workloads=owners.result(),
            missing=tuple(reader.missing),
        )

    async def observe_nodepools(self, now: datetime) -> World:
        """What is the same for every pod: NodePools, their classes, claims, nodes, DaemonSets, events, the whole log tail.

        Raises as `observe_world`.
        """
        reader = Reader(self._api, self._standing)
        try:
            side = await observe_karpenter(reader, self._karpenter, LogTail(()))
        except ExceptionGroup as failed:
            raise _first(failed) from failed
        return replace(self._world(side, now), missing=tuple(reader.missing))

    async def observe_past(self, name: str, now: datetime) -> World:
        """What is still known of a node, NodeClaim or pod of that name: Karpenter's side, node events of every source, what
        drove pods off their nodes, the pods that are there on nodes, PodDisruptionBudgets.

        Raises ClusterUnreachable, CredentialsExpired; other trouble is in `missing`.
        """
        world = await self.observe_nodepools(now)
        reader = Reader(self._api)
        driven = [("fieldSelector", f"involvedObject.kind=Pod,{none_of('reason', _FREQUENT_EVENTS)}")]
        of_nodes = [("fieldSelector", "involvedObject.kind=Node")]
        budgets, pods, nodes = await asyncio.gather(
            reader.many(BUDGETS, PodDisruptionBudget),
            reader.many(EVENTS, Event, query=driven, keep=lambda e: e.reason in _SIBLING_EVENTS | _LOST_EVENTS),
            reader.many(EVENTS, Event, query=of_nodes, keep=lambda e: e.reason in _NODE_EVENTS),
        )
        # pods on the node where it is there, and those of the namespaces whose pods were driven off: for their protections
        lists = [observe_on_node(reader, node) for node in world.nodes if _begins(node, name)]
        driven_off = {e.involved_object.namespace for e in pods if e.reason != "Scheduled"} if name else set()
        spaces = sorted(driven_off)[:_SPACES_READ]
        found = await asyncio.gather(
            *lists,
            *(reader.many(PODS, Pod, namespace=space) for space in spaces if is_name(space)),
        )
        events = {e.metadata.uid or str(index): e for index, e in enumerate((*world.events, *pods, *nodes))}
        return replace(
            world,
            pods=unique((*world.pods, *(pod for part in found for pod in part))),
            events=tuple(events.values()),
            pod_disruption_budgets=budgets,
            missing=(*world.missing, *reader.missing),
        )

    async def observe_unmade(self, question: PodQuestion, now: datetime) -> World:
        """What controllers said of pods that they could not make, for a name that no pod has.

        Raises ClusterUnreachable, CredentialsExpired; other trouble is in `missing`.
        """
        reader = Reader(self._api)
        refused = [("fieldSelector", "reason=FailedCreate")]
        if question.namespace and not is_name(question.namespace):
            return World(now=now, cluster=self._name)
        events = await reader.many(EVENTS, Event, namespace=question.namespace, query=refused)
        return World(now=now, cluster=self._name, events=events, missing=tuple(reader.missing))

    async def observe_placements(self, world: World) -> World:
        """The World with all pods that run on its nodes: one list of all pods where there are many nodes.

        Raises as `observe_world`.
        """
        reader = Reader(self._api)
        placed = await observe_placed(reader, world.nodes)
        return replace(
            world,
            pods=unique((*world.pods, *placed)),
            placements_known=not reader.missing,
            missing=(*world.missing, *reader.missing),
        )

    async def observe_unavailable(self, world: World) -> World:
        """The World with the offerings that Karpenter's own metrics call unavailable, or a gap that says why not."""
        reader = Reader(self._api)
        pods = running(await observe_controllers(reader, self._karpenter))
        found = await observe_unavailable(reader, pods)
        gaps = (gap for gap in reader.missing if gap not in world.missing)
        return replace(world, unavailable_in_metrics=found, missing=(*world.missing, *gaps))

    def _world(self, side: KarpenterSide, now: datetime) -> World:
        return World(
            now=now,
            cluster=self._name or side.controller.cluster,
            karpenter_version=side.controller.version,
            settings=side.controller.settings,
            pods=side.daemon_pods,
            nodes=side.nodes,
            node_pools=side.node_pools,
            node_classes=side.node_classes,
            node_claims=side.node_claims,
            daemon_sets=side.daemon_sets,
            events=side.events,
            karpenter_log=side.log,
            others=side.features.objects,
            others_listed=side.features.listed,
            ec2=Ec2Facts(region=side.controller.region),
        )


def _begins(node: Node, name: str) -> bool:
    return bool(name) and node.metadata.name.startswith(name.rpartition("/")[2])


async def _observe_exact(reader: Reader, question: PodQuestion) -> tuple[Pod, ...]:
    """The pods of exactly that name: one at most where the namespace is known. Raises ReadFailed."""
    if not is_name(question.name):
        return ()
    if not question.namespace:
        by_name = (("fieldSelector", f"metadata.name={question.name}"),)
        pages = reader.pages(PODS, Pod, query=by_name, page=IN_ONE_PIECE)
        return tuple([pod async for page in pages for pod in page])
    if not is_name(question.namespace):
        return ()
    try:
        return (decode(decode_json(await reader.get_bytes(PODS.path(question.namespace, question.name))), Pod),)
    except ReadFailed as failure:
        if failure.status == 404:
            return ()
        raise
    except MalformedObjectError as error:
        raise SourceError(f"pod {question} is malformed: {error}") from error


async def _see_alternatives(reader: Reader, search: Search) -> None:
    """Lets the names go by that could be meant when no pending pod is: the namespace's, and the same name elsewhere."""
    question = search.question
    try:
        await _see(reader, search, question.namespace, ())
        if question.namespace and is_name(question.name):
            await _see(reader, search, "", (("fieldSelector", f"metadata.name={question.name}"),))
    except ReadFailed:
        return  # only names to offer would have come of it


async def _see(reader: Reader, search: Search, namespace: str, query: Iterable[tuple[str, str]]) -> None:
    """Lets a list's names go by, page by page, up to a bound; an impossible namespace has no pods."""
    if namespace and not is_name(namespace):
        return
    seen = 0
    async with aclosing(reader.metadata(PODS, namespace=namespace, query=query)) as pages:
        async for page in pages:
            search.see(item.metadata for item in page)
            seen += len(page)
            if seen >= _NAMES_SEEN:
                return


async def _permitted(asking: Awaitable[Answer]) -> Answer:
    """Reads without which there is no question: their failures are errors, not gaps."""
    try:
        return await asking
    except ReadFailed as failure:
        if failure.status == 403:
            raise NotPermitted(f"no permission to read pods: {failure.message}") from failure
        raise ClusterUnreachable(f"the API server did not tell about the pod: {failure}") from failure


def _first(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """The reason of a failed group of reads."""
    one = failed.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one


async def _observe_events(reader: Reader, meta: ObjectMeta) -> tuple[Event, ...]:
    """The pod's own events, and where its workload's other pods were and what drove them off."""
    owner = controller_of(meta)
    prefix = meta.generate_name or (owner.name if owner else "")
    own = f"involvedObject.kind=Pod,involvedObject.name={meta.name}"
    lists = [
        reader.many(
            EVENTS,
            Event,
            namespace=meta.namespace,
            query=[("fieldSelector", own)],
            keep=lambda e: e.involved_object.uid in ("", meta.uid),
        )
    ]
    if prefix:
        lists.append(
            reader.many(
                EVENTS,
                Event,
                namespace=meta.namespace,
                query=[("fieldSelector", f"involvedObject.kind=Pod,{none_of('reason', _FREQUENT_EVENTS)}")],
                keep=lambda e: _of_sibling(e, prefix, meta.name),
            )
        )
    return tuple(event for part in await asyncio.gather(*lists) for event in part)


def _of_sibling(event: Event, prefix: str, own_name: str) -> bool:
    about = event.involved_object.name
    return event.reason in _SIBLING_EVENTS and about.startswith(prefix) and about != own_name
