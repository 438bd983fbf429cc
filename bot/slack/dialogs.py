"""The door's own messages and modals besides the answer: a choice of pods, a modal with a few sentences, plain forms."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.model.diagnosis import Json
from bot.playbooks import Line, Phrases, clean, value_line
from bot.slack.blocks import WHY, Message, button, notice
from bot.slack.budget import MODAL_TITLE, SECTION, VALUE, Block, plain_object, section, text_object
from bot.slack.evidence import EVIDENCE_VIEW
from bot.slack.questions import Why, question_text
from bot.slack.services import Choose

MOST_SHOWN: Final = 20
_NAME: Final = 63 + 1 + 253
"""Characters of namespace/name; Kubernetes has no longer ones."""


def choice(choose: Choose, question: Why, phrases: Phrases) -> Message:
    """Several pods fit: the first ones with a button each, whose value is the whole question, and how many more."""
    shown = choose.candidates[:MOST_SHOWN]
    title = phrases.line("slack.candidates", asked=choose.asked, count=choose.total)
    blocks: list[Block] = [{"type": "section", "text": text_object(title)}]
    lines = [title]
    for candidate in shown:
        exact = replace(question, pod=candidate.name, namespace=candidate.namespace)
        name = clean(exact.asked, _NAME)
        block: Block = {"type": "section", "text": plain_object(name)}
        if len(value := question_text(exact)) <= VALUE:
            block["accessory"] = button(phrases.text("slack.why"), action=WHY, value=value)
        blocks.append(block)
        lines.append(value_line(name))
    if choose.total > len(shown):
        more = phrases.line("more.candidates", count=choose.total - len(shown))
        blocks.append({"type": "context", "elements": [text_object(more)]})
        lines.append(more)
    return Message(text=notice(lines, phrases), blocks=tuple(blocks))


def simpler(message: Message) -> Message:
    """The same in nothing but sections and buttons, for a workspace that refuses some block."""
    blocks: list[Block] = [_section(part) for part in _parts(message.text)]
    blocks += [block for block in message.blocks if block.get("type") == "actions"]
    return Message(text=message.text, blocks=tuple(blocks))


def note_modal(lines: Sequence[Line], phrases: Phrases) -> dict[str, Json]:
    """A modal with a few sentences: that the evidence is on its way, or why there is none."""
    return _modal([section(lines, lambda count: phrases.line("more.lines", count=count))], phrases)


def plain_modal(text: str, phrases: Phrases) -> dict[str, Json]:
    """A modal with an escaped text, for a workspace that refuses the blocks of the evidence."""
    return _modal([_section(part) for part in _parts(text)], phrases)


def _modal(blocks: Sequence[Block], phrases: Phrases) -> dict[str, Json]:
    return {
        "type": "modal",
        "callback_id": EVIDENCE_VIEW,
        "title": plain_object(phrases.text("slack.evidence-title"), MODAL_TITLE),
        "close": plain_object(phrases.text("slack.close"), MODAL_TITLE),
        "blocks": list(blocks),
    }


def _section(escaped: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": escaped, "verbatim": True}}


def _parts(text: str) -> list[str]:
    """The text in pieces that a section takes, broken at line ends where there is one."""
    parts: list[str] = []
    rest = text.strip() or "—"
    while len(rest) > SECTION:
        at = rest.rfind("\n", 1, SECTION)
        at = at if at > 0 else SECTION
        parts.append(rest[:at])
        rest = rest[at:].strip()
    return [*parts, rest] if rest else parts
