"""`karpenter-bot offerings`: what EC2 has of an instance type or a family, where, at what price, and why not."""

import argparse
import asyncio
import os

from bot import markets, packaged
from bot.commands.arguments import UsageError, add_source, add_words, place_of
from bot.commands.output import ANSWERED, print_json, print_sheet, print_slack
from bot.market import UnknownName
from bot.market.contract import offerings_as_json
from bot.market.words import offerings_sheet
from bot.slack.sheets import sheet_message


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("name", metavar="TYPE|FAMILY", help="an instance type (p5.48xlarge) or a family (p5)")
    add_source(parser)
    add_words(parser, outputs=("text", "json", "slack"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Asks and shows. Raises UsageError for a name or region that is none, SourceError, SnapshotError."""
    # what only the environment says is no wish: the cluster's or the snapshot's own region goes before it
    region = arguments.region if arguments.region != os.environ.get("AWS_REGION") else ""
    try:
        if arguments.snapshot is not None:
            found = markets.offerings_from_snapshot(arguments.snapshot, arguments.name, region)
        else:
            found = asyncio.run(markets.offerings_live(place_of(arguments), arguments.name, region))
    except (UnknownName, markets.UnknownRegion) as error:
        raise UsageError(str(error)) from error
    if arguments.output == "json":
        print_json(offerings_as_json(found.table, found.ages, found.elapsed_ms))
        return ANSWERED
    phrases = packaged.load_playbooks(tuple(arguments.playbooks)).phrases(arguments.lang)
    sheet = offerings_sheet(found.table, phrases, found.ages)
    if arguments.output == "slack":
        print_slack(sheet_message(sheet, phrases))
    else:
        print_sheet(sheet, phrases)
    return ANSWERED
