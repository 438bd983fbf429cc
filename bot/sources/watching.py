"""One collection of the API, kept up to date: listed once, then watched.

Goes as client-go's reflector (tools/cache/reflector.go): list, watch from the list's resourceVersion, list again when the
server no longer has what came after it (410). Bookmarks, which it asks for, keep that rare and prove that a quiet watch
lives. `current` never hands out what may be old without a word: while the watch is down it reads the list itself.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, cast

import msgspec

from bot.model.gaps import gap_in
from bot.model.objects import AnyObject, Identified, MalformedObjectError, Object, ObjectMeta, decode, decoder
from bot.model.world import Missing
from bot.sources.changes import Change, Changes
from bot.sources.errors import ReadFailed, SourceError
from bot.sources.kube_api import Query, WatchApi
from bot.sources.reading import Reader, Seen, decode_json
from bot.sources.resources import Resource

LOG: Final = logging.getLogger(__name__)
SILENCE: Final = 90.0
"""Seconds without a word after which a watch is not believed any more; the server sends a bookmark every minute
(apiserver pkg/storage/cacher/cacher.go, defaultBookmarkFrequency)."""
_WATCH_SECONDS: Final = 300
"""How long a watch is asked to last; another one follows where it ended."""
_LONGEST_PAUSE: Final = 30.0
_REFUSED_PAUSE: Final = 300.0
"""After an answer that waiting will not change: no permission, no such kind."""
_REFUSED: Final = frozenset({401, 403, 404, 405})
_AT_ONCE: Final = 1.0
"""A watch that ends sooner than so many seconds, without a word, counts as failed; a list that is younger is not read
again."""
_TRIES: Final = 3
"""After so many failures in a row it starts from a new list: the server may have lost what our resourceVersion means."""


class _Event(msgspec.Struct):
    type: str = ""
    object: msgspec.Raw = msgspec.Raw(b"{}")


class _Status(msgspec.Struct):
    code: int = 0
    message: str = ""
    reason: str = ""


class _OnlyMeta(Object, frozen=True):
    metadata: ObjectMeta = ObjectMeta()


class _ExpiredError(Exception):
    """The server cannot go on from our resourceVersion: a new list is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchState:
    """How a watch is doing, for health checks and metrics. `age`: seconds since the server last said something of it."""

    resource: str
    live: bool
    objects: int
    age: float
    lists: int
    events: int
    trouble: str


_EVENT: Final = msgspec.json.Decoder(_Event)
_META: Final = decoder(_OnlyMeta)


