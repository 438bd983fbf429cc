"""The Kubernetes API over plain manifests, with writes: JSON Patch with tests and dry-run, events, access reviews.

Each object has a resourceVersion and a generation as on a real server; each kept patch is in `patched`, so that a test
can count them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import jsonpatch
from aiohttp import web

from bot.playground.kube import status
from tests.fakes.kube import FakeKube, Fault, Manifest, plural_of

TIME = "2026-03-02T03:00:00Z"


@dataclass(slots=True, kw_only=True)
class WritableKube(FakeKube):
    """`refuse`: a message for which a patch is refused, by the plural of its kind. `forbidden`: plurals without rights, or
    `verb plural` without that right."""

    patched: list[tuple[str, Manifest]] = field(default_factory=list)
    """Path and the object afterwards, of every patch that was kept."""
    rehearsed: int = 0
    events: list[Manifest] = field(default_factory=list)
    forbidden: frozenset[str] = frozenset()
    refuse: dict[str, str] = field(default_factory=dict)
    silent: int = 0
    """So many patches are kept and not answered."""
    unkept: int = 0
    """So many patches are neither kept nor answered."""
    deleted: list[tuple[str, Manifest]] = field(default_factory=list)
    """Path and the object as it was, of every deletion that was accepted."""
    created: list[tuple[str, Manifest]] = field(default_factory=list)
    """Path and the object, of every creation that was kept."""
    linger: bool = False
    """Deleted objects stay, going, until `let_go`."""
    _version: int = 100

    def __post_init__(self) -> None:
        for one in self.objects:
            meta = one["metadata"]
            meta.setdefault("uid", f"uid-{one['kind']}-{meta['name']}".lower())
            meta.setdefault("resourceVersion", str(self._next()))
            meta.setdefault("generation", 1)

    def find(self, kind: str, name: str) -> Manifest:
        return next(o for o in self.objects if o["kind"] == kind and o["metadata"]["name"] == name)

    def touch(self, kind: str, name: str, change: Mapping[str, Any] | None = None) -> None:
        """Somebody else writes the object; with `change` its spec, else only its status."""
        one = self.find(kind, name)
        one["metadata"]["resourceVersion"] = str(self._next())
        if change is not None:
            one["spec"] = {**one["spec"], **change}
            one["metadata"]["generation"] += 1

    def let_go(self) -> None:
        """What is being deleted is gone."""
        self.objects = [o for o in self.objects if "deletionTimestamp" not in o["metadata"]]

    async def _answer(self, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911
        if request.method == "GET":
            return await super(WritableKube, self)._answer(request)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized")
        for end, fault in self.faults.items():
            if request.path.endswith(end):
                return status(fault.status, fault.message)
        body = await request.json()
        if "/leases" in request.path:
            return self._lease(request.method, body)
        if request.method == "POST":
            return await self._posted(request, body)
        if request.method == "DELETE":
            return await self._delete(request, body)
        return await self._patch(request, body)

    async def _posted(self, request: web.Request, body: Manifest) -> web.StreamResponse:
        path = request.path
        if path.endswith("/selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            known = asked["verb"] in ("patch", "delete", "create")
            own = {asked["resource"], f"{asked['verb']} {asked['resource']}"}
            allowed = known and not own & self.forbidden
            return web.json_response({**body, "status": {"allowed": allowed}}, status=201)
        if path.endswith("/events"):
            self.events.append(body)
            return web.json_response(body, status=201)
        return await self._create(request, body)

    async def _create(self, request: web.Request, body: Manifest) -> web.StreamResponse:
        """As the real server: what is invalid is said before the name is looked for."""
        plural, meta = request.path.rpartition("/")[2], body["metadata"]
        kept = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"} & meta.keys()
        assert not kept, f"a manifest to create has no {kept}"
        no = self._no_right("create", plural, meta["name"])
        if no is None and plural in self.refuse:
            no = status(422, f'{body["kind"]} "{meta["name"]}" is invalid: {self.refuse[plural]}')
        if no is None and self._named(plural, meta.get("namespace", ""), meta["name"]) is not None:
            no = status(409, f'{plural} "{meta["name"]}" already exists')
        if no is not None:
            return no
        made = deepcopy(body)
        made["metadata"] |= {"uid": f"uid-{self._next()}", "resourceVersion": str(self._next()), "generation": 1}
        made["metadata"]["creationTimestamp"] = TIME
        made["metadata"]["managedFields"] = [{"manager": "karpenter-bot", "operation": "Update", "time": TIME}]
        if request.query.get("dryRun") == "All":
            self.rehearsed += 1
            return web.json_response(made, status=201)
        if self.unkept:
            self.unkept -= 1
            return await self._unanswered(request)
        self.objects.append(made)
        self.created.append((request.path, deepcopy(made)))
        if self.silent:
            self.silent -= 1
            return await self._unanswered(request)
        return web.json_response(made, status=201)

    async def _delete(self, request: web.Request, options: Manifest) -> web.StreamResponse:
        namespace, plural, name = _place(request)
        one = self._named(plural, namespace, name)
        no = self._no_right("delete", plural, name)
        if no is not None or one is None:
            return no or status(404, f'{plural} "{name}" not found')
        for key, wanted in options["preconditions"].items():
            if one["metadata"][key] != wanted:
                return status(409, f"the {key} in the precondition ({wanted}) does not match {one['metadata'][key]}")
        if options.get("dryRun") == ["All"]:  # the real server looks into the query only where there is no body
            self.rehearsed += 1
            return web.json_response(one)
        if self.unkept:
            self.unkept -= 1
            return await self._unanswered(request)
        self.deleted.append((request.path, deepcopy(one)))
        one["metadata"] |= {"deletionTimestamp": TIME, "resourceVersion": str(self._next())}
        if not self.linger:
            self.objects.remove(one)
        if self.silent:
            self.silent -= 1
            return await self._unanswered(request)
        return web.json_response({"kind": "Status", "status": "Success"})

    def _no_right(self, verb: str, plural: str, name: str) -> web.Response | None:
        if not {plural, f"{verb} {plural}"} & self.forbidden:
            return None
        return status(403, f'{plural} "{name}" is forbidden: cannot {verb} resource "{plural}"')

    def _named(self, plural: str, namespace: str, name: str) -> Manifest | None:
        place = (plural, name, namespace)
        return next((o for o in self.objects if _place_of(o) == place), None)

    def _lease(self, method: str, body: Manifest) -> web.Response:
        """Leases are made and replaced, one write of each version."""
        name = body["metadata"]["name"]
        known = next((o for o in self.objects if o["kind"] == "Lease" and o["metadata"]["name"] == name), None)
        version = known["metadata"]["resourceVersion"] if known else None
        if (method == "POST") is (known is not None) or body["metadata"].get("resourceVersion") != version:
            return status(409, f'Operation cannot be fulfilled on leases.coordination.k8s.io "{name}"')
        body["metadata"] |= {"resourceVersion": str(self._next()), "namespace": "ops"}
        self.put(body)
        return web.json_response(body, status=201 if method == "POST" else 200)

    async def _patch(self, request: web.Request, steps: list[Manifest]) -> web.StreamResponse:  # noqa: PLR0911
        assert request.content_type == "application/json-patch+json"
        assert request.query.get("fieldManager") == "karpenter-bot"
        namespace, plural, name = _place(request)
        if plural in self.forbidden:
            who = 'User "system:serviceaccount:karpenter-bot:karpenter-bot" cannot patch'
            return status(403, f'{plural} "{name}" is forbidden: {who} resource "{plural}"')
        one = self._named(plural, namespace, name)
        if one is None:
            return status(404, f'{plural} "{name}" not found')
        after = self._changed(one, plural, steps)
        if isinstance(after, web.Response):
            return after
        if request.query.get("dryRun") == "All":
            self.rehearsed += 1
            return web.json_response(after)
        if self.unkept:
            self.unkept -= 1
            return await self._unanswered(request)
        after["metadata"]["resourceVersion"] = str(self._next())
        after["metadata"]["generation"] += one.get("spec") != after.get("spec")
        after["metadata"]["managedFields"] = [{"manager": "karpenter-bot", "operation": "Update", "time": TIME}]
        one.clear()
        one.update(after)
        self.patched.append((request.path, deepcopy(after)))
        if self.silent:
            self.silent -= 1
            return await self._unanswered(request)
        return web.json_response(after)

    def _changed(self, one: Manifest, plural: str, steps: list[Manifest]) -> Manifest | web.Response:
        try:
            after: Manifest = jsonpatch.apply_patch(deepcopy(one), steps)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
            return status(422, "the server rejected our request due to an error in our request")
        if plural in self.refuse:
            return status(422, f'{one["kind"]} "{one["metadata"]["name"]}" is invalid: {self.refuse[plural]}')
        return after

    async def _unanswered(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        await asyncio.sleep(0)
        return web.Response()

    def _next(self) -> int:
        self._version += 1
        return self._version


def _place(request: web.Request) -> tuple[str, str, str]:
    """Namespace, plural and name in the path of one object."""
    match = re.fullmatch(r"/apis?/(.+?)/(?:namespaces/([^/]+)/)?([^/]+)/([^/]+)", request.path)
    assert match is not None
    _, namespace, plural, name = match.groups()
    return namespace or "", plural, name


def _place_of(one: Manifest) -> tuple[str, str, str]:
    meta = one["metadata"]
    return plural_of(one["kind"]), meta["name"], meta.get("namespace", "")


@asynccontextmanager
async def writable(
    objects: Iterable[Manifest], *, logs: Mapping[str, bytes] | None = None, faults: dict[str, Fault] | None = None
) -> AsyncIterator[WritableKube]:
    """The server on a free local port, for the length of the `async with`."""
    fake = WritableKube(objects=[deepcopy(o) for o in objects], logs=dict(logs or {}), faults=faults or {})
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
