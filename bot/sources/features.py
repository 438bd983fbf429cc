"""Objects of Karpenter's optional features that the bot does not work out: read so that the answer can name them.

They are read only where Karpenter looks at them: where its feature gate is on, or where nothing is known of its gates. A
cluster that does not serve the kind has none of them, and nothing is said of it.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bot.model.objects import ObjectRef
from bot.sources.errors import ReadFailed, missing_read
from bot.sources.reading import OnlyMeta, Reader
from bot.sources.resources import KARPENTER, Resource

GATED: Final = {
    "NodeOverlay": Resource(group=KARPENTER, version="v1alpha1", plural="nodeoverlays", namespaced=False),
    "CapacityBuffer": Resource(group="autoscaling.x-k8s.io", version="v1beta1", plural="capacitybuffers"),
}
"""Feature gate, which is the kind's name too, to its collection (karpenter pkg/apis, v1.14)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """`objects` that are there; `listed`: kinds of which these are all."""

    objects: tuple[ObjectRef, ...] = ()
    listed: frozenset[str] = frozenset()


async def observe_features(reader: Reader, gates: Iterable[str], *, known: bool) -> Features:
    """One call a gate. `known`: these gates are on; else they may be, and a list that is not permitted is no gap of its own.

    Raises ClusterUnreachable, CredentialsExpired.
    """
    kinds = [gate for gate in GATED if gate in frozenset(gates)]
    found = await asyncio.gather(*(_observe(reader, kind, known=known) for kind in kinds))
    listed = {kind: objects for kind, objects in zip(kinds, found, strict=True) if objects is not None}
    return Features(objects=tuple(one for objects in listed.values() for one in objects), listed=frozenset(listed))


async def _observe(reader: Reader, kind: str, *, known: bool) -> tuple[ObjectRef, ...] | None:
    """The objects of a kind; None when they could not be read, with a gap unless the cluster does not serve the kind."""
    resource = GATED[kind]
    try:
        names = [one.metadata async for page in reader.pages(resource, OnlyMeta) for one in page]
    except ReadFailed as failure:
        if known and failure.status != 404:
            reader.lacks(missing_read(failure, "list", resource.full_name))
        return None
    return tuple(
        ObjectRef(api_version=resource.api_version, kind=kind, namespace=meta.namespace, name=meta.name)
        for meta in names
    )
