"""Writes to the playground's Kubernetes API, as the real one takes them: patches with their guards, dry-run, field managers,
events, access reviews.

A JSON Patch is guarded by its own `test` steps, a merge patch by the resourceVersion in it; what a real server would not let
anybody change (a pod's requests, a Job's template) is refused here too. Nothing leaves this process.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import jsonpatch
from aiohttp import web

from bot.playground.kube import FakeKube, Manifest, plural_of, status

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
_OBJECT: Final = re.compile(r"/(?:api/(v1)|apis/([^/]+/[^/]+))/(?:namespaces/([^/]+)/)?([^/]+)/([^/]+)")
_EVENTS: Final = re.compile(r"/api/v1/namespaces/([^/]+)/events")
_REVIEWS: Final = "/selfsubjectaccessreviews"
_WRONG: Final = "the server rejected our request due to an error in our request"
_CHANGED: Final = "the object has been modified; please apply your changes to the latest version and try again"
_POD: Final = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing"
    " tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


@dataclass(slots=True, kw_only=True)
class WritableKube(FakeKube):
    """`patched`: path and object of every patch that was kept; `kept` is called with each such object."""

    patched: list[tuple[str, Manifest]] = field(default_factory=list)
    rehearsed: int = 0
    kept: Callable[[Manifest], None] | None = None

    def __post_init__(self) -> None:
        for one in self.objects:
            meta = one["metadata"]
            meta.setdefault("uid", f"uid-{one['kind']}-{meta['name']}".lower())
            meta.setdefault("resourceVersion", "1")
            meta.setdefault("generation", 1)

    def change(self, manifest: Manifest) -> None:
        """Keeps the object's new version and tells who watches; its generation counts changes of the spec."""
        before = next((o for o in self.objects if _same(o, manifest)), None)
        generation = before["metadata"].get("generation", 1) if before else 1
        manifest["metadata"]["generation"] = generation + (
            before is not None and before.get("spec") != manifest.get("spec")
        )
        self.put(manifest)

    def find(self, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """The object as it is, or None."""
        for one in self.objects:
            meta = one["metadata"]
            if (one["kind"], meta["name"]) == (kind, name) and namespace in ("", meta.get("namespace", "")):
                return one
        return None

    async def _well(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return await super(WritableKube, self)._well(request)
        if request.method == "POST":
            return self._posted(request.path, await request.json())
        if request.method == "PATCH":
            return self._patch(request, await request.json())
        return status(405, "the server does not allow this method on the requested resource")

    def _posted(self, path: str, body: Manifest) -> web.Response:
        """An access review (whoever has the token may patch), or an Event."""
        if path.endswith(_REVIEWS):
            allowed = body["spec"]["resourceAttributes"]["verb"] == "patch"
            return web.json_response({**body, "status": {"allowed": allowed}}, status=201)
        if not _EVENTS.fullmatch(path):
            return status(405, "only events and access reviews can be made here")
        meta = body["metadata"]
        meta.setdefault("name", f"{meta.get('generateName', 'event.')}{self.history.version + 1:x}")
        self.put(body)
        return web.json_response(body, status=201)

    def _patch(self, request: web.Request, body: Any) -> web.Response:  # noqa: ANN401 (JSON)
        match = _OBJECT.fullmatch(request.path)
        found = self._named(match) if match else None
        if match is None or found is None:
            return status(404, f'{match[4]} "{match[5]}" not found' if match else "no such resource")
        dry = request.query.getall("dryRun", [])
        if dry not in ([], ["All"]):
            return status(400, f'dryRun: Unsupported value: "{dry[0]}": supported values: "All"')
        after = _applied(found, request.content_type, body)
        if isinstance(after, web.Response):
            return after
        wrong = _refused(found, after)
        if wrong:
            return status(422, f'{found["kind"]} "{found["metadata"]["name"]}" is invalid: {wrong}')
        if dry:
            self.rehearsed += 1
            return web.json_response(after)
        if after != found:
            _managed(after, request.query.get("fieldManager") or "unknown")
            self.change(after)
            self.patched.append((request.path, deepcopy(after)))
            if self.kept is not None:
                self.kept(after)
        return web.json_response(after)

    def _named(self, match: re.Match[str]) -> Manifest | None:
        core, group, namespace, plural, name = match.groups()
        for one in self.objects:
            meta = one["metadata"]
            place = (one["apiVersion"], meta.get("namespace", ""), plural_of(one["kind"]), meta["name"])
            if place == (core or group, namespace or "", plural, name):
                return one
        return None


def _same(one: Manifest, other: Manifest) -> bool:
    names = ("namespace", "name")
    return one["kind"] == other["kind"] and all(one["metadata"].get(n) == other["metadata"].get(n) for n in names)


def _applied(one: Manifest, content_type: str, body: Any) -> Manifest | web.Response:  # noqa: ANN401 (JSON)
    """The object as the patch makes it. What it says of the resourceVersion is a guard, never a value."""
    version = one["metadata"]["resourceVersion"]
    try:
        if content_type == JSON_PATCH:
            after = jsonpatch.apply_patch(deepcopy(one), body)
        elif content_type == MERGE_PATCH:
            after = merged(deepcopy(one), body)
        else:
            return status(415, f"the body of the request was in an unknown format: {content_type}")
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError):
        return status(422, _WRONG)
    if not isinstance(after, dict) or not isinstance(after.get("metadata"), dict):
        return status(422, _WRONG)
    if after["metadata"].get("resourceVersion") not in (None, "", version):
        what = f'{plural_of(one["kind"])} "{one["metadata"]["name"]}"'
        return status(409, f"Operation cannot be fulfilled on {what}: {_CHANGED}")
    after["metadata"]["resourceVersion"] = version
    return after


def merged(old: Any, patch: Any) -> Any:  # noqa: ANN401 (JSON)
    """JSON Merge Patch (RFC 7396, section 2)."""
    if not isinstance(patch, dict):
        return patch
    target = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merged(target.get(name), value)
    return target


def _refused(before: Manifest, after: Manifest) -> str:
    """Why the API server would not take it; "" where it would (kubernetes pkg/apis/core/validation, ValidatePodUpdate)."""
    for name in ("name", "namespace", "uid"):
        if before["metadata"].get(name) != after["metadata"].get(name):
            return f"metadata.{name}: Invalid value: field is immutable"
    if (before["kind"], before["apiVersion"]) != (after.get("kind"), after.get("apiVersion")):
        return "kind: Invalid value: field is immutable"
    if before["kind"] == "Pod" and _rest(before["spec"]) != _rest(after.get("spec") or {}):
        return _POD
    if before["kind"] == "Pod":
        tolerations = after["spec"].get("tolerations") or []
        if any(one not in tolerations for one in before["spec"].get("tolerations") or []):
            return _POD
    if before["kind"] == "Job" and before["spec"].get("template") != after.get("spec", {}).get("template"):
        return "" if before["spec"].get("suspend") else "spec.template: Invalid value: field is immutable"
    return ""


def _rest(spec: Manifest) -> Manifest:
    return {name: value for name, value in spec.items() if name != "tolerations"}


def _managed(one: Manifest, manager: str) -> None:
    """The manager's entry in managedFields, as an update leaves it (without the fields themselves)."""
    entries = [e for e in one["metadata"].get("managedFields") or [] if e.get("manager") != manager]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251 (a server's own clock)
    entries.append({"manager": manager, "operation": "Update", "apiVersion": one["apiVersion"], "time": now})
    one["metadata"]["managedFields"] = entries
