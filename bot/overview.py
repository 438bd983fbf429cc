"""A cluster at a glance: what waits for a node and why, one pod of each workload asked about, and its NodePools."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot import app
from bot.model.diagnosis import Diagnosis
from bot.model.karpenter import NodePool
from bot.sources.cluster import Cluster
from bot.sources.errors import PodNotFound, SeveralPods
from bot.sources.pod_search import PodQuestion

MOST_WORKLOADS: Final = 12
_AT_ONCE: Final = 3
_GENERATED: Final = re.compile(r"(?:-[a-z0-9]{5,10}|-\d+)+$")
"""What controllers add to a workload's name for its pods: indexes, hashes, five random characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Pods that wait together, and the answer for the first of them."""

    namespace: str
    name: str
    pods: tuple[str, ...]
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


async def overview(
    cluster: Cluster, shared: app.Shared, place: app.Place, clock: app.Clock = app.wall_clock
) -> Overview:
    """Looks at the cluster. Raises the SourceErrors."""
    found = await cluster.observe_candidates(PodQuestion(name=""))
    world = await cluster.observe_nodepools(clock())
    groups = _by_workload(found.names)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def asked(name: str, pods: Sequence[str]) -> Workload | None:
        namespace, _, pod = pods[0].partition("/")
        question = PodQuestion(name=pod, namespace=namespace)
        try:
            async with turns:
                diagnosis = await app.diagnosis_of(cluster, shared, place, question, clock)
        except (PodNotFound, SeveralPods):  # gone, or scheduled, meanwhile
            return None
        return Workload(namespace=namespace, name=name.partition("/")[2], pods=tuple(pods), diagnosis=diagnosis)

    first = sorted(groups.items(), key=lambda group: -len(group[1]))[:MOST_WORKLOADS]
    looked = [one for one in await asyncio.gather(*(asked(*group) for group in first)) if one]
    return Overview(
        at=world.now,
        workloads=tuple(looked),
        waiting=found.total,
        looked=sum(len(one.pods) for one in looked),
        pools=tuple(map(_glance, world.node_pools)),
    )


def _by_workload(pods: Sequence[str]) -> dict[str, list[str]]:
    """`namespace/workload` -> its pods, in order."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for pod in pods:
        groups[_GENERATED.sub("", pod) or pod].append(pod)
    return groups


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
