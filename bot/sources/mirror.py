"""The collections of one cluster that every question needs, each kept up to date by a watch that its first reader starts.

    seen = await mirror.all_of(NODES, Node)            # as a list, without the list
    async with mirror.following(PODS, Pod, namespace="ml", query=[("fieldSelector", "metadata.name=trainer")]) as changes:
        async for change in changes: ...               # what is there, then what happens to it

Only small kinds belong here: NodePools, their classes, NodeClaims, nodes. Pods are many and change all the time; a few of
them can be followed for a while.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from bot.model.objects import AnyObject
from bot.sources.changes import Changes
from bot.sources.kube_api import Query, WatchApi
from bot.sources.reading import Seen
from bot.sources.resources import Resource
from bot.sources.watching import Watched, WatchState

LOG: Final = logging.getLogger(__name__)


class Mirror:
    """Give it to a Cluster; `close` ends its watches. One event loop's, as its connection is."""

    def __init__(self, api: WatchApi) -> None:
        self._api = api
        self._watched: dict[Resource, Watched[Any]] = {}
        self._running: dict[Resource, asyncio.Task[None]] = {}

    @property
    def states(self) -> tuple[WatchState, ...]:
        """How the watches are doing."""
        return tuple(one.state for one in self._watched.values())

    def watched(self, resource: Resource, kind: type[AnyObject]) -> Watched[AnyObject]:
        """The collection, followed from now on."""
        if resource not in self._watched:
            self._watched[resource] = Watched(self._api, resource, kind)
        found = cast("Watched[AnyObject]", self._watched[resource])
        if resource not in self._running or self._running[resource].done():
            self._running[resource] = _start(found)
        return found

    async def all_of(self, resource: Resource, kind: type[AnyObject]) -> Seen[AnyObject]:
        """All objects of the kind, now. Raises as Watched.current."""
        return await self.watched(resource, kind).current()

    @asynccontextmanager
    async def following(
        self, resource: Resource, kind: type[AnyObject], *, namespace: str = "", query: Query = ()
    ) -> AsyncIterator[Changes[AnyObject]]:
        """What a few objects are and what becomes of them, by a watch of its own that ends with the block."""
        watched = Watched(self._api, resource, kind, namespace=namespace, query=query)
        task = _start(watched)
        try:
            with watched.changes() as changes:
                yield changes
        finally:
            await _ended(task)

    async def close(self) -> None:
        """Ends every watch."""
        await _ended(*self._running.values())
        self._running.clear()


def _start(watched: Watched[Any]) -> asyncio.Task[None]:
    task = asyncio.create_task(watched.run(), name=f"watch of {watched.state.resource}")
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.error("%s ended: %r; questions read lists until it is started again", task.get_name(), error)


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
