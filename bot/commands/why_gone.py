"""`karpenter-bot why-gone`: why a node went away, from a live cluster or a recorded one."""

import argparse
import asyncio

from bot import departing, packaged
from bot.commands.arguments import add_source, add_words, place_of
from bot.commands.output import ANSWERED, print_json, print_rendered, print_slack
from bot.contract import departure_as_json
from bot.playbooks import render_departure
from bot.slack.blocks import answer as slack_answer


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("name", metavar="NODE|NODECLAIM|[NAMESPACE/]POD", help="or the beginning of such a name")
    parser.add_argument("-n", "--namespace", default="", help="the pod's")
    add_source(parser)
    add_words(parser, outputs=("text", "json", "slack"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Asks and shows. Raises SourceError, SnapshotError, PodNotFound where nothing is known of such a name."""
    if arguments.snapshot is not None:
        found = departing.departure_from_snapshot(arguments.snapshot, arguments.name, arguments.namespace)
    else:
        found = asyncio.run(departing.departure_live(place_of(arguments), arguments.name, arguments.namespace))
    playbooks = packaged.load_playbooks(tuple(arguments.playbooks))
    rendered = render_departure(found, playbooks, arguments.lang)
    if arguments.output == "json":
        print_json(departure_as_json(found, rendered))
    elif arguments.output == "slack":
        print_slack(slack_answer(rendered, playbooks.phrases(arguments.lang)))
    else:
        print_rendered(rendered, playbooks.phrases(arguments.lang))
    return ANSWERED
