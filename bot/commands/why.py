"""`karpenter-bot why`: why a pod has no node, from a live cluster or a recorded one."""

import argparse
import asyncio

from bot import app, packaged
from bot.commands.arguments import add_source, add_words, place_of
from bot.commands.output import ANSWERED, print_json, print_rendered, print_slack
from bot.contract import as_json
from bot.playbooks import Playbooks, render
from bot.playbooks.focus import focused
from bot.slack.blocks import answer as slack_answer
from bot.sources.pod_search import PodQuestion


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("pod", metavar="[NAMESPACE/]POD", help="a pod, the beginning of its name, or its owner's name")
    parser.add_argument("-n", "--namespace", default="")
    add_source(parser)
    add_words(parser, outputs=("text", "json", "slack"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Asks and shows. Raises SourceError, SnapshotError, PodNotFound, SeveralPods."""
    question = PodQuestion.parse(arguments.pod, arguments.namespace)
    if arguments.snapshot is not None:
        answered = app.answer_from_snapshot(arguments.snapshot, question)
    else:
        answered = asyncio.run(app.answer_live(place_of(arguments), question))
    _show(answered, packaged.load_playbooks(tuple(arguments.playbooks)), arguments)
    return ANSWERED


def _show(answered: app.Answered, playbooks: Playbooks, arguments: argparse.Namespace) -> None:
    if arguments.output == "json":
        everything = render(answered.diagnosis, playbooks, arguments.lang)
        print_json(as_json(answered.diagnosis, everything, answered.elapsed_ms))
        return
    phrases = playbooks.phrases(arguments.lang)
    rendered = render(focused(answered.diagnosis), playbooks, arguments.lang)
    if arguments.output == "slack":
        print_slack(slack_answer(rendered, phrases))
    else:
        print_rendered(rendered, phrases)
