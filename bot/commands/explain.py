"""`karpenter-bot explain`: what a pasted text of Karpenter's proves, without a cluster."""

import argparse
from pathlib import Path

from bot import app, explaining, packaged
from bot.commands.arguments import add_words
from bot.commands.output import ANSWERED, print_json, print_rendered
from bot.contract import explanation_as_json
from bot.playbooks import need_lines, plain, render_explanation


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default=explaining.STDIN, help="`-`, or none: standard input"
    )
    facts = parser.add_mutually_exclusive_group()
    facts.add_argument("--snapshot", metavar="DIR", type=Path, help="a recorded cluster, for EC2's facts in it")
    facts.add_argument("--region", default="", help="the region whose EC2 is asked; without it the text stands alone")
    add_words(parser, outputs=("text", "json"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Reads, explains, shows. Raises OSError, SnapshotError."""
    found = explaining.explained(
        arguments.file, snapshot=arguments.snapshot, region=arguments.region, clock=app.wall_clock
    )
    playbooks = packaged.load_playbooks(tuple(arguments.playbooks))
    phrases = playbooks.phrases(arguments.lang)
    rendered = render_explanation(found.explanation, playbooks, arguments.lang)
    if arguments.output == "json":
        needs = [plain(line) for line in need_lines(found.explanation.needs, phrases)]
        print_json(explanation_as_json(found.explanation, rendered, needs, found.missing))
    else:
        print_rendered(rendered, phrases)
    return ANSWERED
