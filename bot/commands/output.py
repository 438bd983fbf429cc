"""Answers on standard output, and the exit codes that go with them."""

import os
import sys
from typing import Final

import orjson

from bot.model.diagnosis import Json
from bot.playbooks import Phrases, Rendered
from bot.playbooks.sheet import Sheet
from bot.slack.blocks import Message
from bot.terminal import render_sheet, render_text

ANSWERED: Final = 0
BAD_INPUT: Final = 2
NO_POD: Final = 3
UNREACHABLE: Final = 4


def print_json(value: Json) -> None:
    """One JSON document, indented."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.flush()


def print_rendered(rendered: Rendered, phrases: Phrases) -> None:
    """An answer as text, in colour where a person looks."""
    print(render_text(rendered, phrases, colour=coloured()))


def print_sheet(sheet: Sheet, phrases: Phrases) -> None:
    """A table as text."""
    print(render_sheet(sheet, phrases, colour=coloured()), end="")


def print_slack(message: Message) -> None:
    """A message as Slack would get it."""
    print_json({"text": message.text, "blocks": list(message.blocks)})


def coloured() -> bool:
    """Whether standard output takes colours (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
