"""What stands behind a pod's volumes: claims, the volumes they are bound to, storage classes."""

import asyncio
from dataclasses import dataclass

from bot.model.kubernetes import PersistentVolume, PersistentVolumeClaim, Pod, StorageClass, Volume
from bot.sources.reading import Reader
from bot.sources.resources import CLAIMS, STORAGE_CLASSES, VOLUMES, is_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Only what the pod uses. A claim, volume or class that does not exist is simply not there."""

    claims: tuple[PersistentVolumeClaim, ...] = ()
    volumes: tuple[PersistentVolume, ...] = ()
    classes: tuple[StorageClass, ...] = ()


async def observe_storage(reader: Reader, pod: Pod) -> Storage:
    """Nothing is read for a pod without claims."""
    names = sorted({name for volume in pod.spec.volumes if (name := _claim_name(pod, volume)) and is_name(name)})
    namespace = pod.metadata.namespace
    claims = tuple(
        claim
        for claim in await asyncio.gather(
            *(reader.one(CLAIMS, PersistentVolumeClaim, name, namespace) for name in names)
        )
        if claim is not None
    )
    volume_names = sorted({c.spec.volume_name for c in claims} - {""})
    class_names = sorted({c.spec.storage_class_name or "" for c in claims} - {""})
    volumes = [reader.one(VOLUMES, PersistentVolume, name) for name in volume_names if is_name(name)]
    classes = [reader.one(STORAGE_CLASSES, StorageClass, name) for name in class_names if is_name(name)]
    found_volumes, found_classes = await asyncio.gather(asyncio.gather(*volumes), asyncio.gather(*classes))
    return Storage(
        claims=claims,
        volumes=tuple(v for v in found_volumes if v is not None),
        classes=tuple(c for c in found_classes if c is not None),
    )


def _claim_name(pod: Pod, volume: Volume) -> str:
    """A generic ephemeral volume's claim is called `<pod>-<volume>` (Kubernetes: ephemeral volume naming)."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""
