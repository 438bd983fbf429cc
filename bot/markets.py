"""`offerings` and `nodepools` from question to answer: a recorded cluster, a live one, or a region of EC2 alone."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from msgspec import structs

from bot.app import Clock, Place, Shared, connect, wall_clock
from bot.catalogues import Catalogues
from bot.market import Asked, NodePools, OfferingsTable, asked_for, narrowed, nodepool_views, offerings_table
from bot.model.ec2 import Ec2Facts
from bot.model.gaps import gap_in
from bot.model.world import World
from bot.sources.cluster import Cluster
from bot.sources.ec2 import Ec2, Ec2Question
from bot.sources.ec2_calls import EXTRAS, FACTS
from bot.sources.errors import ClusterUnreachable, CredentialsExpired, SourceError
from bot.sources.regions import is_region, partition_of, region_of
from bot.sources.snapshot import read_snapshot

_CLUSTER: Final = "nodes and NodePools"
_OF_REGION: Final = FACTS - {"offerings"}
"""What is left out while it is still open which types a family has."""


class UnknownRegion(SourceError):  # noqa: N818 (reads as what is the case)
    """What was named is no region. Carries `asked` and the nearest names."""

    def __init__(self, asked: str, near: tuple[str, ...]) -> None:
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"`{asked}` is not the name of an AWS region{hint}")
        self.asked, self.near = asked, near


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A table of offerings, how old what came out of a cache is (seconds, by fact), and what the answer took."""

    table: OfferingsTable
    ages: Mapping[str, float]
    elapsed_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Views of NodePools, and the same beside them."""

    answer: NodePools
    ages: Mapping[str, float]
    elapsed_ms: float


# -- recorded ------------------------------------------------------------------------------------------------------


def offerings_from_snapshot(folder: Path, name: str, region: str = "") -> Offered:
    """From a recorded cluster. Raises SnapshotError, UnknownName, UnknownRegion."""
    took = _stopwatch()
    world = read_snapshot(folder, wall_clock())
    if region and region != world.ec2.region:
        raise UnknownRegion(region, (world.ec2.region,) if world.ec2.region else ())
    table = _table(world, asked_for(name, world.ec2))
    return Offered(table=table, ages={}, elapsed_ms=took())


def nodepools_from_snapshot(folder: Path, name: str = "") -> Pooled:
    """From a recorded cluster. Raises SnapshotError, UnknownNodePool."""
    took = _stopwatch()
    world = Catalogues().of(read_snapshot(folder, wall_clock()))
    return Pooled(answer=nodepool_views(world, name), ages={}, elapsed_ms=took())


def _table(world: World, asked: Asked) -> OfferingsTable:
    """The table with catalogues of the types asked for: the whole region's would take ten times as long, and these are not
    worth keeping in its place.
    """
    few = Catalogues().of(narrowed(world, asked.instance_types)).catalogues
    return offerings_table(replace(world, catalogues=few), asked)


def _stopwatch() -> Callable[[], float]:
    """Milliseconds since it was made."""
    began = time.perf_counter()
    return lambda: (time.perf_counter() - began) * 1000


# -- live ----------------------------------------------------------------------------------------------------------


async def offerings_of(
    cluster: Cluster | None, shared: Shared, place: Place, name: str, region: str = "", clock: Clock = wall_clock
) -> Offered:
    """From EC2, with what the cluster makes of it. `cluster` None, or out of reach: EC2 alone, and a gap says so.

    Another region than the cluster's is answered by EC2 alone too. Raises UnknownName, UnknownRegion, SourceError where no
    region is known.
    """
    took = _stopwatch()
    check_region(region)
    world = await _cluster_world(cluster, clock, needed=not (region or place.region))
    own = region_of(world, place.region)
    chosen = region or own
    if not chosen:
        raise SourceError("the region is not known: name it with --region")
    if own and chosen != own:
        elsewhere = gap_in(_CLUSTER, "other-region", own=own, chosen=chosen)
        world = World(now=world.now, cluster=world.cluster, missing=(elsewhere,))
    question = Ec2Question(region=chosen, account=place.account)
    sold = await shared.ec2.observe_ec2(replace(question, leave_out=_OF_REGION))
    asked = asked_for(name, sold.facts)
    subnets = frozenset(s.id for c in world.node_classes for s in c.status.subnets)
    seen = await shared.ec2.observe_ec2(
        replace(
            question,
            instance_types=frozenset(asked.instance_types),
            subnet_ids=subnets,
            also=EXTRAS,
            leave_out=frozenset({"offerings", "spot_prices"}),
        )
    )
    facts = structs.replace(seen.facts, offerings=sold.facts.offerings, spot_prices=seen.facts.spot_history)
    world = replace(world, ec2=facts, missing=(*world.missing, *sold.missing, *seen.missing))
    table = await asyncio.to_thread(_table, world, asked)
    return Offered(table=table, ages={**sold.ages, **seen.ages}, elapsed_ms=took())


async def nodepools_of(
    cluster: Cluster, shared: Shared, place: Place, name: str = "", clock: Clock = wall_clock
) -> Pooled:
    """From a live cluster and its region's EC2. Raises UnknownNodePool, ClusterUnreachable, CredentialsExpired."""
    took = _stopwatch()
    world = await cluster.observe_nodepools(clock())
    nodepool_views(replace(world, ec2=Ec2Facts()), name)  # a wrong name is told before EC2 is asked
    subnets = frozenset(s.id for c in world.node_classes for s in c.status.subnets)
    region = region_of(world, place.region)
    seen = await shared.ec2.observe_ec2(Ec2Question(region=region, account=place.account, subnet_ids=subnets))
    world = replace(world, ec2=seen.facts, missing=(*world.missing, *seen.missing))
    answer = await asyncio.to_thread(lambda: nodepool_views(shared.catalogues.of(world), name))
    return Pooled(answer=answer, ages=seen.ages, elapsed_ms=took())


