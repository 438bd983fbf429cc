"""The past beyond an hour: what clusters tell of their nodes goes into the store, and comes out of it for `why-gone`."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.app import Clock, wall_clock
from bot.config import ClusterConfig, Config
from bot.departing import Connecting
from bot.karpenter import SignalKind, parse_text, read_line
from bot.model.kubernetes import Event, EventSource, InvolvedObject
from bot.model.objects import ObjectMeta
from bot.model.world import World
from bot.slack.floor import Working
from bot.sources.errors import SourceError
from bot.store import Store, StoreUnavailable
from bot.store.happenings import KEPT, LOG, Happening, forget, keep, recall

EVERY: Final = 300.0
"""Seconds between two looks: events last an hour, so a few missed ones lose nothing."""
NOT_READY: Final = "NodeNotReady"
_LOGGER: Final = logging.getLogger(__name__)
_ABOUT: Final = frozenset({"Node", "NodeClaim", "NodePool", "Pod"})
_TELLING: Final = frozenset(SignalKind) - {
    SignalKind.OTHER,
    SignalKind.POD_REFUSED,
    SignalKind.POD_IGNORED,
    SignalKind.NOMINATED,
    SignalKind.PODS_FOUND,
    SignalKind.NODECLAIMS_COMPUTED,
    SignalKind.RECONCILE_FAILED,
}
"""Log lines that a node's story needs; refusals of pods are the present, not the past."""


def happenings_of(world: World) -> Iterator[Happening]:
    """What of a World is worth keeping: its events about nodes and what drove pods off them, log lines of nodes' lives."""
    for event in world.events:
        about = event.involved_object
        if event.time is not None and about.kind in _ABOUT and event.reason not in ("FailedScheduling", "Nominated"):
            # of an event that was seen many times Kubernetes keeps the first time and the last one
            for at in dict.fromkeys((event.first_timestamp or event.time, event.time)):
                yield Happening(
                    at=at,
                    kind=about.kind,
                    namespace=about.namespace,
                    name=about.name,
                    reason=event.reason,
                    message=event.message,
                    component=event.component,
                )
    for text in world.karpenter_log:
        for line in parse_text(text):
            if line.time is not None and read_line(line).kind in _TELLING:
                yield Happening(at=line.time, kind=LOG, message=text)


def with_past(world: World, past: Iterable[Happening]) -> World:
    """The World with what was kept besides what it still tells itself."""
    told = {one.key for one in happenings_of(world)}
    kept = [one for one in past if one.key not in told]
    return replace(
        world,
        events=(*world.events, *(_event(one) for one in kept if one.kind != LOG)),
        karpenter_log=(*(one.message for one in kept if one.kind == LOG), *world.karpenter_log),
    )


def _event(one: Happening) -> Event:
    return Event(
        metadata=ObjectMeta(name=one.name, namespace=one.namespace, uid=one.key),
        involved_object=InvolvedObject(kind=one.kind, namespace=one.namespace, name=one.name),
        reason=one.reason,
        message=one.message,
        source=EventSource(component=one.component),
        last_timestamp=one.at,
    )


class Memory:
    """The store as `why-gone` sees it: the past of one cluster. Without the store an answer has the present only."""

    def __init__(self, store: Store, clock: Clock = wall_clock) -> None:
        self._store, self._clock = store, clock

    async def remembered(self, cluster: str, world: World) -> World:
        """The World with the last week of the cluster."""
        try:
            return with_past(world, await recall(self._store, cluster, self._clock() - KEPT))
        except StoreUnavailable as error:
            _LOGGER.warning("the past of cluster %s could not be read: %s", cluster, error)
            return world

    async def with_falls(self, cluster: str, world: World) -> World:
        """The World with the moments of the last week at which nodes of the cluster became NotReady: for `why`, which tells a
        node that does so again and again from one that did once.
        """
        try:
            return with_past(world, await recall(self._store, cluster, self._clock() - KEPT, NOT_READY))
        except StoreUnavailable as error:
            _LOGGER.warning("the past of cluster %s could not be read: %s", cluster, error)
            return world


class Keeper(Working):
    """Puts what clusters tell of their nodes into the store, every few minutes, and drops what is too old.

    `leads`: whether this replica is the one that does so.
    """

    def __init__(
        self,
        connecting: Connecting,
        config: Config,
        store: Store,
        clock: Clock = wall_clock,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._connecting, self._config, self._store, self._clock = connecting, config, store, clock
        self._leads = leads

    async def work(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            for cluster in self._config.clusters if self._leads() else ():
                await self.look(cluster, self._clock())

    async def look(self, cluster: ClusterConfig, now: datetime) -> int:
        """Keeps what one cluster tells now; how much of it was new. Trouble is logged: the next look comes."""
        try:
            connected = await self._connecting.connected(cluster)
            world = await connected.cluster.observe_past("", now)
            kept = await keep(self._store, cluster.name, happenings_of(world))
            await forget(self._store, cluster.name, now)
        except (SourceError, StoreUnavailable) as error:
            _LOGGER.warning("cluster %s: its past could not be kept: %s", cluster.name or "(default)", error)
            return 0
        return kept