class Watched(Generic[AnyObject]):
    """One collection (or the part that `query` selects). `run` follows it for as long as it is not cancelled."""

    def __init__(
        self,
        api: WatchApi,
        resource: Resource,
        kind: type[AnyObject],
        *,
        namespace: str = "",
        query: Query = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._resource = resource
        self._kind = kind
        self._decoder = decoder(kind)
        self._namespace = namespace
        self._query = tuple(query)
        self._clock = clock
        self._objects: dict[str, AnyObject] = {}
        self._malformed: dict[str, Missing] = {}
        self._items: tuple[AnyObject, ...] | None = None
        self._listeners: set[Changes[AnyObject]] = set()
        self._version = ""  # where the watch goes on; "" asks for a new list
        self._listing: asyncio.Task[None] | None = None
        self._resume = asyncio.Event()
        self._streaming = False
        self._heard = self._listed = float("-inf")
        self._lists = self._events = 0
        self._trouble: Exception | None = None

    @property
    def live(self) -> bool:
        """Whether what is held is what the server has, give or take the time a change takes to get here."""
        return self._streaming and self._clock() - self._heard < SILENCE

    @property
    def items(self) -> tuple[AnyObject, ...]:
        """What is held, live or not."""
        if self._items is None:
            self._items = tuple(self._objects.values())
        return self._items

    @property
    def state(self) -> WatchState:
        return WatchState(
            resource=self._resource.full_name,
            live=self.live,
            objects=len(self._objects),
            age=self._clock() - self._heard,
            lists=self._lists,
            events=self._events,
            trouble=str(self._trouble or ""),
        )

    @contextmanager
    def changes(self) -> Iterator[Changes[AnyObject]]:
        """What changes from here on, with what is there already first. Ends with the `with`."""
        changes = Changes[AnyObject]()
        for key, one in self._objects.items():
            changes.put(key, Change(before=None, after=one))
        self._listeners.add(changes)
        try:
            yield changes
        finally:
            self._listeners.discard(changes)

    async def current(self) -> Seen[AnyObject]:
        """The collection as it is now. While the watch is down it is listed; where that fails for the moment too, what
        was seen last comes with a gap that tells its age.

        Raises ReadFailed when nothing was ever seen or may not be seen any more, ClusterUnreachable, CredentialsExpired.
        """
        aged: tuple[Missing, ...] = ()
        if not self.live and self._clock() - self._listed > _AT_ONCE:
            try:
                await self.list()
            except ReadFailed as failure:
                if not self._lists or failure.status in _REFUSED:
                    raise
                aged = (self._aged(failure),)
        return Seen(items=self.items, gaps=(*self._malformed.values(), *aged))

    async def list(self) -> None:
        """Reads the whole collection anew; who comes while it is being read waits for that. Raises as `current`."""
        if self._listing is None or self._listing.done():
            self._listing = asyncio.create_task(self._list())
        await asyncio.shield(self._listing)

    async def run(self) -> None:
        """Lists and watches, again and again, whatever happens to the connection."""
        try:
            await self._run()
        finally:
            if self._listing is not None:
                self._listing.cancel()

    async def _run(self) -> None:
        failures = 0
        while True:
            began, before = self._clock(), self._events
            pause = 0.0
            try:
                if not self._version:
                    await self.list()
                await self._follow()
                self._trouble = None
                idle = self._events == before and self._clock() - began < _AT_ONCE
                failures = failures + 1 if idle else 0
            except _ExpiredError:
                self._version = ""
                failures += 1
            except (ReadFailed, SourceError) as trouble:
                self._note(trouble)
                failures += 1
                if isinstance(trouble, ReadFailed) and trouble.status in _REFUSED:
                    pause = _REFUSED_PAUSE
                elif failures % _TRIES == 0:
                    self._version = ""
            finally:
                self._streaming = False
            if failures:
                pause = pause or min(_LONGEST_PAUSE, 0.1 * 2**failures) * random.uniform(0.5, 1)  # noqa: S311
                await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Waits, unless someone's own list shows meanwhile that the server answers again."""
        self._resume.clear()
        try:
            await asyncio.wait_for(self._resume.wait(), seconds)
        except TimeoutError:
            return

    def _note(self, trouble: Exception) -> None:
        if str(trouble) != str(self._trouble):
            LOG.warning("watch of %s: %s", self._resource.full_name, trouble)
        self._trouble = trouble

    async def _list(self) -> None:
        refused = self._refused
        reader = Reader(self._api)
        found: dict[str, AnyObject] = {}
        version = ""
        pages = reader.whole_pages(self._resource, self._kind, namespace=self._namespace, query=self._query)
        async for page in pages:
            for one in page.items:
                found[_key(one)] = one
            version = page.metadata.resource_version
        for key in [key for key in self._objects if key not in found]:
            self._take(key, None)
        for key, one in found.items():
            self._take(key, one)
        self._malformed = {gap.what: gap for gap in reader.missing}
        self._version = version
        self._heard = self._listed = self._clock()
        self._lists += 1
        if not refused:  # a watch that is not permitted does not become so by a list that is
            self._resume.set()

    @property
    def _refused(self) -> bool:
        """Whether a list succeeded and the watch after it was refused."""
        return bool(self._version) and isinstance(self._trouble, ReadFailed) and self._trouble.status in _REFUSED

    async def _follow(self) -> None:
        """One watch, from where the last ended to its end. Raises _ExpiredError, ReadFailed and the SourceErrors."""
        version = self._version
        asked = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH_SECONDS)}
        query = [*self._query, *asked.items(), ("resourceVersion", version)]
        try:
            async with self._api.watch(self._resource.path(self._namespace), query, SILENCE) as lines:
                if version != self._version:
                    return  # it was listed meanwhile: what comes here would lead back
                self._streaming, self._heard, self._trouble = True, self._clock(), None
                await self._take_all(lines)
        except ReadFailed as failure:
            if failure.status == 410:
                raise _ExpiredError from failure
            raise

    async def _take_all(self, lines: AsyncIterator[bytes]) -> None:
        lists = self._lists
        async for line in lines:
            if lists != self._lists:
                return  # as in _follow
            self._take_event(line)
            self._heard = self._clock()

    def _take_event(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            event = _EVENT.decode(line)
            if event.type == "ERROR":
                raise _error_of(event.object)
            meta = _META.decode(event.object).metadata
        except msgspec.DecodeError as error:
            raise ReadFailed(0, "an answer that is no watch event") from error
        self._events += 1
        self._version = meta.resource_version or self._version
        if event.type == "BOOKMARK":
            return
        key = _name(meta)
        self._malformed.pop(self._what(meta), None)
        self._take(key, None if event.type == "DELETED" else self._decoded(event.object, meta))

    def _decoded(self, raw: msgspec.Raw, meta: ObjectMeta) -> AnyObject | None:
        """An event's object; None, with a gap noted, when it is malformed."""
        try:
            return self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        try:
            return decode(decode_json(bytes(raw)), self._kind)
        except MalformedObjectError as error:
            what = self._what(meta)
            self._malformed[what] = gap_in(what, "malformed", error=str(error))
            return None

    def _what(self, meta: ObjectMeta) -> str:
        return f"{self._resource.full_name} {_name(meta)}"

    def _take(self, key: str, new: AnyObject | None) -> None:
        old = self._objects.get(key)
        if new is None:
            self._objects.pop(key, None)
        elif old is not None and _meta(old).resource_version == _meta(new).resource_version != "":
            return
        else:
            self._objects[key] = new
        self._items = None
        for listener in self._listeners:
            listener.put(key, Change(before=old, after=new))

    def _aged(self, failure: ReadFailed) -> Missing:
        what = self._resource.full_name
        return gap_in(what, "aged", age=_ago(self._clock() - self._heard), error=str(failure))


def _error_of(raw: msgspec.Raw) -> Exception:
    """What an ERROR event means. 410: compacted; 504: the server is behind the version that is asked for."""
    status = msgspec.json.decode(raw, type=_Status, strict=False)
    if status.code in (410, 504) or status.reason in ("Expired", "Gone"):
        return _ExpiredError(status.message)
    return ReadFailed(status.code, status.message)


def _meta(thing: Object) -> ObjectMeta:
    return cast("Identified", thing).metadata


def _name(meta: ObjectMeta) -> str:
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def _key(thing: Object) -> str:
    return _name(_meta(thing))


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
