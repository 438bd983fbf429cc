"""A small Kubernetes API server over plain manifests: discovery, get, list (selectors, pages, metadata only), watch, pod logs.

It answers as the real one does, down to Status objects, and misbehaves on request: see `Fault`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

from bot.playground.kube_history import History

Manifest = dict[str, Any]
CLUSTER_SCOPED: Final = frozenset(
    {"Node", "Namespace", "PersistentVolume", "StorageClass", "NodePool", "NodeClaim", "EC2NodeClass", "NodeClass"}
)
PLURALS: Final = {"StorageClass": "storageclasses", "EC2NodeClass": "ec2nodeclasses", "NodeClass": "nodeclasses"}
CORE: Final = ("Pod", "Node", "Event", "Namespace", "PersistentVolume", "PersistentVolumeClaim", "Secret")


@cache
def plural_of(kind: str) -> str:
    return PLURALS.get(kind, f"{kind.lower()}s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a path answers instead. `hang`: nothing, until the client gives up. `times`: then it behaves again."""

    status: int = 0
    message: str = ""
    body: bytes = b""
    hang: bool = False
    times: int = 1_000_000
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class FakeKube:
    objects: list[Manifest]
    logs: dict[str, bytes] = field(default_factory=dict)
    """`namespace/pod` -> the log."""
    pages: dict[str, bytes] = field(default_factory=dict)
    """`namespace/service:port/path` -> what the Service behind the proxy answers."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """The end of a path (`/nodepools`; `/nodepools?watch` when it is watched) -> what is wrong with it."""
    token: str = "good"
    served: frozenset[str] = frozenset()
    """apiVersions that are served though there is no object of them."""
    url: str = ""
    requests: list[web.Request] = field(default_factory=list)
    most_at_once: int = 0
    history: History = field(default_factory=History)
    _running: int = 0
    _faulted: dict[str, int] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def put(self, manifest: Manifest) -> None:
        """Makes or changes an object; whoever watches is told."""
        known = self._without(manifest)
        self.objects.append(manifest)
        self.history.record("MODIFIED" if known else "ADDED", manifest)

    def remove(self, manifest: Manifest) -> None:
        """Deletes an object; whoever watches is told."""
        self._without(manifest)
        self.history.record("DELETED", manifest)

    def _without(self, manifest: Manifest) -> bool:
        before = len(self.objects)
        self.objects = [o for o in self.objects if _identity(o) != _identity(manifest)]
        return len(self.objects) < before

    def kubeconfig(self, folder: Path, *, user: Manifest | None = None) -> Path:
        """A kubeconfig for this server; `user` instead of the right token."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "bot"}}],
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "bot", "user": {"token": self.token} if user is None else user}],
        }
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return file

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        try:
            # a moment in which others can come in, as on a network
            await asyncio.sleep(0)
            return await self._answer(request)
        finally:
            self._running -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized")
        watch = "?watch" if "watch" in request.query else ""
        fault = self._fault(f"{request.path}{watch}")
        if fault is not None:
            if fault.hang:
                await asyncio.sleep(3600)
            if fault.body:
                return web.Response(status=fault.status or 200, body=fault.body, content_type="text/html")
            return status(fault.status, fault.message, fault.headers)
        return await self._well(request)

    def _fault(self, place: str) -> Fault | None:
        for end, fault in self.faults.items():
            if place.endswith(end) and self._faulted.get(end, 0) < fault.times:
                self._faulted[end] = self._faulted.get(end, 0) + 1
                return fault
        return None

    async def _well(self, request: web.Request) -> web.StreamResponse:
        match = re.fullmatch(r"/(?:api/(v1)|apis/([^/]+/[^/]+))(/.*)?", request.path)
        if match is None:
            return status(404, "the server could not find the requested resource")
        api_version, rest = match[1] or match[2], [p for p in (match[3] or "").split("/") if p]
        if not rest:
            return self._discovery(api_version)
        namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 2 else ""
        plural, *more = rest[2:] if namespace else rest
        if plural == "services" and more[1:2] == ["proxy"]:
            return self._proxied(namespace, more[0], "/".join(more[2:]))
        if "watch" in request.query:
            return await self.history.serve(request, lambda o: _selected(request, o, api_version, namespace, plural))
        return self._read(request, api_version, namespace, plural, more)

    def _discovery(self, api_version: str) -> web.Response:
        kinds = {o["kind"] for o in self.objects if o["apiVersion"] == api_version}
        if not kinds and api_version not in self.served | {"v1"}:
            return status(404, "the server could not find the requested resource")
        resources = [
            {"name": plural_of(k), "kind": k, "namespaced": k not in CLUSTER_SCOPED, "verbs": ["get", "list", "watch"]}
            for k in sorted(kinds)
        ]
        return web.json_response({"kind": "APIResourceList", "groupVersion": api_version, "resources": resources})

    def _proxied(self, namespace: str, service: str, path: str) -> web.Response:
        page = self.pages.get(f"{namespace}/{service}/{path}")
        if page is None:
            return status(404, f'services "{service.partition(":")[0]}" not found')
        return web.Response(body=page, content_type="text/plain")

    def _read(
        self, request: web.Request, api_version: str, namespace: str, plural: str, more: list[str]
    ) -> web.Response:
        found = [
            o
            for o in self.objects
            if plural_of(o["kind"]) == plural
            and o["apiVersion"] == api_version
            and namespace in ("", o["metadata"].get("namespace", ""))
        ]
        if not found and not self._serves(api_version):
            return status(404, "the server could not find the requested resource")
        if not more:
            return listed(request, found, api_version, self.history.version)
        one = next((o for o in found if o["metadata"]["name"] == more[0]), None)
        if one is None:
            return status(404, f'{plural} "{more[0]}" not found')
        if more[1:] == ["log"]:
            return self._log(request, f"{namespace}/{more[0]}")
        if "as=PartialObjectMetadata;" in request.headers.get("Accept", ""):
            one = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": one["metadata"]}
        return web.json_response(one)

    def _serves(self, api_version: str) -> bool:
        known = self.served | {"v1", "apps/v1", "storage.k8s.io/v1"}
        return api_version in known or any(o["apiVersion"] == api_version for o in self.objects)

    def _log(self, request: web.Request, pod: str) -> web.Response:
        lines = self.logs.get(pod, b"").splitlines(keepends=True)
        tail = lines[-int(request.query.get("tailLines", len(lines) or 1)) :]
        return web.Response(
            body=b"".join(tail)[: int(request.query.get("limitBytes", 1 << 40))], content_type="text/plain"
        )


