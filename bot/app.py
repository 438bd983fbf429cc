"""THE composition root: builds the adapters, walks one question through the rooms, decides nothing itself.

A question walks: a source observes a World, AWS adds its facts, `catalogues` add instance types, `diagnose` decides,
`patched` makes remedies concrete. Words come last and elsewhere.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import structs

from bot.catalogues import Catalogues
from bot.diagnosis import WOULD_LAUNCH, diagnose, never_created
from bot.diagnosis.pods import requests_of
from bot.model.diagnosis import Diagnosis, Verdict, Waiting
from bot.model.ec2 import Ec2Facts
from bot.model.kubernetes import Pod
from bot.model.labels import GPU_RESOURCES, SPOT
from bot.model.quantities import ZERO
from bot.model.world import World
from bot.remediation.patches import patched
from bot.sources.aws import Account
from bot.sources.cluster import Cluster
from bot.sources.ec2 import Ec2, Ec2Question
from bot.sources.ec2_calls import FACTS
from bot.sources.eks import EksCluster
from bot.sources.errors import PodNotFound
from bot.sources.karpenter_side import LOG, Installation
from bot.sources.kube_api import KubeConnection, open_connection
from bot.sources.mirror import Mirror
from bot.sources.pod_search import PodQuestion, find_pod
from bot.sources.regions import region_of
from bot.sources.snapshot import read_snapshot
from bot.telemetry.measures import stage

Clock = Callable[[], datetime]
Past = Callable[[World], Awaitable[World]]
"""Adds to a World what is remembered of its cluster."""
FEW_NODES: Final = 200
"""Up to so many nodes it is worth reading what runs on them, to say that the pod fits one."""


def wall_clock() -> datetime:
    """Now, in UTC: the one place where the bot's decisions get their time from."""
    return datetime.now(UTC)  # noqa: TID251 (the clock comes into the World here, and nowhere else)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A diagnosis and the milliseconds that it took from question to answer."""

    diagnosis: Diagnosis
    elapsed_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How one cluster is reached: a kubeconfig context, EKS's name, or the pod's own account; a region, an AWS role."""

    context: str = ""
    kubeconfig: str = ""
    in_cluster: bool = False
    eks: str = ""
    region: str = ""
    account: Account = field(default_factory=Account)
    installation: Installation = field(default_factory=Installation)


def decided(world: World, pod: Pod, catalogues: Catalogues) -> Diagnosis:
    """The decision about one pod of an observed World, its remedies made concrete."""
    whole = catalogues.of(world)
    found = diagnose(whole, pod)
    remedies = tuple(patched(whole, pod, remedy) for remedy in found.remedies)
    return replace(found, remedies=remedies, waiting=waiting(pod))


def waiting(pod: Pod) -> Waiting | None:
    """Since when a pod without a node waits, and with how many GPUs' worth of work."""
    since = pod.metadata.creation_timestamp
    if since is None or pod.spec.node_name:
        return None
    asked = requests_of(pod.spec)
    return Waiting(since=since, gpus=sum(asked.get(name, ZERO).whole for name in GPU_RESOURCES))


def answer_from_snapshot(folder: Path, question: PodQuestion, catalogues: Catalogues | None = None) -> Answered:
    """Answers from a recorded cluster. Raises SnapshotError, PodNotFound, SeveralPods."""
    started = time.perf_counter()
    world = read_snapshot(folder, wall_clock())
    try:
        pod = find_pod(world, question)
    except PodNotFound:
        unmade = never_created(world, question.name, question.namespace)
        if unmade is None:
            raise
        return Answered(diagnosis=unmade, elapsed_ms=(time.perf_counter() - started) * 1000)
    diagnosis = decided(world, pod, catalogues or Catalogues())
    return Answered(diagnosis=diagnosis, elapsed_ms=(time.perf_counter() - started) * 1000)


