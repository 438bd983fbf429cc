"""Slack's limits, and the accounts that keep every message inside them: what does not fit is counted, never lost.

Limits: docs.slack.dev, reference/block-kit (blocks, composition objects) and reference/methods/chat.update.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bot.model.diagnosis import Json
from bot.playbooks import Line, LineKind, cut, mrkdwn, plain, shortened

Block = dict[str, Json]

SECTION: Final = 3_000  # characters of a section's text; of a context element's too
BUTTON: Final = 75  # characters on a button
VALUE: Final = 2_000  # characters of a button's value
MODAL_TITLE: Final = 24  # characters of a modal's title and of its close button
TEXT: Final = 4_000  # chat.update refuses a longer top-level text
MESSAGE_BLOCKS: Final = 50
MODAL_BLOCKS: Final = 100
MESSAGE: Final = 12_000  # characters over all blocks; Slack's undocumented msg_blocks_too_long begins near 13,200
MODAL: Final = 18_000  # a view may have 250,000 bytes, and JSON spends up to twelve on a character
_NOTHING: Final = "—"

More = Callable[[int], Line]
"""The sentence that says how many were left out."""


def text_object(line: Line, most: int = SECTION) -> Block:
    """A line as mrkdwn that Slack makes no links of."""
    return _mrkdwn_object(mrkdwn(cut(line, most)))


def _mrkdwn_object(text: str) -> Block:
    return {"type": "mrkdwn", "text": text if text.strip() else _NOTHING, "verbatim": True}


def plain_object(text: str, most: int = SECTION) -> Block:
    """Words from outside, or a label: Slack parses nothing in it."""
    return {"type": "plain_text", "text": shortened(text.strip(), most) or _NOTHING, "emoji": False}


def section(lines: Sequence[Line], more: More, most: int = SECTION) -> Block:
    """Lines below each other in one section of at most `most` characters."""
    return {"type": "section", "text": _mrkdwn_object("\n".join(fitting(lines, more, most, as_mrkdwn)))}


def as_mrkdwn(line: Line) -> str:
    """A line with its bullet, in Slack's mrkdwn (which has no lists)."""
    return f"• {mrkdwn(line)}" if line.kind is LineKind.BULLET else mrkdwn(line)


def as_plain(line: Line) -> str:
    """A line with its bullet, without markup."""
    return f"• {plain(line)}" if line.kind is LineKind.BULLET else plain(line)


def fitting(lines: Sequence[Line], more: More, most: int, written: Callable[[Line], str]) -> list[str]:
    """As many lines as fit into `most` characters, each written, with line ends counted; then how many more.

    Where they do not all fit, none of several lines takes more than a quarter: a log line must not push out what follows it.
    """
    whole = [written(line) for line in lines]
    if sum(map(len, whole)) + len(whole) - 1 <= most:
        return whole
    longest = most if len(lines) == 1 else most // 4
    taken: list[str] = []
    used = 0
    for index, line in enumerate(lines):
        rest = written(more(len(lines) - index))
        room = most - used - (len(rest) + 1 if index < len(lines) - 1 else 0)
        text = written(cut(line, min(longest, room - 1) if not taken else longest, written))
        if len(text) + 1 > room:
            if taken and used + len(rest) <= most:
                taken.append(rest)
            break
        taken.append(text)
        used += len(text) + 1
    return taken


def characters(value: Json) -> int:
    """What Slack counts of a block: the characters of every `text` at any depth."""
    if isinstance(value, dict):
        return sum(
            len(inner) if name == "text" and isinstance(inner, str) else characters(inner)
            for name, inner in value.items()
        )
    return sum(map(characters, value)) if isinstance(value, list) else 0


class Budget:
    """An account of blocks and characters for one message or modal."""

    def __init__(self, *, blocks: int, characters: int) -> None:
        self.taken: list[Block] = []
        self._blocks = blocks
        self._characters = characters

    def take(self, block: Block) -> bool:
        """Adds a block if the account still covers it."""
        cost = characters(block)
        if len(self.taken) >= self._blocks or cost > self._characters:
            return False
        self.taken.append(block)
        self._characters -= cost
        return True

    def take_all(self, groups: Iterable[Sequence[Block]], more: More) -> None:
        """Adds groups of blocks, each whole or not at all, keeping room to say how many did not fit."""
        pending = list(groups)
        for index, group in enumerate(pending):
            rest: Block = {"type": "context", "elements": [text_object(more(len(pending) - index))]}
            last = index == len(pending) - 1
            cost = sum(map(characters, group)) + (0 if last else characters(rest))
            count = len(group) + (0 if last else 1)
            if len(self.taken) + count > self._blocks or cost > self._characters:
                self.take(rest)
                return
            self.taken.extend(group)
            self._characters -= sum(map(characters, group))
