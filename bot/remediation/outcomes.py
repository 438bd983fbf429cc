"""What became of a write, found out from the object itself: our mark on it, its resourceVersion, its managedFields.

Every change of ours sets an annotation to the proposal's id in the same write, and every write is guarded by the
resourceVersion that was read before. So the mark says that it happened; the guard still being current says that it has
not happened (yet); and of several writes with one guard the API server takes only one.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import unified_diff
from enum import StrEnum
from typing import Final

import yaml

from bot.model.diagnosis import Json
from bot.model.objects import ObjectRef
from bot.model.proposals import Attempt
from bot.remediation.documents import Operation, at, cut, items, operations, text
from bot.remediation.owners import group_of

FIELD_MANAGER: Final = "karpenter-bot"
MARK: Final = "karpenter-bot/change"
"""The annotation with the id of the proposal that changed the object last."""
_CONTEXT: Final = 3
_NOISE: Final = (
    ("status",),
    ("metadata", "managedFields"),
    ("metadata", "resourceVersion"),
    ("metadata", "generation"),
    ("metadata", "uid"),
    ("metadata", "creationTimestamp"),
    ("metadata", "annotations", MARK),
    ("metadata", "annotations", "deployment.kubernetes.io/revision"),
    ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"),
)
"""What the server keeps for itself, what says the same again, and our own mark, which differs each time."""


class Outcome(StrEnum):
    """What is known of a proposal's write."""

    APPLIED = "applied"
    NOT_APPLIED = "not-applied"
    PENDING = "pending"
    """Sent and not answered, and the guard is still current: it may come to pass yet."""
    OVERWRITTEN = "overwritten"
    """Our entry in managedFields is newer than the attempt, but the mark is gone: applied, and changed by another since."""
    GONE = "gone"


SETTLES: Final = timedelta(minutes=3)
"""After so long no request is under way any more: an API server ends each within a minute (--request-timeout)."""


def is_settled(attempt: Attempt | None, now: datetime) -> bool:
    """Whether nothing that was sent can still come to pass."""
    return attempt is None or attempt.answered or attempt.at is None or now - attempt.at > SETTLES


def outcome_of(document: Json, uid: str, proposal: str, attempt: Attempt | None) -> Outcome:
    """What the object, as it is now, says about the write; `document` is None where there is no such object."""
    if document is None or text(document, "metadata", "uid") != uid:
        return Outcome.GONE
    if text(document, "metadata", "annotations", MARK) == proposal:
        return Outcome.APPLIED
    if attempt is None or attempt.answered:
        return Outcome.NOT_APPLIED
    if text(document, "metadata", "resourceVersion") == attempt.resource_version:
        return Outcome.PENDING
    return Outcome.OVERWRITTEN if managed_at(document) != attempt.managed_at else Outcome.NOT_APPLIED


def holds(patch: Sequence[Mapping[str, Json]], document: Json) -> bool:
    """Whether the values that the patch was worked out for are still there: its `test` operations."""
    tests = (one for one in patch if one["op"] == "test")
    return all(at(document, _pointer(str(one["path"]))) == one.get("value") for one in tests)


def _pointer(path: str) -> tuple[str, ...]:
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:])


def managed_at(document: Json) -> str:
    """When our field manager wrote the object last, as managedFields says; empty for never."""
    entries = items(document, ("metadata", "managedFields"))
    return max((text(e, "time") for e in entries if text(e, "manager") == FIELD_MANAGER), default="")


def guarded(patch: Sequence[Mapping[str, Json]], document: Json, proposal: str) -> list[Operation]:
    """The patch as it is sent: for this very version of the object, and with our mark."""
    version = text(document, "metadata", "resourceVersion")
    own: Operation = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
    annotations = at(document, ("metadata", "annotations"))
    if isinstance(annotations, dict):
        mark: Operation = {"op": "add", "path": f"/metadata/annotations/{MARK.replace('/', '~1')}", "value": proposal}
    else:
        mark = {"op": "add", "path": "/metadata/annotations", "value": {MARK: proposal}}
    steps = [dict(step) for step in patch]
    if isinstance(annotations, dict):
        return [own, *steps, mark]
    return [own, mark, *_within(steps)]


