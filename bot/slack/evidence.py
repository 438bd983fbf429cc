"""The modal behind "Show evidence": fields, EC2 data and Karpenter's own lines, word for word.

Words from outside stand in rich text, which Slack parses for nothing: no link, no mention, no markup.
"""

from collections.abc import Sequence
from typing import Final

from bot.model.diagnosis import Json
from bot.playbooks import Line, Phrases, Rendered, RenderedCause, Span, plain, shortened
from bot.slack.budget import (
    MODAL,
    MODAL_BLOCKS,
    MODAL_TITLE,
    Block,
    Budget,
    More,
    plain_object,
    section,
)

EVIDENCE_VIEW: Final = "evidence"
_MOST_TEXT: Final = 1_500
_MOST_PREFORMATTED: Final = 2_000
_MOST_STATEMENTS: Final = 3


def evidence_modal(rendered: Rendered, phrases: Phrases) -> dict[str, Json]:
    """A modal for views.open: per cause where each condition is written and what to check; then what Karpenter said."""
    more = _more(phrases, "lines")
    rest = Budget(blocks=MODAL_BLOCKS // 2, characters=MODAL // 2)
    rest.take_all(_rest(rendered, phrases), more)
    causes = Budget(blocks=MODAL_BLOCKS // 2, characters=MODAL // 2)
    causes.take(section([rendered.headline, rendered.about], more))
    causes.take_all([_cause(cause, phrases) for cause in rendered.causes], _more(phrases, "causes"))
    return {
        "type": "modal",
        "callback_id": EVIDENCE_VIEW,
        "title": plain_object(phrases.text("slack.evidence-title"), MODAL_TITLE),
        "close": plain_object(phrases.text("slack.close"), MODAL_TITLE),
        "blocks": [*causes.taken, *rest.taken],
    }


def _more(phrases: Phrases, what: str) -> More:
    return lambda count: phrases.line(f"more.{what}", count=count)


def _cause(cause: RenderedCause, phrases: Phrases) -> Sequence[Block]:
    more = _more(phrases, "lines")
    blocks = [section([cause.headline], more, _MOST_TEXT)]
    words = [*map(str, cause.constraints), *cause.evidence]
    if words:
        blocks.append(_preformatted(words, more))
    if cause.check:
        blocks.append(section([_label(phrases, "check"), *cause.check], more, _MOST_TEXT))
    if cause.links:
        links = [Line((Span(link, url=link),)) for link in cause.links]
        blocks.append(section([_label(phrases, "links"), *links], more, _MOST_TEXT))
    return blocks


def _rest(rendered: Rendered, phrases: Phrases) -> list[Sequence[Block]]:
    more = _more(phrases, "lines")
    groups: list[Sequence[Block]] = []
    for one in rendered.karpenter_says[:_MOST_STATEMENTS]:
        label = Line((*_label(phrases, "says").spans, Span(" · "), *one.label.spans))
        groups.append([section([label], more), _preformatted([one.message], more)])
    for name, lines in (
        ("pools", [pool.line for pool in rendered.pools]),
        ("missing", list(rendered.missing)),
        ("notes", list(rendered.notes)),
        ("ages", [rendered.ages] if rendered.ages else []),
    ):
        if lines:
            groups.append([section([_label(phrases, name), *lines], more, _MOST_TEXT)])
    messages = [f"{pool.name}: {pool.karpenter_message}" for pool in rendered.pools if pool.karpenter_message]
    if messages:
        groups.append([_preformatted(messages, more)])
    return groups


def _label(phrases: Phrases, name: str) -> Line:
    return Line((Span(phrases.text(f"heading.{name}"), bold=True),))


def _preformatted(words: Sequence[str], more: More) -> Block:
    """Lines of untrusted words in a box of fixed width; what does not fit is counted."""
    taken: list[str] = []
    room = _MOST_PREFORMATTED
    for index, word in enumerate(words):
        if taken and len(word) + 1 > room:
            taken.append(plain(more(len(words) - index)))
            break
        taken.append(shortened(word, room))
        room -= len(taken[-1]) + 1
    box: Json = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "\n".join(taken) or "—"}]}
    return {"type": "rich_text", "elements": [box]}
