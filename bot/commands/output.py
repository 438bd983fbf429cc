"""Answers on standard output, and the exit codes that go with them.

Every command imports this, `--help` too, so what only some answers need is imported with them.
"""

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bot.model.diagnosis import Json
    from bot.playbooks import Phrases, Rendered
    from bot.playbooks.sheet import Sheet
    from bot.slack.blocks import Message

ANSWERED: Final = 0
BAD_INPUT: Final = 2
NO_POD: Final = 3
UNREACHABLE: Final = 4


def print_json(value: "Json") -> None:
    """One JSON document, indented."""
    import orjson  # noqa: PLC0415 (see above)

    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.flush()


def print_rendered(rendered: "Rendered", phrases: "Phrases") -> None:
    """An answer as text, in colour where a person looks."""
    from bot.terminal import render_text  # noqa: PLC0415 (see above)

    print(render_text(rendered, phrases, colour=coloured()))


def print_sheet(sheet: "Sheet", phrases: "Phrases") -> None:
    """A table as text."""
    from bot.terminal import render_sheet  # noqa: PLC0415 (see above)

    print(render_sheet(sheet, phrases, colour=coloured()), end="")


def print_slack(message: "Message") -> None:
    """A message as Slack would get it."""
    print_json({"text": message.text, "blocks": list(message.blocks)})


def coloured() -> bool:
    """Whether standard output takes colours (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
