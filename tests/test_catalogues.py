"""What is kept of EC2's facts between questions: as much as questions need, whatever how often AWS is asked anew."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

from msgspec import structs

from bot.catalogues import KEPT, Catalogues
from bot.diagnosis.space import indexed
from bot.model.world import Catalogue, World
from tests.market.worlds import recorded


def refreshed(world: World) -> World:
    """The same facts, as a new answer of AWS's."""
    return replace(world, ec2=structs.replace(world.ec2, instance_types=(*(world.ec2.instance_types or ()),)))


def test_the_same_answer_of_aws_is_worked_out_once() -> None:
    catalogues, world = Catalogues(), recorded()
    first = catalogues.of(world).catalogues
    assert catalogues.of(replace(world, pods=())).catalogues == first
    assert indexed(first["gpu"]) is indexed(first["gpu"])


def test_what_aws_has_said_before_does_not_pile_up() -> None:
    catalogues, world = Catalogues(clusters=1), recorded()
    seen: list[weakref.ref[Catalogue]] = []
    for _ in range(KEPT + 4):
        found = catalogues.of(refreshed(world)).catalogues["gpu"]
        indexed(found)
        seen.append(weakref.ref(found))
        del found
    gc.collect()
    alive = [number for number, one in enumerate(seen) if one() is not None]
    assert alive == list(range(len(seen)))[-KEPT:]


def test_each_cluster_keeps_its_own() -> None:
    catalogues = Catalogues(clusters=2)
    here, there = recorded(), refreshed(recorded())
    first = catalogues.of(here).catalogues["gpu"], catalogues.of(there).catalogues["gpu"]
    for _ in range(3):
        assert (catalogues.of(here).catalogues["gpu"], catalogues.of(there).catalogues["gpu"]) == first