async def offerings_live(place: Place, name: str, region: str = "") -> Offered:
    """Once, and closes every connection. Raises as `offerings_of`."""
    shared = Shared(ec2=Ec2(), catalogues=Catalogues())
    try:
        async with await connect(place) as api:
            cluster = Cluster(api, name=place.context, installation=place.installation)
            return await offerings_of(cluster, shared, place, name, region)
    except ClusterUnreachable:
        if not (region or place.region):
            raise
        return await offerings_of(None, shared, place, name, region)
    finally:
        shared.ec2.close()


async def nodepools_live(place: Place, name: str = "") -> Pooled:
    """Once, and closes every connection. Raises as `nodepools_of`."""
    shared = Shared(ec2=Ec2(), catalogues=Catalogues())
    try:
        async with await connect(place) as api:
            cluster = Cluster(api, name=place.context, installation=place.installation)
            return await nodepools_of(cluster, shared, place, name)
    finally:
        shared.ec2.close()


def check_region(region: str) -> None:
    """Raises UnknownRegion for what has not the form of a region's name (a zone, a zone id, a city)."""
    if region and not is_region(region):
        raise UnknownRegion(region, near_regions(region))


def near_regions(region: str) -> tuple[str, ...]:
    """The regions most like it, as botocore lists them."""
    import botocore.session  # noqa: PLC0415 (slow, and only a wrong name needs it)

    known = botocore.session.Session().get_available_regions("ec2", partition_name=partition_of(region))
    return tuple(get_close_matches(region, known, n=2, cutoff=0.6))


async def _cluster_world(cluster: Cluster | None, clock: Clock, *, needed: bool) -> World:
    """NodePools, nodes and marks; a cluster that cannot be read costs them, and not the answer, where the region is known."""
    unread = gap_in(_CLUSTER, "no-cluster")
    if cluster is not None:
        try:
            return await cluster.observe_unavailable(await cluster.observe_nodepools(clock()))
        except (ClusterUnreachable, CredentialsExpired) as error:
            if needed:
                raise
            unread = gap_in(_CLUSTER, "cluster-silent", error=str(error))
    return World(now=clock(), missing=(unread,))
