"""The nodes of a job over time, below the answer to `why-gone`: Slack's chart and table, a picture where it takes none."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.diagnosis.lives import NodeLife
from bot.playbooks import Line, LineKind, Phrases, Span
from bot.playbooks.sheet import Chart, Grid, Series
from bot.slack.blocks import Message
from bot.slack.budget import MESSAGE_BLOCKS, Block, text_object
from bot.slack.sheets import chart_block, table_block

_LABEL: Final = 20
_ADDED: Final = 3


def lives_lines(lives: Sequence[NodeLife], phrases: Phrases) -> tuple[Line, ...]:
    """A heading and a line a node: what the picture shows, for who does not see it."""
    rows = (Line((Span(" · ".join(filter(None, _row(life, phrases)))),), LineKind.BULLET) for life in lives)
    return (Line((Span(phrases.text("lives.title"), bold=True),)), *rows) if lives else ()


def with_lives(
    message: Message, lives: Sequence[NodeLife], now: datetime, phrases: Phrases, english: Phrases
) -> Message:
    """The answer with the picture below it; a PNG has Latin letters, so that `english` words it."""
    if not lives or len(message.blocks) + _ADDED > MESSAGE_BLOCKS:
        return message
    columns = tuple(phrases.text(f"lives.{name}") for name in ("node", "from", "until", "ended"))
    grid = Grid(columns=columns, rows=tuple(_row(life, phrases) for life in lives))
    heading: Block = {"type": "section", "text": text_object(Line((Span(phrases.text("lives.title"), bold=True),)))}
    added = (heading, chart_block(lives_chart(lives, now, phrases)), table_block(grid))
    return replace(message, blocks=(*message.blocks, *added), chart=lives_chart(lives, now, english))


def lives_chart(lives: Sequence[NodeLife], now: datetime, phrases: Phrases) -> Chart:
    """A bar a node: how many minutes it was there, and in the picture when."""
    start = min(life.began for life in lives)
    whole = max((max(life.ended or now for life in lives) - start).total_seconds(), 1.0)
    ends = [max(life.ended or now, life.began) for life in lives]
    unit = phrases.text("lives.unit")
    return Chart(
        title=f"{phrases.text('lives.title')} ({unit})",
        y_label=unit,
        x_label=phrases.text("lives.axis", since=phrases.moment(start), until=phrases.moment(max(ends))),
        categories=tuple(_label(index, life, lives) for index, life in enumerate(lives)),
        series=(
            Series(
                name=unit,
                values=tuple(
                    float(round((end - life.began).total_seconds() / 60)) for life, end in zip(lives, ends, strict=True)
                ),
            ),
        ),
        bars=True,
        bands=tuple(
            ((life.began - start).total_seconds() / whole, (end - start).total_seconds() / whole)
            for life, end in zip(lives, ends, strict=True)
        ),
        notes=tuple(_note(life, phrases) for life in lives),
    )


def _label(index: int, life: NodeLife, lives: Sequence[NodeLife]) -> str:
    """The host's own name; numbered where two would be one after Slack's 20 characters."""
    label = _host(life)[:_LABEL]
    twice = sum(_host(other)[:_LABEL] == label for other in lives) > 1
    return f"{index + 1} {label}"[:_LABEL] if twice else label


def _host(life: NodeLife) -> str:
    return life.node.partition(".")[0]


def _row(life: NodeLife, phrases: Phrases) -> tuple[str, str, str, str]:
    return _host(life), _since(life, phrases), _until(life, phrases), _ended(life, phrases)


def _since(life: NodeLife, phrases: Phrases) -> str:
    at = phrases.moment(life.began)
    return phrases.text("lives.before", time=at) if life.since_before else at


def _until(life: NodeLife, phrases: Phrases) -> str:
    at = phrases.moment(life.ended)
    return phrases.text("lives.after", time=at) if life.until_after else at


def _note(life: NodeLife, phrases: Phrases) -> str:
    """What ended it, and which of its ends is not known."""
    unknown = ([_since(life, phrases)] if life.since_before else []) + (
        [_until(life, phrases)] if life.until_after else []
    )
    return ", ".join((_ended(life, phrases), *unknown))


def _ended(life: NodeLife, phrases: Phrases) -> str:
    """`gone: Underutilized`: the state, and Karpenter's own word for why."""
    state = phrases.text(f"gone-name.{life.state}")
    return f"{state}: {life.reason}" if life.reason and life.state != "here" else state
