"""Lists and single objects off the API server, typed, paged and bounded; a read that fails becomes a `Missing`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, Protocol

import msgspec

from bot.model.gaps import gap_in
from bot.model.objects import AnyObject, MalformedObjectError, Object, ObjectMeta, decode, decoder
from bot.model.world import Missing
from bot.sources.errors import ReadFailed, missing_read
from bot.sources.kube_api import JSON, METADATA_ONLY, KubeApi, Query
from bot.sources.resources import Resource

PAGE: Final = 500
IN_ONE_PIECE: Final = 0
"""A `page` for short lists: with a limit, the API server looks through all objects in etcd; without, only in its memory
(kube-apiserver, storage/cacher/delegator.go: a limit without a resourceVersion is never served from the watch cache)."""
CONCURRENT_READS: Final = 16


class ListMeta(Object, frozen=True):
    continue_: str = msgspec.field(name="continue", default="")
    resource_version: str = ""


class Page(Object, Generic[AnyObject], frozen=True):
    """One page of a list."""

    metadata: ListMeta = ListMeta()
    items: tuple[AnyObject, ...] = ()


class RawPage(Object, frozen=True):
    """A page whose items are decoded one by one, because one of them is not as its kind should be."""

    metadata: ListMeta = ListMeta()
    items: tuple[dict[str, Any], ...] | None = ()


class OnlyMeta(Object, frozen=True):
    """Any object, as far as its metadata."""

    metadata: ObjectMeta = ObjectMeta()


@cache
def _page_decoder(kind: type[Object]) -> "msgspec.json.Decoder[Page[Any]]":
    return decoder(Page[kind])  # type: ignore[valid-type]


class Standing(Protocol):
    """Whoever keeps whole collections up to date (bot/sources/mirror.py)."""

    async def all_of(self, resource: Resource, kind: type[AnyObject]) -> "Seen[AnyObject]":
        """All objects of the kind. Raises ReadFailed, ClusterUnreachable, CredentialsExpired."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Generic[AnyObject]):
    """A collection as it is now or, with a gap that says so, as it was."""

    items: tuple[AnyObject, ...]
    gaps: tuple[Missing, ...] = ()


