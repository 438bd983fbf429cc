"""An answer that is a table rather than an argument, in words and for no medium yet: parts, grids, a chart.

A terminal and Slack arrange the same Sheet. What a chart shows stands in a part's lines too: pictures are never the only way.
"""

from dataclasses import dataclass

from bot.playbooks.markup import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows of plain, cleaned texts under their column names; all rows are as long as `columns`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a chart: a value for each of the chart's categories."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Values over time; `categories` are the labels along the time axis, at most 20. `bars`: one series, a bar a category."""

    title: str
    y_label: str
    x_label: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    bars: bool = False
    bands: tuple[tuple[float, float], ...] = ()
    """Of bars that are spans of time: where each begins and ends, in shares of the picture's width."""
    notes: tuple[str, ...] = ()
    """What stands behind each band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A heading with lines below it, or a grid."""

    heading: str
    lines: tuple[Line, ...] = ()
    grid: Grid | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The whole answer."""

    title: Line
    about: Line
    parts: tuple[Part, ...]
    chart: Chart | None = None
    missing: tuple[Line, ...] = ()
    notes: tuple[Line, ...] = ()
