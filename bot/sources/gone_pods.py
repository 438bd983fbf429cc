"""What became of a pod of which only the name is left: its last events, and the workload that the name tells of."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bot.model.kubernetes import Pod
from bot.model.objects import MalformedObjectError, Object, ObjectMeta, decode
from bot.sources.aftermath import events_about, told
from bot.sources.errors import ReadFailed
from bot.sources.reading import Reader, decode_json
from bot.sources.resources import PODS, Resource, is_name

_JOBS: Final = Resource(group="batch", plural="jobs")
_REPLICA_SETS: Final = Resource(group="apps", plural="replicasets")
_STATEFUL_SETS: Final = Resource(group="apps", plural="statefulsets")
_KINDS: Final = {_JOBS: "Job", _REPLICA_SETS: "ReplicaSet", _STATEFUL_SETS: "StatefulSet"}
_SUFFIX: Final = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}$")  # apimachinery: pkg/util/rand
_INDEX: Final = re.compile(r"-\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerState:
    """The workload of a pod that is gone. `state`: complete, failed, suspended, deleting or active; `why` is its own word.

    `wanted` and `has` are pods.
    """

    kind: str
    name: str
    api_version: str
    state: str
    why: str = ""
    wanted: int = 0
    has: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """A pod by its exact name, None when it is gone; what was said about it, oldest first; its owner where it is gone."""

    pod: Pod | None
    said: tuple[str, ...]
    owner: OwnerState | None = None


class _Condition(Object, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class _Spec(Object, frozen=True):
    replicas: int | None = None
    parallelism: int | None = None
    suspend: bool | None = None


class _Status(Object, frozen=True):
    conditions: tuple[_Condition, ...] = ()
    active: int = 0
    ready_replicas: int = 0


class _Workload(Object, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: _Spec = _Spec()
    status: _Status = _Status()


async def observe_trace(reader: Reader, namespace: str, pod: str) -> PodState:
    """A pod's state and its last events; where it is gone, its owner by its name. Raises ClusterUnreachable."""
    if not is_name(pod) or (namespace and not is_name(namespace)):
        return PodState(pod=None, said=())
    found = await reader.one(PODS, Pod, pod, namespace) if namespace else None
    said = told(await events_about(reader, "Pod", pod, namespace))
    owner = await _observe_owner(reader, namespace, pod) if namespace and found is None else None
    return PodState(pod=found, said=said, owner=owner)


def _names(pod: str) -> Iterator[tuple[Resource, str]]:
    """What may have made a pod of this name, the likeliest first."""
    base = _SUFFIX.sub("", pod)
    if base != pod:
        yield _JOBS, base
        yield _REPLICA_SETS, base
        if _INDEX.search(base):
            yield _JOBS, _INDEX.sub("", base)  # of an indexed Job: its completion index comes before the suffix
    if _INDEX.search(pod):
        yield _STATEFUL_SETS, _INDEX.sub("", pod)


async def _observe_owner(reader: Reader, namespace: str, pod: str) -> OwnerState | None:
    found = await asyncio.gather(*(_one(reader, namespace, resource, name) for resource, name in _names(pod)))
    return next((one for one in found if one is not None), None)


async def _one(reader: Reader, namespace: str, resource: Resource, name: str) -> OwnerState | None:
    """None where there is no such workload, and where it may not be read."""
    try:
        manifest: Any = decode_json(await reader.get_bytes(resource.path(namespace, name)))
        workload = decode(manifest, _Workload)
    except (ReadFailed, MalformedObjectError):
        return None
    spec, status = workload.spec, workload.status
    ended = next((c for c in status.conditions if c.type in ("Complete", "Failed") and c.status == "True"), None)
    state = "active"
    if ended is not None:
        state = ended.type.lower()
    elif workload.metadata.deletion_timestamp is not None:
        state = "deleting"
    elif spec.suspend:
        state = "suspended"
    why = ": ".join(filter(None, (ended.reason, ended.message))) if ended else ""
    wanted = spec.parallelism if resource is _JOBS else spec.replicas
    return OwnerState(
        kind=_KINDS[resource],
        name=name,
        api_version=resource.api_version,
        state=state,
        why=why,
        wanted=1 if wanted is None else wanted,
        has=status.active if resource is _JOBS else status.ready_replicas,
    )
