"""Sheets -> Slack messages: native table and chart blocks, with the whole answer in sections and in the text as well.

A message has one table and one chart at most; on a phone a table scrolls, so what matters most stands in the title.
Blocks: docs.slack.dev, reference/block-kit/blocks/{table,data-visualization}-block.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from bot.model.diagnosis import Json
from bot.playbooks import Line, Phrases, Span, clean
from bot.playbooks.sheet import Chart, Grid, Part, Sheet
from bot.slack.blocks import Message, notice
from bot.slack.budget import MESSAGE, MESSAGE_BLOCKS, Block, Budget, More, section, text_object

TABLE_ROWS: Final = 99
"""Rows of a table block beside its header: 100 in all."""
_TABLE_TEXT: Final = 9_000
"""Characters of a table's cells: 10,000 at most (table block)."""
_CHART: Final = "data_visualization"
_CELL: Final = 120
_PART: Final = 1_900
_SMALL: Final = 900
_TITLE: Final = 50
_LABEL: Final = 20
_SEVERAL: Final = 12
"""Rows of a grid that the text alternative reads out."""


def sheet_message(sheet: Sheet, phrases: Phrases) -> Message:
    """The whole answer. `Message.chart` is what to draw where the workspace takes no chart."""
    budget = Budget(blocks=MESSAGE_BLOCKS, characters=MESSAGE)
    head = [sheet.title, *([sheet.about] if sheet.about else [])]
    budget.take(section(head, _more(phrases), _PART))
    if sheet.chart is not None:
        budget.taken.append(chart_block(sheet.chart))
    tabled = False
    for part in sheet.parts:
        if part.grid is not None and part.grid.rows and not tabled:
            tabled = True
            budget.take({"type": "section", "text": text_object(_bold(part.heading))})
            budget.taken.append(table_block(part.grid))
        elif part.lines:
            budget.take(section([_bold(part.heading), *part.lines], _more(phrases), _PART))
    for heading, lines in (("missing", sheet.missing), ("notes", sheet.notes)):
        if lines:
            small = section([_bold(phrases.text(f"heading.{heading}")), *lines], _more(phrases), _SMALL)["text"]
            budget.take({"type": "context", "elements": [small]})
    return Message(text=notice(list(_spoken(sheet, phrases)), phrases), blocks=tuple(budget.taken), chart=sheet.chart)


def _more(phrases: Phrases) -> More:
    return lambda count: phrases.line("more.lines", count=count)


def _bold(text: str) -> Line:
    return Line((Span(text, bold=True),))


def table_block(grid: Grid) -> Block:
    """The grid as Slack's table; rows beyond its limits are left to the text, and the last row says how many."""
    rows: list[Json] = [_cells(grid.columns)]
    room = _TABLE_TEXT - sum(map(len, grid.columns))
    for index, cells in enumerate(grid.rows):
        room -= sum(len(cell) + 1 for cell in cells)
        if room < 0 or len(rows) > TABLE_ROWS:
            rows[-1] = _cells((f"… +{len(grid.rows) - index + 1}", *([""] * (len(grid.columns) - 1))))
            break
        rows.append(_cells(cells))
    return {"type": "table", "rows": rows}


def _cells(cells: Sequence[str]) -> Json:
    return [{"type": "raw_text", "text": clean(cell, _CELL) or " "} for cell in cells]


def chart_block(chart: Chart) -> Block:
    """The chart as Slack's own, which phones draw and screen readers read."""
    labels = [label[:_LABEL] for label in chart.categories]
    return {
        "type": _CHART,
        "title": chart.title[:_TITLE],
        "chart": {
            "type": "bar" if chart.bars else "line",
            "series": [
                {
                    "name": series.name[:_LABEL],
                    "data": [
                        {"label": label, "value": value} for label, value in zip(labels, series.values, strict=True)
                    ],
                }
                for series in chart.series
            ],
            "axis_config": {
                "categories": list(labels),
                "x_label": chart.x_label[:_TITLE],
                "y_label": chart.y_label[:_TITLE],
            },
        },
    }


def has_chart(message: Message) -> bool:
    """Whether a chart is among the blocks."""
    return any(block.get("type") == _CHART for block in message.blocks)


def without_chart(message: Message) -> Message:
    """The same for a workspace that does not take charts yet: new blocks are rolled out in phases."""
    return Message(text=message.text, blocks=tuple(b for b in message.blocks if b.get("type") != _CHART))


def _spoken(sheet: Sheet, phrases: Phrases) -> Iterator[Line]:
    """The answer for notifications and screen readers: a grid's first rows as sentences of their cells."""
    yield sheet.title
    if sheet.about:
        yield sheet.about
    for part in sheet.parts:
        yield from _spoken_part(part, phrases)
    if sheet.missing:
        yield phrases.line("heading.missing")
        yield from sheet.missing
    yield from sheet.notes


def _spoken_part(part: Part, phrases: Phrases) -> Iterator[Line]:
    yield _bold(part.heading)
    yield from part.lines
    if part.grid is not None:
        for cells in part.grid.rows[:_SEVERAL]:
            yield Line((Span(" · ".join(cells)),))
        left = len(part.grid.rows) - _SEVERAL
        if left > 0:
            yield phrases.line("more.lines", count=left)
