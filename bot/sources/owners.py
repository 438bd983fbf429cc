"""The chain of objects that own a pod: Pod -> Job -> JobSet -> TrainJob, Pod -> ReplicaSet -> Deployment, ...

Any kind is found through API discovery, so that operators nobody thought of work too.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from bot.model.gaps import gap_in
from bot.model.kubernetes import Workload
from bot.model.objects import MalformedObjectError, Object, ObjectMeta, OwnerReference, decode
from bot.sources.errors import ReadFailed, missing_read
from bot.sources.reading import Reader, decode_json
from bot.sources.resources import Resource, api_path, group_of, is_name

LONGEST_CHAIN: Final = 8
_CORE_OWNERS: Final = frozenset({"ReplicationController"})
"""Of the core group nothing else is read as an owner: a pod's ownerReferences are whatever its author wrote, Secrets too."""


class _ApiResource(Object, frozen=True):
    name: str = ""
    kind: str = ""
    namespaced: bool = False


class _ApiResourceList(Object, frozen=True):
    resources: tuple[_ApiResource, ...] = ()


class Discovery:
    """Which collection holds a kind. Answers are kept for as long as this object lives."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Resource]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def resource(self, reader: Reader, api_version: str, kind: str) -> Resource | None:
        """The kind's collection; None when the server has no such kind. Raises ReadFailed."""
        async with self._asking.setdefault(api_version, asyncio.Lock()):
            if kind not in self._known.get(api_version, {}):
                self._known[api_version] = await _kinds(reader, api_version)
        return self._known[api_version].get(kind)


async def _kinds(reader: Reader, api_version: str) -> dict[str, Resource]:
    group_version = group_of(api_version)
    if group_version is None:
        return {}
    try:
        listed = msgspec.convert(decode_json(await reader.get_bytes(api_path(api_version))), _ApiResourceList)
    except ReadFailed as failure:
        if failure.status == 404:
            return {}
        raise
    except msgspec.ValidationError as error:
        raise ReadFailed(0, "an answer that is no API description") from error
    group, version = group_version
    return {
        one.kind: Resource(group=group, version=version, plural=one.name, namespaced=one.namespaced)
        for one in listed.resources
        if "/" not in one.name
    }


def controller_of(meta: ObjectMeta) -> OwnerReference | None:
    """The owner to follow: the controller, else the first named."""
    owners = meta.owner_references
    return next((o for o in owners if o.controller), owners[0] if owners else None)


async def observe_owners(reader: Reader, discovery: Discovery, meta: ObjectMeta) -> tuple[Workload, ...]:
    """The pod's owner, the owner's owner and so on, nearest first. A link that cannot be read ends it, with a gap noted."""
    chain: list[Workload] = []
    owner = controller_of(meta)
    while owner is not None and len(chain) < LONGEST_CHAIN:
        found = await _observe_owner(reader, discovery, owner, meta.namespace)
        if found is None or any(found.metadata.uid == one.metadata.uid for one in chain):
            break
        chain.append(found)
        owner = controller_of(found.metadata)
    return tuple(chain)


async def _observe_owner(
    reader: Reader, discovery: Discovery, owner: OwnerReference, namespace: str
) -> Workload | None:
    group_version = group_of(owner.api_version)
    if group_version is None or not is_name(owner.name) or not (group_version[0] or owner.kind in _CORE_OWNERS):
        return None
    plain = f"{owner.kind}.{group_version[0]}" if group_version[0] else owner.kind
    resource: Resource | None = None
    try:
        resource = await discovery.resource(reader, owner.api_version, owner.kind)
        if resource is None:
            reader.lacks(gap_in(f"{owner.kind} {owner.name}", "not-served", resource=plain))
            return None
        found = parse_workload(decode_json(await reader.get_bytes(resource.path(namespace, owner.name))))
    except ReadFailed as failure:
        # a 404 is an owner that is gone already, which garbage collection will notice too
        if failure.status != 404:
            reader.lacks(missing_read(failure, "get", resource.full_name if resource else plain))
        return None
    except MalformedObjectError as error:
        reader.lacks(gap_in(f"{owner.kind} {owner.name}", "malformed", error=str(error)))
        return None
    return found if not owner.uid or found.metadata.uid == owner.uid else None


class _Head(Object, frozen=True):
    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()


def parse_workload(manifest: object) -> Workload:
    """Any object as a Workload with its whole manifest. Raises MalformedObjectError."""
    head = decode(manifest, _Head)
    whole = cast("Mapping[str, Any]", manifest)
    return Workload(api_version=head.api_version, kind=head.kind, metadata=head.metadata, manifest=whole)


def owners_among(workloads: Iterable[Workload], metas: Iterable[ObjectMeta]) -> tuple[Workload, ...]:
    """The workloads that own one of the objects, or are owned themselves. For snapshots, where all sorts of things lie."""
    all_of_them = tuple(workloads)
    owning = {_key(o) for meta in metas for o in meta.owner_references}
    owning |= {_key(o) for one in all_of_them for o in one.metadata.owner_references}
    return tuple(w for w in all_of_them if w.metadata.owner_references or (w.kind, w.metadata.name) in owning)


def _key(owner: OwnerReference) -> tuple[str, str]:
    return owner.kind, owner.name
