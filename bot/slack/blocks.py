"""Rendered answers -> Slack messages, inside Slack's limits by design.

A message says everything twice: in blocks, and in the top-level `text` that notifications and screen readers take
instead of the blocks. Words from outside stand in mrkdwn only escaped and with `verbatim`, or in plain text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from bot.model.diagnosis import Json
from bot.playbooks import (
    Line,
    Phrases,
    Rendered,
    RenderedRemedy,
    Span,
    clean,
    cut,
    escape,
    value_line,
)
from bot.playbooks.sheet import Chart
from bot.slack.budget import (
    BUTTON,
    MESSAGE,
    MESSAGE_BLOCKS,
    TEXT,
    VALUE,
    Block,
    Budget,
    More,
    as_plain,
    fitting,
    plain_object,
    section,
    text_object,
)

SHOW_EVIDENCE: Final = "show_evidence"
SHOW_FUNNEL: Final = "show_funnel"
WHY: Final = "why"
MOST_REMEDIES: Final = 5
MOST_CANDIDATES: Final = 10

_LOOKED_FOR: Final = re.compile(r"(?<=[a-z]):(?=//)|@(?=here|channel|everyone)", re.IGNORECASE)

# Characters that each part of an answer may take; together they stay below a message's 12,000.
_HEADLINE: Final = 600
_BECAUSE: Final = 2_400
_ALSO: Final = 1_000
_REMEDY: Final = 900
_CONTEXT: Final = 900
_REFERENCE: Final = 60
_SPOKEN: Final = 500  # a line of the top-level text: nobody listens to a longer one
_SPOKEN_CAUSES: Final = 3
_POD: Final = 320  # a namespace has at most 63 characters, a pod's name 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What chat.postMessage and chat.update are given, besides where; send with `parse="none"`, unfurling off."""

    text: str
    blocks: tuple[Block, ...] = ()
    chart: Chart | None = None
    """What the chart among the blocks shows, to be drawn where Slack does not take it."""

    def as_json(self) -> dict[str, Json]:
        """The arguments of the call, as plain data."""
        return {"text": self.text, "blocks": list(self.blocks)}


# -- the answer ----------------------------------------------------------------------------------------------------


def answer(
    rendered: Rendered,
    phrases: Phrases,
    *,
    evidence: str = "",
    brief: bool = False,
    reference: str = "",
    buttons: Sequence[Block] = (),
) -> Message:
    """The answer to `why`: headline, why, what would open a node, context, one button, the request's id if there is one.

    `evidence` is the button's value, an opaque reference of at most 2,000 characters (no button without it). `brief`
    is the form for alerts: headline and first remedy. `buttons` stand before it: what to do about the remedies.
    """
    budget = Budget(blocks=MESSAGE_BLOCKS - 2, characters=MESSAGE - BUTTON - _REFERENCE)
    budget.take({"type": "section", "text": text_object(rendered.headline, _HEADLINE)})
    budget.take({"type": "context", "elements": [text_object(rendered.about, _CONTEXT)]})
    if rendered.because and not brief:
        budget.take(section(rendered.because, _more(phrases, "lines"), _BECAUSE))
    for name, lines in (("timeline", rendered.timeline), ("shields", rendered.shields)):
        if lines and not brief:
            budget.take(section([_heading(phrases, name), *lines], _more(phrases, "lines"), _BECAUSE))
    if rendered.other_causes and not brief:
        budget.take(section(_also(rendered, phrases), _more(phrases, "causes"), _ALSO))
    budget.take_all(_remedies(rendered, phrases, brief=brief), _more(phrases, "remedies"))
    if not brief:
        budget.take_all(_context(rendered, phrases), _more(phrases, "lines"))
    elements = [*buttons, *(_looking_closer(rendered, phrases, evidence) if evidence else [])]
    if elements:
        budget.taken.append({"type": "actions", "elements": list(elements)})
    if reference:
        line = text_object(phrases.line("slack.request", id=reference), _REFERENCE)
        budget.taken.append({"type": "context", "elements": [line]})
    return Message(text=_answer_text(rendered, phrases, evidence=bool(evidence)), blocks=tuple(budget.taken))


