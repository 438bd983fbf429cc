"""A cluster at a glance: what waits for a node and why, one pod of each workload asked about, and its NodePools."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot import app
from bot.model.diagnosis import Diagnosis
from bot.model.karpenter import NodePool
from bot.sources.errors import ClusterUnreachable, NotPermitted, PodNotFound, ReadFailed, SeveralPods
from bot.sources.pod_search import PodQuestion
from bot.sources.reading import Reader
from bot.sources.resources import PENDING, PODS

MOST_WORKLOADS: Final = 12
MOST_PODS: Final = 20_000
_AT_ONCE: Final = 3
_GENERATED: Final = re.compile(r"(?:-[a-z0-9]{5,10}|-\d+)+$")
"""What controllers add to a workload's name for its pods: indexes, hashes, five random characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Pods that wait together: how many, what the first one is labelled, and the answer for it."""

    namespace: str
    name: str
    pod: str
    pods: int
    labels: Mapping[str, str]
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolGlance:
    """A NodePool: whether it is ready (None: it does not say), why not, and its limits as resource, used, limit, full."""

    name: str
    ready: bool | None
    why: str = ""
    limits: tuple[tuple[str, str, str, bool], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """`waiting` counts the pending pods, `looked` those of the workloads that are here."""

    at: datetime
    workloads: tuple[Workload, ...]
    waiting: int
    looked: int
    pools: tuple[PoolGlance, ...]


@dataclass(slots=True)
class _Group:
    """The pending pods of one workload: the first of them by name, and how many."""

    namespace: str
    name: str
    pod: str = ""
    count: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


async def overview(
    connected: app.Connected, shared: app.Shared, place: app.Place, clock: app.Clock = app.wall_clock
) -> Overview:
    """Looks at the cluster. Raises the SourceErrors."""
    cluster = connected.cluster
    groups = await _waiting(Reader(connected.connection))
    world = await cluster.observe_nodepools(clock())
    turns = asyncio.Semaphore(_AT_ONCE)

    async def asked(group: _Group) -> Workload | None:
        question = PodQuestion(name=group.pod, namespace=group.namespace)
        try:
            async with turns:
                diagnosis = await app.diagnosis_of(cluster, shared, place, question, clock)
        except (PodNotFound, SeveralPods):  # gone, or scheduled, meanwhile
            return None
        return Workload(
            namespace=group.namespace,
            name=group.name,
            pod=group.pod,
            pods=group.count,
            labels=group.labels,
            diagnosis=diagnosis,
        )

    first = sorted(groups, key=lambda group: (-group.count, group.namespace, group.name))[:MOST_WORKLOADS]
    looked = [one for one in await asyncio.gather(*map(asked, first)) if one]
    return Overview(
        at=world.now,
        workloads=tuple(looked),
        waiting=sum(group.count for group in groups),
        looked=sum(one.pods for one in looked),
        pools=tuple(map(_glance, world.node_pools)),
    )


async def _waiting(reader: Reader) -> Sequence[_Group]:
    """The pending pods by workload. Raises NotPermitted, ClusterUnreachable."""
    groups: dict[tuple[str, str], _Group] = {}
    seen = 0
    try:
        async with aclosing(reader.metadata(PODS, namespace="", query=PENDING)) as pages:
            async for page in pages:
                for meta in (item.metadata for item in page):
                    name = _GENERATED.sub("", meta.name) or meta.name
                    group = groups.setdefault((meta.namespace, name), _Group(meta.namespace, name))
                    group.count += 1
                    if not group.pod or meta.name < group.pod:
                        group.pod, group.labels = meta.name, meta.labels
                seen += len(page)
                if seen >= MOST_PODS:
                    break
    except ReadFailed as failure:
        if failure.status == 403:
            raise NotPermitted(f"no permission to read pods: {failure.message}") from failure
        raise ClusterUnreachable(f"the API server did not tell about the pods: {failure}") from failure
    return tuple(groups.values())


def _glance(pool: NodePool) -> PoolGlance:
    ready = next((c for c in pool.status.conditions if c.type == "Ready"), None)
    limits = []
    for resource, limit in pool.spec.limits.items():
        used = pool.status.resources.get(resource)
        full = used is not None and used >= limit
        limits.append((resource, str(used) if used is not None else "0", str(limit), full))
    return PoolGlance(
        name=pool.metadata.name,
        ready=None if ready is None or ready.status == "Unknown" else ready.status == "True",
        why=ready.message or ready.reason if ready and ready.status != "True" else "",
        limits=tuple(limits),
    )
