"""`karpenter-bot snapshot`: a live question recorded as a folder of plain files, and what `offerings` adds on demand."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from msgspec import structs

from bot.app import Clock, Place, connect, observed, wall_clock
from bot.market import Asked, asked_for
from bot.model.world import World
from bot.sources.cluster import Cluster
from bot.sources.ec2 import Ec2, Ec2Observation, Ec2Question
from bot.sources.ec2_calls import FACTS
from bot.sources.pod_search import PodQuestion
from bot.sources.regions import region_of
from bot.sources.snapshot_writer import Recording, write_snapshot

RECORDED: Final = frozenset({"spot_history", "placement_scores", "capacity_blocks"})
"""What `offerings` asks for beyond every answer. The account's number is left out: a folder is made to be shared."""


async def record(
    place: Place, question: PodQuestion, folder: Path, names: Sequence[str] = (), clock: Clock = wall_clock
) -> Path:
    """Writes a snapshot folder with what bears on the pod. `names`: types and families that `offerings` will be asked about.

    Raises the SourceErrors, SnapshotError, UnknownName.
    """
    ec2 = Ec2()
    try:
        async with await connect(place) as api:
            recording = Recording(api)
            cluster = Cluster(recording, name=place.context, installation=place.installation)
            world, _ = await observed(cluster, ec2, place, question, clock)
            if names:
                asked = [asked_for(name, world.ec2) for name in names]
                world = await _with_extras(await cluster.observe_unavailable(world), ec2, place, asked)
            write_snapshot(folder, world, recording)
    finally:
        ec2.close()
    return folder


async def _with_extras(world: World, ec2: Ec2, place: Place, asked: Sequence[Asked]) -> World:
    """Name by name, for scores are given for all types of a question together. What is not permitted stays out."""
    region = region_of(world, place.region)

    async def seen_of(one: Asked) -> Ec2Observation:
        types = frozenset(one.instance_types)
        question = Ec2Question(region=region, account=place.account, instance_types=types, also=RECORDED)
        return await ec2.observe_ec2(replace(question, leave_out=FACTS - RECORDED))

    seen = await asyncio.gather(*map(seen_of, asked))
    found: dict[str, tuple[object, ...] | None] = {}
    for fact in RECORDED:
        parts = [part for one in seen if (part := getattr(one.facts, fact)) is not None]
        found[fact] = tuple(dict.fromkeys(row for part in parts for row in part)) if parts else None
    gaps = dict.fromkeys((*world.missing, *(gap for one in seen for gap in one.missing)))
    return replace(world, ec2=structs.replace(world.ec2, **found), missing=tuple(gaps))