async def connect(place: Place) -> KubeConnection:
    """A connection to the place's cluster; nothing is sent yet. Raises ClusterUnreachable."""
    eks = EksCluster(name=place.eks, region=place.region, account=place.account) if place.eks else None
    return await open_connection(
        kubeconfig=place.kubeconfig, context=place.context, in_cluster=place.in_cluster, eks=eks
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A cluster that stays connected. Questions go to `cluster`; whoever wants to be told of changes asks `mirror`."""

    connection: KubeConnection
    mirror: Mirror
    cluster: Cluster

    async def close(self) -> None:
        await self.mirror.close()
        await self.connection.close()


async def stay_connected(place: Place, name: str = "") -> Connected:
    """A connection for many questions: what all of them need is watched from the first on. Raises ClusterUnreachable."""
    connection = await connect(place)
    mirror = Mirror(connection)
    cluster = Cluster(connection, name=name or place.context, installation=place.installation, standing=mirror)
    return Connected(connection=connection, mirror=mirror, cluster=cluster)


async def observed(cluster: Cluster, ec2: Ec2, place: Place, question: PodQuestion, clock: Clock) -> tuple[World, Pod]:
    """The pod and everything that bears on it, EC2's facts included. Raises the SourceErrors."""
    with stage("observe"):
        pod = await cluster.observe_pod(question)
        world = await cluster.observe_world(pod, clock())
    return await with_ec2(world, ec2, place), pod


async def with_ec2(world: World, ec2: Ec2, place: Place) -> World:
    """The World with EC2's facts about its region and subnets."""
    subnets = frozenset(s.id for c in world.node_classes for s in c.status.subnets)
    region = region_of(world, place.region)
    with stage("ec2"):
        facts = await ec2.observe_ec2(Ec2Question(region=region, account=place.account, subnet_ids=subnets))
    return replace(world, ec2=facts.facts, ec2_ages=facts.ages, missing=(*world.missing, *facts.missing))


async def with_blocks(world: World, ec2: Ec2, place: Place, instance_types: frozenset[str]) -> World:
    """The World with the Capacity Blocks of these types that are for sale; unchanged where none of them is sold so."""
    fact = "capacity_blocks"
    question = Ec2Question(region=region_of(world, place.region), account=place.account, instance_types=instance_types)
    seen = await ec2.observe_ec2(replace(question, also=frozenset({fact}), leave_out=FACTS - {fact}))
    if not seen.facts.capacity_blocks and not seen.missing:
        return world
    return replace(
        world,
        ec2=structs.replace(world.ec2, capacity_blocks=seen.facts.capacity_blocks),
        ec2_ages={**world.ec2_ages, **seen.ages},
        missing=tuple(dict.fromkeys((*world.missing, *seen.missing))),
    )


async def observed_nodepools(place: Place, clock: Clock = wall_clock) -> World:
    """NodePools, their classes and nodes, and EC2's facts: what there is without a pod. Raises the SourceErrors."""
    ec2 = Ec2()
    try:
        async with await connect(place) as api:
            cluster = Cluster(api, name=place.context, installation=place.installation)
            return await with_ec2(await cluster.observe_nodepools(clock()), ec2, place)
    finally:
        ec2.close()


def price_of(facts: Ec2Facts, instance_type: str, zone: str, capacity_type: str) -> float | None:
    """What an instance costs an hour, as EC2 tells it now; None where it was not read."""
    if capacity_type == SPOT:
        fitting = (instance_type, zone)
        spot = [p for p in facts.spot_prices or () if (p.instance_type, p.availability_zone) == fitting and p.timestamp]
        newest = max(spot, key=lambda p: p.timestamp or datetime.min.replace(tzinfo=UTC), default=None)
        return float(newest.spot_price) if newest else None
    prices = (p.price_per_hour for p in facts.on_demand_prices or () if p.instance_type == instance_type)
    return next(prices, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What questions share: AWS with its caches, and the catalogues worked out from its facts."""

    ec2: Ec2
    catalogues: Catalogues


async def diagnosis_of(
    cluster: Cluster,
    shared: Shared,
    place: Place,
    question: PodQuestion,
    clock: Clock = wall_clock,
    past: Past | None = None,
) -> Diagnosis:
    """One live question from beginning to end, `past` added to what is seen. Raises the SourceErrors.

    Deciding is computing, so it runs in a thread: the event loop goes on acknowledging what comes in.
    """
    try:
        world, pod = await observed(cluster, shared.ec2, place, question, clock)
    except PodNotFound:
        unmade = never_created(await cluster.observe_unmade(question, clock()), question.name, question.namespace)
        if unmade is None:
            raise
        return unmade
    world = await past(world) if past else world
    with stage("decide"):
        diagnosis = await asyncio.to_thread(decided, world, pod, shared.catalogues)
    would_launch = diagnosis.verdict is Verdict.LAUNCHABLE or diagnosis.reason in WOULD_LAUNCH
    tried = _out_of_stock(diagnosis)
    if tried:
        # asked for only where stock is the problem: what could be bought instead
        world = await with_blocks(world, shared.ec2, place, tried)
        diagnosis = replace(diagnosis, missing=world.missing)
        if world.ec2.capacity_blocks:
            diagnosis = await asyncio.to_thread(decided, world, pod, shared.catalogues)
    if diagnosis.verdict is Verdict.LAUNCHABLE and any(gap.what == LOG for gap in world.missing):
        # without its log, only Karpenter's metrics tell what it leaves out for the moment
        world = await cluster.observe_unavailable(world)
        diagnosis = await asyncio.to_thread(decided, world, pod, shared.catalogues)
        would_launch = would_launch and diagnosis.verdict is Verdict.LAUNCHABLE
    if would_launch and 0 < len(world.nodes) <= FEW_NODES:
        # Karpenter looks at the nodes that are there first; what runs on them is only read when that may be the answer.
        world = await cluster.observe_placements(world)
        diagnosis = await asyncio.to_thread(decided, world, pod, shared.catalogues)
    return diagnosis


def _out_of_stock(diagnosis: Diagnosis) -> frozenset[str]:
    """The types that EC2 had none of, where that is what the pod waits for."""
    causes = [c for c in diagnosis.causes if c.id == "capacity-unavailable"]
    named = (one.facts.get("instance_types") for one in causes)
    return frozenset(name for names in named if isinstance(names, tuple) for name in names if isinstance(name, str))


async def prepare(cluster: Cluster, shared: Shared, place: Place, clock: Clock = wall_clock) -> None:
    """Reads what does not depend on a pod, so that the first question finds it: watches, EC2's facts, instance types.

    Raises the SourceErrors.
    """
    world = await with_ec2(await cluster.observe_nodepools(clock()), shared.ec2, place)
    await asyncio.to_thread(shared.catalogues.of, world)


async def answer_live(place: Place, question: PodQuestion, clock: Clock = wall_clock) -> Answered:
    """Answers from a live cluster, once, and closes every connection. Raises the SourceErrors."""
    started = time.perf_counter()
    shared = Shared(ec2=Ec2(), catalogues=Catalogues())
    try:
        async with await connect(place) as api:
            cluster = Cluster(api, name=place.context, installation=place.installation)
            diagnosis = await diagnosis_of(cluster, shared, place, question, clock)
    finally:
        shared.ec2.close()
    return Answered(diagnosis=diagnosis, elapsed_ms=(time.perf_counter() - started) * 1000)