class Reader:
    """Reads for one question. `missing` collects what could not be read; concurrent reads share one bound."""

    def __init__(self, api: KubeApi, standing: Standing | None = None) -> None:
        self.missing: list[Missing] = []
        self._api = api
        self._standing = standing
        self._room = asyncio.Semaphore(CONCURRENT_READS)

    async def get_bytes(self, path: str, query: Query = (), accept: str = JSON) -> bytes:
        """One bounded call. Raises ReadFailed, ClusterUnreachable, CredentialsExpired."""
        async with self._room:
            return await self._api.get(path, query, accept)

    async def chunks(self, path: str, query: Query) -> AsyncIterator[bytes]:
        """One bounded streaming call."""
        async with self._room:
            async for chunk in self._api.stream(path, query):
                yield chunk

    def lacks(self, gap: Missing) -> None:
        """Notes a gap, each once."""
        if gap not in self.missing:
            self.missing.append(gap)

    async def one(
        self, resource: Resource, kind: type[AnyObject], name: str, namespace: str = "", *, accept: str = JSON
    ) -> AnyObject | None:
        """One object; None when it does not exist, and when it could not be read (a gap is noted then)."""
        try:
            body = await self.get_bytes(resource.path(namespace, name), accept=accept)
            return decode(decode_json(body), kind)
        except ReadFailed as failure:
            if failure.status != 404:
                self.lacks(missing_read(failure, "get", resource.full_name, _where(resource, namespace)))
        except MalformedObjectError as error:
            self.lacks(gap_in(f"{resource.full_name} {name}", "malformed", error=str(error)))
        return None

    async def all_of(self, resource: Resource, kind: type[AnyObject], *, page: int = PAGE) -> tuple[AnyObject, ...]:
        """A whole collection: from who keeps it up to date, else listed, `page` at a time. Raises ReadFailed."""
        if self._standing is None:
            return tuple([item async for items in self.pages(resource, kind, page=page) for item in items])
        seen = await self._standing.all_of(resource, kind)
        for gap in seen.gaps:
            self.lacks(gap)
        return seen.items

    async def many(
        self,
        resource: Resource,
        kind: type[AnyObject],
        *,
        namespace: str = "",
        query: Query = (),
        keep: Callable[[AnyObject], bool] | None = None,
        page: int = PAGE,
    ) -> tuple[AnyObject, ...]:
        """All objects of a list, `page` at a time, or the empty tuple with a gap noted."""
        found: list[AnyObject] = []
        try:
            async for items in self.pages(resource, kind, namespace=namespace, query=query, page=page):
                found.extend(items if keep is None else filter(keep, items))
        except ReadFailed as failure:
            self.lacks(missing_read(failure, "list", resource.full_name, _where(resource, namespace)))
        return tuple(found)

    async def some(
        self, resource: Resource, kind: type[AnyObject], limit: int, *, namespace: str = "", query: Query = ()
    ) -> tuple[AnyObject, ...]:
        """The first few objects of a list, or the empty tuple with a gap noted."""
        asked = [*query, ("limit", str(limit))]
        try:
            return self._decode_page(await self.get_bytes(resource.path(namespace), asked), kind, resource).items
        except ReadFailed as failure:
            self.lacks(missing_read(failure, "list", resource.full_name, _where(resource, namespace)))
            return ()

    async def pages(
        self,
        resource: Resource,
        kind: type[AnyObject],
        *,
        namespace: str = "",
        query: Query = (),
        accept: str = JSON,
        page: int = PAGE,
    ) -> AsyncGenerator[tuple[AnyObject, ...], None]:
        """A list's items, page by page. Raises ReadFailed, also half-way."""
        whole = self.whole_pages(resource, kind, namespace=namespace, query=query, accept=accept, page=page)
        async with aclosing(whole) as pages:
            async for one in pages:
                yield one.items

    async def whole_pages(
        self,
        resource: Resource,
        kind: type[AnyObject],
        *,
        namespace: str = "",
        query: Query = (),
        accept: str = JSON,
        page: int = PAGE,
    ) -> AsyncGenerator[Page[AnyObject], None]:
        """A list, page by page, with what the server says about the list. Raises ReadFailed, also half-way."""
        token = ""
        while True:
            limit = [("limit", str(page))] if page != IN_ONE_PIECE else []
            more = [("continue", token)] if token else []
            body = await self.get_bytes(resource.path(namespace), [*query, *limit, *more], accept)
            answer = self._decode_page(body, kind, resource)
            yield answer
            token = answer.metadata.continue_
            if not token:
                return

    async def metadata(
        self, resource: Resource, *, namespace: str = "", query: Query = ()
    ) -> AsyncGenerator[tuple[OnlyMeta, ...], None]:
        """A list's metadata alone, page by page. Raises ReadFailed."""
        async for page in self.pages(resource, OnlyMeta, namespace=namespace, query=query, accept=METADATA_ONLY):
            yield page

    def _decode_page(self, body: bytes, kind: type[AnyObject], resource: Resource) -> Page[AnyObject]:
        try:
            page: Page[AnyObject] = _page_decoder(kind).decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._decode_one_by_one(body, kind, resource)
        return page

    def _decode_one_by_one(self, body: bytes, kind: type[AnyObject], resource: Resource) -> Page[AnyObject]:
        """The slow way: explicit nulls count as absent, an object that is malformed is left out and named."""
        try:
            raw = msgspec.convert(decode_json(body), RawPage)
        except msgspec.ValidationError as error:
            raise ReadFailed(0, "an answer that is no list") from error
        items: list[AnyObject] = []
        for one in raw.items or ():
            try:
                items.append(decode(one, kind))
            except MalformedObjectError as error:
                name = name_in(one)
                self.lacks(gap_in(f"{resource.full_name} {name}", "malformed", error=str(error)))
        return Page(metadata=raw.metadata, items=tuple(items))


def decode_json(body: bytes) -> object:
    """Plain data from an answer. Raises ReadFailed when it is not JSON (a proxy's log-in page, for one)."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReadFailed(0, "an answer that is not JSON") from error


def name_in(manifest: object) -> str:
    """`namespace/name` of an untyped manifest, as far as it says."""
    metadata = manifest.get("metadata") if isinstance(manifest, dict) else None
    parts = [str(metadata.get(k) or "") for k in ("namespace", "name")] if isinstance(metadata, dict) else []
    return "/".join(part for part in parts if part)


def _where(resource: Resource, namespace: str) -> str:
    return f" in namespace {namespace}" if resource.namespaced and namespace else ""
