"""A small client for the bed's API server: what tests and the bed itself need, over one pooled connection.

Deliberately not the client under test (`bot/sources`), so that the two cannot share a mistake.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import urllib3

KubeObject: TypeAlias = dict[str, Any]
"""A Kubernetes object as JSON: the bed's adapters hand it through, tests index into it."""

_PATCH_TYPES: Final = {
    "apply": "application/apply-patch+yaml",
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


class ApiError(Exception):
    """The server's refusal: HTTP status and the Status object's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    server: str
    ca: Path
    token: str = field(repr=False)
    pool_size: int = 4
    _plurals: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict, repr=False)
    _pools: list[urllib3.PoolManager] = field(default_factory=list, repr=False)

    def close(self) -> None:
        for pool in self._pools:
            pool.clear()
        self._pools.clear()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> bytes:
        """Returns the raw body of a 2xx answer; raises ApiError for any other, urllib3's errors when unreachable."""
        if not self._pools:
            self._pools.append(
                urllib3.PoolManager(ca_certs=str(self.ca), maxsize=self.pool_size, block=True, retries=False)
            )
        answer = self._pools[0].request(
            method,
            f"{self.server}{path}" + (f"?{urlencode(query)}" if query else ""),
            body=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": content_type},
            timeout=urllib3.Timeout(connect=5, read=60),
        )
        if answer.status >= 300:
            raise ApiError(answer.status, _message(answer.data))
        return answer.data

    def read(self, path: str, **query: str) -> KubeObject:
        return _object(self.request("GET", path, query=query))

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> KubeObject:
        return self.read(f"{self._path(api_version, kind, namespace)}/{name}")

    def find(self, api_version: str, kind: str, name: str, namespace: str = "") -> KubeObject | None:
        """As `get`, but None when there is no such object."""
        try:
            return self.get(api_version, kind, name, namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, api_version: str, kind: str, namespace: str = "", **query: str) -> list[KubeObject]:
        items = self.read(self._path(api_version, kind, namespace), **query)["items"]
        assert isinstance(items, list)
        return items

    def create(self, manifest: KubeObject) -> KubeObject:
        return _object(self.request("POST", self._path_of(manifest), body=manifest))

    def apply(self, manifest: KubeObject, *, manager: str = "test-bed", **query: str) -> KubeObject:
        """Server-side apply, as `kubectl apply --server-side --force-conflicts` does it."""
        path = f"{self._path_of(manifest)}/{manifest['metadata']['name']}"
        query = {"fieldManager": manager, "force": "true", **query}
        return _object(
            self.request("PATCH", path, query=query, body=manifest, content_type="application/apply-patch+yaml")
        )

    def patch(self, api_version: str, kind: str, name: str, patch: object, **where: str) -> KubeObject:
        """`where`: namespace, subresource, dry_run ("All"), patch_type ("json", "merge", "strategic"; merge if not given)."""
        path = f"{self._path(api_version, kind, where.get('namespace', ''))}/{name}"
        if where.get("subresource"):
            path += f"/{where['subresource']}"
        content_type = _PATCH_TYPES[where.get("patch_type", "merge")]
        query = {"dryRun": where["dry_run"]} if where.get("dry_run") else {}
        return _object(self.request("PATCH", path, query=query, body=patch, content_type=content_type))

    def delete(self, api_version: str, kind: str, name: str, namespace: str = "", **query: str) -> None:
        """Deletes; an object that is not there (any more) is no error."""
        try:
            self.request("DELETE", f"{self._path(api_version, kind, namespace)}/{name}", query=query)
        except ApiError as error:
            if error.status != 404:
                raise

    def log(self, namespace: str, pod: str, **query: str) -> str:
        return self.request("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query=query).decode()

    def _path_of(self, manifest: KubeObject) -> str:
        return self._path(manifest["apiVersion"], manifest["kind"], manifest["metadata"].get("namespace", ""))

    def _path(self, api_version: str, kind: str, namespace: str) -> str:
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if (api_version, kind) not in self._plurals:
            for resource in self.read(root)["resources"]:
                if "/" not in resource["name"]:
                    self._plurals[api_version, resource["kind"]] = (resource["name"], resource["namespaced"])
        plural, namespaced = self._plurals[api_version, kind]
        return f"{root}/namespaces/{namespace}/{plural}" if namespaced and namespace else f"{root}/{plural}"


def wait_for(what: str, probe: Callable[[], object], *, seconds: float, pause: float = 0.1) -> object:
    """Calls `probe` until it returns something true and returns that; raises TimeoutError naming `what`.

    An unreachable or refusing server counts as "not yet"; the last such error is told when time is up.
    """
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while True:
        try:
            if found := probe():
                return found
        except (ApiError, KeyError, urllib3.exceptions.HTTPError) as error:
            last = error
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s" + (f" (last: {last})" if last else ""))
        time.sleep(pause)


def _object(body: bytes) -> KubeObject:
    parsed = json.loads(body)
    assert isinstance(parsed, dict)
    return parsed


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:500]
