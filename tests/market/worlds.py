"""Worlds for the EC2 room's tests: a recorded case of tests/cases, and what a test changes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from bot.catalogues import Catalogues
from bot.market import OfferingRow, OfferingsTable, asked_for, narrowed, offerings_table
from bot.model.ec2 import Ec2Facts, SpotPrice
from bot.model.world import World
from bot.sources.snapshot import read_snapshot

CASES: Final = Path(__file__).parents[1] / "cases"
REGION: Final = "ap-northeast-2"
_CATALOGUES: Final = Catalogues()


@cache
def recorded(case: str = "spot-just-refused") -> World:
    return read_snapshot(CASES / case, datetime(2026, 1, 1, tzinfo=UTC))


def with_ec2(world: World, **facts: Any) -> World:  # noqa: ANN401
    """The World with other EC2 facts."""
    return replace(world, ec2=structs.replace(world.ec2, **facts))


def table(world: World, name: str) -> OfferingsTable:
    asked = asked_for(name, world.ec2)
    catalogues = _CATALOGUES.of(narrowed(world, asked.instance_types)).catalogues
    return offerings_table(replace(world, catalogues=catalogues), asked)


def row(found: OfferingsTable, zone: str, capacity_type: str, name: str = "") -> OfferingRow:
    """The row of a zone, named by its letter."""
    [one] = [
        r
        for r in found.rows
        if (r.zone, r.capacity_type) == (f"{REGION}{zone}", capacity_type) and name in ("", r.instance_type)
    ]
    return one


def spot(name: str, letter: str, price: str, at: datetime, product: str = "Linux/UNIX") -> SpotPrice:
    return SpotPrice(
        instance_type=name,
        availability_zone=f"{REGION}{letter}",
        spot_price=price,
        product_description=product,
        timestamp=at,
    )


NOTHING: Final = Ec2Facts(region=REGION)