def _within(steps: Sequence[Operation]) -> Iterator[Operation]:
    """A patch that would make the map of annotations adds to the one that the mark has made."""
    for one in steps:
        value = one.get("value")
        if one["op"] == "add" and one["path"] == "/metadata/annotations" and isinstance(value, dict):
            for key, inner in value.items():
                escaped = key.replace("~", "~0").replace("/", "~1")
                yield {"op": "add", "path": f"/metadata/annotations/{escaped}", "value": inner}
        else:
            yield one


def still_as_left(document: Json, uid: str, proposal: str, generation: int) -> bool:
    """Whether the object carries our change and nobody has changed its spec since."""
    if outcome_of(document, uid, proposal, None) is not Outcome.APPLIED:
        return False
    now = at(document, ("metadata", "generation"))
    return not generation or now == generation


def way_back(before: Json, after: Json) -> list[Operation]:
    """The patch from what the server would make of the object to what it is, each value tested; our mark stays."""
    return operations(_tidy(after), _tidy(before))


# -- what people are shown --------------------------------------------------------------------------------------------


def yaml_diff(before: Json, after: Json) -> str:
    """What the server would change, as a unified diff of YAML; empty when nothing."""
    old, new = (_yaml(one).splitlines() for one in (before, after))
    lines = unified_diff(old, new, "now", "then", lineterm="", n=_CONTEXT)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def digest_of(before: Json, after: Json) -> str:
    """The SHA-256 of what changes: every differing value, whatever stands around it."""
    steps = sorted(json.dumps(change, sort_keys=True) for change in _changes(_tidy(before), _tidy(after), ()))
    return hashlib.sha256("\n".join(steps).encode()).hexdigest()


def _changes(old: Json, new: Json, where: tuple[str, ...]) -> Iterator[list[Json]]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from _changes(old.get(key), new.get(key), (*where, key))
    else:
        yield [list(where), old, new]


def _tidy(document: Json) -> Json:
    for pointer in _NOISE:
        if at(document, pointer) is not None:
            document = cut(document, pointer, keep=1)
    return document


def _yaml(document: Json) -> str:
    return (
        ""
        if document is None
        else str(
            yaml.safe_dump(_tidy(document), default_flow_style=False, sort_keys=True, allow_unicode=True, width=100)
        )
    )


def repository_patch(target: ObjectRef, patch: Sequence[Mapping[str, Json]], tool: str = "") -> str:
    """The change for a repository: an entry of a kustomization's `patches`, for Argo CD, Flux and kubectl alike; of a Flux
    HelmRelease, the same as a post-renderer (helm.toolkit.fluxcd.io/v2, spec.postRenderers).
    """
    changes = [dict(step) for step in patch if step["op"] != "test"]
    group, version = group_of(target.api_version), target.api_version.rpartition("/")[2]
    selector = {"group": group, "version": version, "kind": target.kind, "name": target.name}
    selector |= {"namespace": target.namespace} if target.namespace else {}
    inner = yaml.safe_dump(changes, sort_keys=False, allow_unicode=True)
    entry: dict[str, object] = {
        "patches": [{"target": {k: v for k, v in selector.items() if v}, "patch": _Block(inner)}]
    }
    if tool == "Flux HelmRelease":
        entry = {"spec": {"postRenderers": [{"kustomize": entry}]}}
    return str(yaml.dump(entry, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


class _Block(str):
    """A text that YAML shows line by line."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """SafeDumper with block texts."""


_Dumper.add_representer(
    _Block, lambda dumper, block: dumper.represent_scalar("tag:yaml.org,2002:str", str(block), style="|")
)
