"""`karpenter-bot instance-types`: what Karpenter makes of EC2's instance types for one EC2NodeClass."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from msgspec import structs

from bot import app
from bot.catalogues import Catalogues
from bot.commands.arguments import UsageError, add_source, place_of
from bot.commands.output import ANSWERED, print_json
from bot.instance_listing import UnknownNodeClassError, as_json, as_table, chosen_class, matching
from bot.model.ec2 import Ec2Facts
from bot.model.world import World
from bot.sources.errors import SnapshotError
from bot.sources.snapshot import read_snapshot

_BEARING: Final = (
    ("offerings", "zones are not known: a type counts as offered in each"),
    ("spot_prices", "spot prices are not known"),
    ("on_demand_prices", "on-demand prices are not known"),
)
"""Facts that offerings rest on, and what is the matter without them."""


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("types", metavar="TYPE", nargs="*", help="only types of these names; `p5*` takes all that fit")
    parser.add_argument(
        "--nodeclass", metavar="NAME", default="", help="which EC2NodeClass; needed if there are several"
    )
    add_source(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Resolves and lists. Raises UsageError, SourceError, SnapshotError."""
    world = _observed(arguments)
    if world.ec2.instance_types is None:
        why = next((str(gap) for gap in world.missing if "instance types" in gap.what), "not read")
        raise SnapshotError(f"no instance types to list: {why}")
    try:
        node_class = chosen_class(world.node_classes, arguments.nodeclass)
    except UnknownNodeClassError as error:
        raise UsageError(str(error)) from error
    found = matching(Catalogues().of_class(world, node_class), arguments.types)
    if arguments.types and not found:
        raise UsageError(f"no instance type fits {' or '.join(arguments.types)}")
    for gap in _gaps(world.ec2):
        print(f"karpenter-bot: {gap}", file=sys.stderr)
    if arguments.output == "json":
        print_json(as_json(found))
    else:
        print("\n".join(as_table(found)))
    return ANSWERED


def _observed(arguments: argparse.Namespace) -> World:
    if arguments.snapshot is None:
        return asyncio.run(app.observed_nodepools(place_of(arguments)))
    world = read_snapshot(arguments.snapshot, app.wall_clock())
    told = world.ec2.region or arguments.region
    return replace(world, ec2=structs.replace(world.ec2, region=told))


def _gaps(ec2: Ec2Facts) -> Iterator[str]:
    return (words for name, words in _BEARING if getattr(ec2, name) is None)
