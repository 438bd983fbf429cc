"""A live question -> a snapshot folder: what was read for it, without credentials, to be answered again anywhere."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from bot.karpenter.metrics import metrics_page
from bot.model.ec2 import Ec2Facts
from bot.model.world import World
from bot.sources.errors import SnapshotError
from bot.sources.kube_api import JSON, METADATA_ONLY, KubeApi, Query
from bot.sources.prices import price_entry
from bot.sources.redaction import redact, redact_line
from bot.sources.snapshot import EC2, EC2_FILES, META

_PATH: Final = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group_version>[^/]+/[^/]+))(?:/namespaces/[^/]+(?=/))?/(?P<plural>[^/]+)(?P<name>/[^/]+)?"
)
METRICS: Final = "karpenter.prom"
_NEVER: Final = frozenset({"secrets", "configmaps"})
_KINDS: Final = {
    "pods": "Pod",
    "nodes": "Node",
    "events": "Event",
    "namespaces": "Namespace",
    "daemonsets": "DaemonSet",
}
"""Of lists whose items do not say what they are: those of built-in kinds."""


@dataclass(slots=True)
class Recording:
    """Passes reads on and keeps the manifests that came back. Give it to a Cluster in place of the API itself."""

    api: KubeApi
    manifests: dict[str, dict[tuple[str, str], dict[str, Any]]] = field(default_factory=dict)
    """Plural -> (namespace, name) -> manifest. A list that was empty has an empty entry."""

    async def get(self, path: str, query: Query = (), accept: str = JSON) -> bytes:
        body = await self.api.get(path, query, accept)
        if accept != METADATA_ONLY:
            self._keep(path, body)
        return body

    def stream(self, path: str, query: Query = ()) -> AsyncIterator[bytes]:
        return self.api.stream(path, query)

    def _keep(self, path: str, body: bytes) -> None:
        place = _PATH.fullmatch(path)
        if place is None or place["plural"] in _NEVER:
            return
        data = _plain(body)
        kept = self.manifests.setdefault(place["plural"], {})
        for item in _items(data):
            api_version = place["group_version"] or place["core"]
            head = {
                "apiVersion": api_version,
                "kind": _KINDS.get(place["plural"], str(data.get("kind") or "").removesuffix("List")),
            }
            metadata = item.get("metadata") or {}
            kept[str(metadata.get("namespace") or ""), str(metadata.get("name") or "")] = {**head, **item}


def _plain(body: bytes) -> dict[str, Any]:
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return data if isinstance(data, dict) else {}


def _items(data: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    if "items" in data:
        return [item for item in data["items"] or () if isinstance(item, dict)]
    return [dict(data)] if "metadata" in data else []


def write_snapshot(folder: Path, world: World, recording: Recording) -> None:
    """Writes what was read into an empty or new folder. Raises SnapshotError when it cannot be written.

    Secrets are never among it. What could not be read is simply absent, and named so when the folder is read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SnapshotError(f"{folder}: not empty")
        for plural, manifests in recording.manifests.items():
            items = [redact(one) for _, one in sorted(manifests.items())]
            _write_json(folder / f"{plural}.json", {"apiVersion": "v1", "kind": "List", "items": items})
        if world.karpenter_log:
            lines = "".join(f"{redact_line(line)}\n" for line in world.karpenter_log)
            (folder / "karpenter.log").write_text(lines, encoding="utf-8")
        if world.unavailable_in_metrics:
            (folder / METRICS).write_text(metrics_page(world.unavailable_in_metrics), encoding="utf-8")
        (folder / META).write_text(yaml.safe_dump(_meta(world), sort_keys=False), encoding="utf-8")
        _write_ec2(folder / EC2, world.ec2)
    except OSError as error:
        raise SnapshotError(f"{folder}: {error.strerror or error}") from error


def _meta(world: World) -> dict[str, str]:
    said = {
        "region": world.ec2.region,
        "clusterName": world.cluster,
        "karpenterVersion": world.karpenter_version,
        "now": world.now.isoformat(),
        "placementsKnown": str(world.placements_known).lower(),
    }
    return {key: value for key, value in said.items() if value}


def _write_json(file: Path, data: object) -> None:
    """JSON, as `kubectl get -o json` prints it: it reads twenty times faster than YAML."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(data), indent=2))


def _write_ec2(folder: Path, facts: Ec2Facts) -> None:
    """One file for each of the CLI's answers; prices of now and of the last day are answers of the same call."""
    for one in EC2_FILES:
        rows = getattr(facts, one.fact)
        if one.fact == "spot_prices" and facts.spot_history:
            rows = tuple(dict.fromkeys((*(rows or ()), *facts.spot_history)))
        if rows is None:
            continue
        plain = [msgspec.to_builtins(row) for row in rows] if one.kind else [price_entry(r, facts.region) for r in rows]
        folder.mkdir(exist_ok=True)
        _write_json(folder / f"{one.name}.json", {one.key: plain})