def status(code: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """The API server's way of saying no."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return web.json_response(body, status=code, headers=dict(headers or {}))


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]


def _selected(request: web.Request, manifest: Manifest, api_version: str, namespace: str, plural: str) -> bool:
    return (
        (manifest["apiVersion"], plural_of(manifest["kind"])) == (api_version, plural)
        and namespace in ("", manifest["metadata"].get("namespace", ""))
        and fields_match(manifest, request.query.get("fieldSelector", ""))
        and labels_match(manifest, request.query.get("labelSelector", ""))
    )


def listed(request: web.Request, found: list[Manifest], api_version: str, version: int) -> web.Response:
    query = request.query
    chosen = [
        o
        for o in found
        if fields_match(o, query.get("fieldSelector", "")) and labels_match(o, query.get("labelSelector", ""))
    ]
    start = int(query.get("continue") or 0)
    end = start + int(query.get("limit") or len(chosen) or 1)
    items: Iterable[Manifest] = chosen[start:end]
    if "as=PartialObjectMetadataList" in request.headers.get("Accept", ""):
        items = [{"kind": "PartialObjectMetadata", "metadata": o["metadata"]} for o in items]
    meta = {"resourceVersion": str(version), **({"continue": str(end)} if end < len(chosen) else {})}
    # items of built-in kinds come without apiVersion and kind
    plain = [{k: v for k, v in o.items() if api_version != "v1" or k not in ("apiVersion", "kind")} for o in items]
    return web.json_response({"kind": "List", "apiVersion": api_version, "metadata": meta, "items": plain})


@lru_cache
def _field_terms(selector: str) -> tuple[tuple[str, bool, str], ...]:
    terms = (re.fullmatch(r"([\w.]+)(!?)==?(.*)", term) for term in filter(None, selector.split(",")))
    return tuple((one[1], bool(one[2]), one[3]) for one in terms)  # type: ignore[index]


def fields_match(manifest: Manifest, selector: str) -> bool:
    """Fields as the API server knows them for pods and events; an unknown one is a test's mistake."""
    for name, negated, value in _field_terms(selector):
        if name == "source":
            actual = manifest.get("source", {}).get("component") or manifest.get("reportingComponent", "")
        else:
            actual = manifest
            assert name.split(".")[0] in ("metadata", "spec", "status", "involvedObject", "reason"), name
            for part in name.split("."):
                actual = actual.get(part, "") if isinstance(actual, dict) else ""
        if (actual == value) is negated:
            return False
    return True


def labels_match(manifest: Manifest, selector: str) -> bool:
    labels = manifest["metadata"].get("labels", {})
    for term in re.findall(r"[^,(]+(?:\([^)]*\))?", selector):
        in_set = re.fullmatch(r"(\S+) (in|notin) \((.*)\)", term.strip())
        if in_set:
            key, how, values = in_set.groups()
            if (labels.get(key) in values.split(",")) is (how == "notin"):
                return False
        elif "=" in term:
            key, _, value = term.strip().partition("=")
            if labels.get(key) != value:
                return False
        elif (term.strip().lstrip("!") in labels) is term.strip().startswith("!"):
            return False
    return True


@asynccontextmanager
async def serving(
    objects: Iterable[Manifest],
    *,
    logs: Mapping[str, bytes] | None = None,
    faults: Mapping[str, Fault] | None = None,
    served: Iterable[str] = (),
) -> AsyncIterator[FakeKube]:
    """The server on a free local port, for the length of the `async with`. See FakeKube for the arguments."""
    fake = FakeKube(objects=list(objects), logs=dict(logs or {}), faults=dict(faults or {}), served=frozenset(served))
    async with listening(fake):
        yield fake


@asynccontextmanager
async def listening(fake: FakeKube) -> AsyncIterator[None]:
    """Serves it on a free local port, which `fake.url` then names, for the length of the `async with`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield
    finally:
        await runner.cleanup()
