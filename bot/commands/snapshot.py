"""`karpenter-bot snapshot`: records what bears on a pod in a folder of plain files."""

import argparse
import asyncio
from pathlib import Path

from bot import app
from bot.commands.arguments import add_cluster, place_of
from bot.commands.output import ANSWERED
from bot.sources.pod_search import PodQuestion


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("pod", metavar="[NAMESPACE/]POD")
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    parser.add_argument("-n", "--namespace", default="")
    add_cluster(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Reads and writes. Raises SourceError, SnapshotError."""
    question = PodQuestion.parse(arguments.pod, arguments.namespace)
    written = asyncio.run(app.record(place_of(arguments), question, arguments.folder))
    print(f"{written}: what bears on the pod, no Secrets. Look it over before you share it.")
    return ANSWERED