def _more(phrases: Phrases, what: str) -> More:
    return lambda count: phrases.line(f"more.{what}", count=count)


def _bold(line: Line) -> Line:
    return Line(tuple(Span(span.text, bold=True, code=span.code, url=span.url) for span in line.spans))


def _text(text: str) -> Line:
    return Line((Span(text),))


def _heading(phrases: Phrases, name: str) -> Line:
    return _bold(phrases.line(f"heading.{name}"))


def _joined(*lines: Line) -> Line:
    return Line(tuple(chain.from_iterable(line.spans for line in lines)))


def _also(rendered: Rendered, phrases: Phrases) -> list[Line]:
    """The headlines of the other causes, in ordinary letters."""
    bullet = _text("• ")
    others = [_joined(bullet, _unbold(cause.headline)) for cause in rendered.other_causes]
    return [_heading(phrases, "also"), *others]


def _unbold(line: Line) -> Line:
    return Line(tuple(Span(span.text, code=span.code, url=span.url) for span in line.spans))


def _remedies(rendered: Rendered, phrases: Phrases, *, brief: bool) -> list[Sequence[Block]]:
    """A heading with the first remedy, then one group for each; what to check where there is no remedy."""
    more = _more(phrases, "lines")
    own = rendered.causes[0].remedies if rendered.causes else ()
    if own:
        return [[section([_bold(rendered.remedies_heading), *own], more, _BECAUSE)]]
    if not rendered.remedies:
        check = rendered.causes[0].check if rendered.causes and not brief else ()
        return [[section([_heading(phrases, "check"), *check], more, _BECAUSE)]] if check else []
    shown = rendered.remedies[: 1 if brief else MOST_REMEDIES]
    groups: list[Sequence[Block]] = [
        [section(_remedy(number, remedy), more, _REMEDY)] for number, remedy in enumerate(shown, 1)
    ]
    heading: Block = {"type": "section", "text": text_object(_bold(rendered.remedies_heading))}
    groups[0] = [heading, *groups[0]]
    left = len(rendered.remedies) - len(shown)
    if left:
        groups.append([{"type": "context", "elements": [text_object(_more(phrases, "remedies")(left))]}])
    return groups


def _remedy(number: int, remedy: RenderedRemedy) -> list[Line]:
    lines = [_bold(_joined(_text(f"{number}. "), remedy.summary)), remedy.opens]
    lines += [line for line in (remedy.where, remedy.why_not) if line]
    return [*lines, *remedy.cautions]


def _context(rendered: Rendered, phrases: Phrases) -> list[Sequence[Block]]:
    """Small print: the other NodePools, Karpenter's own words, what could not be read, notes."""
    groups: list[Sequence[Block]] = []
    for name, lines in (
        ("pools", [pool.line for pool in rendered.pools]),
        ("missing", list(rendered.missing)),
        ("notes", list(rendered.notes)),
        ("ages", [rendered.ages] if rendered.ages else []),
    ):
        if lines:
            more = _more(phrases, "pools" if name == "pools" else "lines")
            small = section([_heading(phrases, name), *lines], more, _CONTEXT)["text"]
            groups.append([{"type": "context", "elements": [small]}])
    if rendered.karpenter_says:
        said = rendered.karpenter_says[0]
        label = _joined(_heading(phrases, "says"), _text(" ("), said.label, _text(")"))
        words = plain_object(said.message, _CONTEXT)
        groups.insert(0, [{"type": "context", "elements": [text_object(label, _CONTEXT), words]}])
    return groups


def _looking_closer(rendered: Rendered, phrases: Phrases, value: str) -> list[Json]:
    """Buttons for those who want to know more: the evidence, and the funnel where there is one."""
    shown: list[Json] = [button(phrases.text("slack.show-evidence"), action=SHOW_EVIDENCE, value=value)]
    if rendered.funnel:
        shown.append(button(phrases.text("funnel.show"), action=SHOW_FUNNEL, value=value))
    return shown


