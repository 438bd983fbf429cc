"""Which workload a pod really belongs to: owner references, followed to the top (TrainJob, JobSet, Deployment ...).

For many pods at little cost: what owns what is remembered for a few minutes, and where a namespace has very many owners,
one of each family of names is read for all of them.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from bot.model.objects import ObjectMeta, OwnerReference
from bot.sources.kube_api import METADATA
from bot.sources.owners import Discovery, controller_of, observe_owners
from bot.sources.reading import OnlyMeta, Reader
from bot.sources.resources import PENDING, PODS, is_name

REMEMBERED: Final = 300.0
"""Seconds for which an owner is known: references never change, but a name may be used again."""
LISTED: Final = 20.0
"""Seconds for which a list of a namespace's pending pods answers for further names."""
FEW: Final = 20
"""Up to so many pods are read one by one; more, and the namespace's pending pods are listed, names and owners only."""
MOST_READ: Final = 100
"""Owners of one kind that are read one by one; beyond, one of each family of names (`train-0`, `train-1`: `train`)."""
MOST_PODS: Final = 20_000
_MOST_KNOWN: Final = 5_000
_MOST_LISTS: Final = 10
_NUMBERS: Final = re.compile(r"(?:-\d+)+$")


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """The topmost owner of a pod; the pod itself where nothing owns it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Owned:
    """A pod's owners: the topmost, and the Job that made it ("" where none did)."""

    top: Owner
    job: str = ""


_Key = tuple[str, str, str, str]
"""Namespace, apiVersion, kind, name."""


@dataclass(slots=True)
class _List:
    at: float
    controllers: dict[str, OwnerReference | None] = field(default_factory=dict)


class Ownership:
    """One cluster's owners, as far as somebody asked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._discovery = Discovery()
        self._tops: dict[_Key, tuple[float, Owner]] = {}
        self._lists: dict[str, _List] = {}

    async def of_pods(self, reader: Reader, namespace: str, names: Sequence[str]) -> dict[str, Owned]:
        """The owners of these pods, by name; a pod that is gone is left out.

        Raises ReadFailed where pods may not be listed, ClusterUnreachable, CredentialsExpired.
        """
        if not is_name(namespace):
            return {}
        found: dict[str, OwnerReference | None] = {}
        wanted = [name for name in dict.fromkeys(names) if is_name(name)]
        if known := self._listed(namespace):
            found = {name: known[name] for name in wanted if name in known}
        left = [name for name in wanted if name not in found]
        if len(left) > FEW:
            found |= await self._list(reader, namespace, left)
            left = [name for name in left if name not in found]
        metas = await asyncio.gather(
            *(reader.one(PODS, OnlyMeta, one, namespace, accept=METADATA) for one in left[:FEW])
        )
        found |= {one.metadata.name: controller_of(one.metadata) for one in metas if one is not None}
        tops = await self.tops(reader, ((namespace, owner) for owner in found.values() if owner is not None))
        return {name: _owned(name, owner, tops, namespace) for name, owner in found.items()}

    async def tops(
        self, reader: Reader, controllers: Iterable[tuple[str, OwnerReference]]
    ) -> Mapping[tuple[str, str, str], Owner]:
        """The topmost owners of controllers (namespace, reference), by namespace, kind and name."""
        wanted = {_key(space, one): one for space, one in controllers}
        groups: dict[tuple[str, str], list[_Key]] = {}
        for key in wanted:
            groups.setdefault(key[:1] + key[2:3], []).append(key)
        spokesmen: dict[_Key, _Key] = {}
        for keys in groups.values():
            by_family: dict[str, _Key] = {}
            for key in sorted(keys):
                spokesmen[key] = by_family.setdefault(_NUMBERS.sub("", key[3]), key) if len(keys) > MOST_READ else key
        asked = sorted(set(spokesmen.values()))
        read = dict(zip(asked, await asyncio.gather(*(self._top(reader, k, wanted[k]) for k in asked)), strict=True))
        return {(key[0], key[2], key[3]): read[spokesman] for key, spokesman in spokesmen.items()}

    async def _top(self, reader: Reader, key: _Key, owner: OwnerReference) -> Owner:
        known = self._tops.get(key)
        if known is not None and self._clock() - known[0] < REMEMBERED:
            return known[1]
        meta = ObjectMeta(namespace=key[0], owner_references=(owner,))
        chain = await observe_owners(reader, self._discovery, meta)
        if not chain:  # gone, or not to be read just now: named, and looked for again the next time
            return Owner(owner.kind, owner.name)
        last = chain[-1]
        above = controller_of(last.metadata)  # named, though it may not be read or is gone
        top = Owner(above.kind, above.name) if above else Owner(last.kind or owner.kind, last.metadata.name)
        while len(self._tops) >= _MOST_KNOWN:
            self._tops.pop(next(iter(self._tops)))
        self._tops[key] = (self._clock(), top)
        return top

    def _listed(self, namespace: str) -> dict[str, OwnerReference | None]:
        known = self._lists.get(namespace)
        return known.controllers if known is not None and self._clock() - known.at < LISTED else {}

    async def _list(self, reader: Reader, namespace: str, wanted: Sequence[str]) -> dict[str, OwnerReference | None]:
        controllers: dict[str, OwnerReference | None] = {}
        same: dict[OwnerReference | None, OwnerReference | None] = {}
        async with aclosing(reader.metadata(PODS, namespace=namespace, query=PENDING)) as pages:
            async for page in pages:
                for meta in (item.metadata for item in page):
                    owner = controller_of(meta)
                    controllers[meta.name] = same.setdefault(owner, owner)
                if len(controllers) >= MOST_PODS:
                    break
        self._keep(namespace, controllers)
        return {name: controllers[name] for name in wanted if name in controllers}

    def _keep(self, namespace: str, controllers: dict[str, OwnerReference | None]) -> None:
        self._lists.pop(namespace, None)
        while len(self._lists) >= _MOST_LISTS:
            self._lists.pop(next(iter(self._lists)))
        self._lists[namespace] = _List(self._clock(), controllers)


def _key(namespace: str, owner: OwnerReference) -> _Key:
    return namespace, owner.api_version, owner.kind, owner.name


def _owned(
    name: str, owner: OwnerReference | None, tops: Mapping[tuple[str, str, str], Owner], namespace: str
) -> Owned:
    if owner is None:
        return Owned(Owner("Pod", name))
    return Owned(tops[namespace, owner.kind, owner.name], owner.name if owner.kind == "Job" else "")
