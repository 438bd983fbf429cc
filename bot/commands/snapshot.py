"""`karpenter-bot snapshot`: records what bears on a pod in a folder of plain files."""

import argparse
import asyncio
from pathlib import Path

from bot import recording
from bot.commands.arguments import UsageError, add_cluster, place_of
from bot.commands.output import ANSWERED
from bot.market import UnknownName
from bot.sources.pod_search import PodQuestion


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("pod", metavar="[NAMESPACE/]POD")
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    parser.add_argument("-n", "--namespace", default="")
    parser.add_argument(
        "--offerings",
        action="append",
        default=[],
        metavar="TYPE|FAMILY",
        help="also what `offerings` tells of it: spot prices of a day, placement scores, Capacity Blocks (repeatable)",
    )
    add_cluster(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Reads and writes. Raises SourceError, SnapshotError, UsageError for a name that is no type and no family."""
    question = PodQuestion.parse(arguments.pod, arguments.namespace)
    names = tuple(arguments.offerings)
    try:
        written = asyncio.run(recording.record(place_of(arguments), question, arguments.folder, names))
    except UnknownName as error:
        raise UsageError(str(error)) from error
    print(f"{written}: what bears on the pod, no Secrets. Look it over before you share it.")
    return ANSWERED
