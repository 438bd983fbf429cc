"""`karpenter-bot nodepools`: what each NodePool can launch, has launched, has left of its limits, and what went wrong."""

import argparse
import asyncio

from bot import markets, packaged
from bot.commands.arguments import add_source, add_words, place_of
from bot.commands.output import ANSWERED, print_json, print_sheet, print_slack
from bot.market import UnknownNodePool
from bot.market.contract import nodepools_as_json
from bot.market.pool_words import nodepools_sheet
from bot.slack.sheets import sheet_message
from bot.sources.errors import ObjectNotFound


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help="one NodePool, whole; none: all, in short")
    add_source(parser)
    add_words(parser, outputs=("text", "json", "slack"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Asks and shows. Raises ObjectNotFound, SourceError, SnapshotError."""
    try:
        if arguments.snapshot is not None:
            found = markets.nodepools_from_snapshot(arguments.snapshot, arguments.name)
        else:
            found = asyncio.run(markets.nodepools_live(place_of(arguments), arguments.name))
    except UnknownNodePool as error:
        raise ObjectNotFound(str(error)) from error
    if arguments.output == "json":
        print_json(nodepools_as_json(found.answer, found.ages, found.elapsed_ms))
        return ANSWERED
    phrases = packaged.load_playbooks(tuple(arguments.playbooks)).phrases(arguments.lang)
    sheet = nodepools_sheet(found.answer, phrases, found.ages, whole=bool(arguments.name))
    if arguments.output == "slack":
        print_slack(sheet_message(sheet, phrases))
    else:
        print_sheet(sheet, phrases)
    return ANSWERED
