"""Who owns a pod: Pod -> ReplicaSet -> Deployment, Pod -> Job -> JobSet -> TrainJob, and any other chain of references."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

import msgspec

from bot.model.diagnosis import Json
from bot.model.karpenter import NodePool
from bot.model.kubernetes import Pod, Workload
from bot.model.objects import ObjectMeta, ObjectRef, OwnerReference, ref_of
from bot.model.world import World

LONGEST_CHAIN: Final = 8


@dataclass(frozen=True, slots=True)
class Carrier:
    """An object with its document. `exact`: the document is the object as the API printed it, not rebuilt from what was kept."""

    ref: ObjectRef
    meta: ObjectMeta
    document: Json
    exact: bool = True

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return group_of(self.ref.api_version)


@dataclass(frozen=True, slots=True)
class Chain:
    """A pod's owners, nearest first. `missing` is the reference at which the chain breaks off."""

    owners: tuple[Carrier, ...]
    missing: ObjectRef | None = None


def group_of(api_version: str) -> str:
    """`apps` of `apps/v1`; empty for the core group."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def of_workload(workload: Workload) -> Carrier:
    """An owner with its manifest."""
    return Carrier(ref_of(workload), workload.metadata, cast("Json", dict(workload.manifest)))


def of_pod(pod: Pod) -> Carrier:
    """The pod itself; of its manifest only what the model keeps."""
    return Carrier(ref_of(pod), pod.metadata, _rebuilt(pod), exact=False)


def of_node_pool(world: World, ref: ObjectRef) -> Carrier | None:
    """The NodePool, with its whole manifest where the World has it. None when it was not seen at all."""
    for workload in world.workloads:
        if workload.kind == ref.kind and workload.metadata.name == ref.name:
            return of_workload(workload)
    pool = next((p for p in world.node_pools if p.metadata.name == ref.name), None)
    return Carrier(ref_of(pool), pool.metadata, _rebuilt(pool), exact=False) if pool and ref.kind == pool.kind else None


def _rebuilt(thing: Pod | NodePool) -> Json:
    """A manifest from the typed object: what is empty was absent, for the API prints no empty fields."""
    plain: Json = msgspec.json.decode(msgspec.json.encode(thing, enc_hook=str))
    return _without_blanks(plain)


def _without_blanks(value: Json) -> Json:
    if isinstance(value, dict):
        kept = {key: _without_blanks(member) for key, member in value.items()}
        return {key: member for key, member in kept.items() if member not in (None, "", [], {})}
    return [_without_blanks(item) for item in value] if isinstance(value, list) else value


def chain_of(world: World, pod: Pod) -> Chain:
    """Follows the references as far as the World has the objects."""
    seen: list[Carrier] = []
    meta = pod.metadata
    while (reference := _controller(meta)) is not None and len(seen) < LONGEST_CHAIN:
        found = _referred(world, reference, pod.metadata.namespace)
        if found is None or found.ref in (one.ref for one in seen):
            return Chain(tuple(seen), _named(reference, pod.metadata.namespace))
        seen.append(found)
        meta = found.meta
    return Chain(tuple(seen))


def _controller(meta: ObjectMeta) -> OwnerReference | None:
    """The owner that makes and replaces the object, else the first that is named."""
    owners = meta.owner_references
    return next((o for o in owners if o.controller), owners[0] if owners else None)


def _named(reference: OwnerReference, namespace: str) -> ObjectRef:
    return ObjectRef(api_version=reference.api_version, kind=reference.kind, namespace=namespace, name=reference.name)


def _referred(world: World, reference: OwnerReference, namespace: str) -> Carrier | None:
    """The object meant: by uid; by name only where one of the two has no uid. An owner may be a pod (LeaderWorkerSet)."""
    alike = (c for c in _known(world, reference) if c.meta.namespace in ("", namespace))
    return next((c for c in alike if not reference.uid or c.meta.uid in ("", reference.uid)), None)


def _known(world: World, reference: OwnerReference) -> Iterator[Carrier]:
    wanted = (group_of(reference.api_version), reference.kind, reference.name)
    objects: Sequence[Workload | Pod] = world.pods if wanted[:2] == ("", "Pod") else world.workloads
    for one in objects:
        if (group_of(one.api_version), one.kind, one.metadata.name) == wanted:
            yield of_pod(one) if isinstance(one, Pod) else of_workload(one)