def button(label: str, *, action: str, value: str) -> Block:
    """A button; `value` is an opaque reference. Raises ValueError when it is longer than Slack takes."""
    if len(value) > VALUE:
        raise ValueError(f"a button's value has at most {VALUE} characters")
    return {
        "type": "button",
        "action_id": action,
        "text": plain_object(label, BUTTON),
        "accessibility_label": plain_object(label, BUTTON)["text"],
        "value": value,
    }


def _answer_text(rendered: Rendered, phrases: Phrases, *, evidence: bool) -> str:
    """The whole answer without blocks: verdict, object, why, what to do, what was not read."""
    lines = [
        rendered.headline,
        rendered.about,
        *rendered.because,
        *rendered.nodes,
        *rendered.timeline,
        *rendered.shields,
    ]
    own = rendered.causes[0].remedies if rendered.causes else ()
    if own or rendered.remedies:
        lines += [rendered.remedies_heading, *own]
    if not own:
        shown = enumerate(rendered.remedies[:MOST_REMEDIES], 1)
        lines += chain.from_iterable(_remedy(number, remedy) for number, remedy in shown)
        left = len(rendered.remedies) - MOST_REMEDIES
        lines += [_more(phrases, "remedies")(left)] if left > 0 else []
    if rendered.causes and not own and not rendered.remedies:
        lines += rendered.causes[0].check
    others = rendered.other_causes
    lines += _also(rendered, phrases)[: _SPOKEN_CAUSES + 1] if others else []
    lines += [_more(phrases, "causes")(len(others) - _SPOKEN_CAUSES)] if len(others) > _SPOKEN_CAUSES else []
    lines += [phrases.line("slack.evidence-hint")] if evidence else []
    if rendered.missing:
        lines += [phrases.line("heading.missing"), *rendered.missing]
    return notice(lines, phrases)


def notice(lines: Sequence[Line], phrases: Phrases) -> str:
    """Lines as a message's top-level text: escaped, without links of anybody's making, at most 4,000 characters."""

    def written(line: Line) -> str:
        return defused(as_plain(line))

    short = [cut(line, _SPOKEN, written) for line in lines]
    return "\n".join(fitting(short, _more(phrases, "lines"), TEXT, written))


def defused(text: str) -> str:
    """Escaped for a text in which Slack looks for more than markup: a zero-width space disarms `https://` and `@here`."""
    return _LOOKED_FOR.sub("\\g<0>\u200b", escape(text))


# -- what else the bot says ----------------------------------------------------------------------------------------


def note(lines: Sequence[Line], phrases: Phrases) -> Message:
    """A few sentences: an error, a hint."""
    return Message(text=notice(lines, phrases), blocks=(section(lines, _more(phrases, "lines")),))


def progress(asked: str, phrases: Phrases) -> Message:
    """Posted at once, replaced by the answer."""
    return note([phrases.line("slack.progress", asked=asked)], phrases)


def error(key: str, phrases: Phrases, **values: object) -> Message:
    """A failure as an answer: the sentence `error.<key>` of the catalogue."""
    return note(phrases.lines(f"error.{key}", **values), phrases)


def help_message(command: str, phrases: Phrases) -> Message:
    """How to ask."""
    return note(phrases.lines("slack.help", command=command), phrases)


def candidates(asked: str, pods: Sequence[str], phrases: Phrases) -> Message:
    """Several pods fit what was asked: the first ten with a button each, and how many more there are.

    `pods` are `namespace/name`; the button's value is the name as given.
    """
    title = phrases.line("slack.candidates", asked=asked, count=len(pods))
    shown = [clean(pod, _POD) for pod in pods[:MOST_CANDIDATES]]
    blocks: list[Block] = [{"type": "section", "text": text_object(title, _HEADLINE)}]
    for pod in shown:
        choice = button(phrases.text("slack.why"), action=WHY, value=pod)
        blocks.append({"type": "section", "text": plain_object(pod), "accessory": choice})
    lines = [title, *map(value_line, shown)]
    if len(pods) > len(shown):
        rest = _more(phrases, "candidates")(len(pods) - len(shown))
        blocks.append({"type": "context", "elements": [text_object(rest)]})
        lines.append(rest)
    return Message(text=notice(lines, phrases), blocks=tuple(blocks))
