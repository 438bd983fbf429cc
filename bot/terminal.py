"""Rendered answers -> text for a terminal: readable without colour, wrapped by what letters take on the screen."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from unicodedata import east_asian_width

from bot.playbooks import Line, LineKind, Phrases, Rendered, RenderedCause, RenderedRemedy, plain, value_line
from bot.playbooks.sheet import Grid, Sheet

WIDTH: Final = 100
MOST_STATEMENTS: Final = 3
_BOLD: Final = "\x1b[1m"
_DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"


def render_text(rendered: Rendered, phrases: Phrases, *, width: int = WIDTH, colour: bool = False) -> str:
    """The whole answer, everything shown. `colour` adds weight only; no letter depends on it.

    Values from the cluster were cleaned of control characters when they were rendered: only this module writes any.
    """
    page = _Page(width=width, colour=colour)
    page.title(rendered.headline)
    page.paragraph(rendered.about, dim=True)
    first = rendered.causes[:1]
    for cause in first:
        page.lines(phrases.text("heading.because"), cause.because)
    page.lines(phrases.text("heading.timeline"), rendered.timeline)
    page.lines(phrases.text("heading.shields"), rendered.shields)
    page.lines(phrases.text("heading.also"), _also(rendered.other_causes))
    own = next((cause.remedies for cause in first if cause.remedies), ())
    if own:
        page.lines(plain(rendered.remedies_heading), own)
    elif rendered.remedies:
        page.heading(plain(rendered.remedies_heading))
        for number, remedy in enumerate(rendered.remedies, 1):
            page.numbered(number, _remedy(remedy))
    for cause in first:
        page.lines(phrases.text("heading.check"), cause.check)
    page.lines(phrases.text("heading.evidence"), _evidence(rendered.causes))
    page.lines(phrases.text("heading.pools"), [pool.line for pool in rendered.pools])
    page.lines(phrases.text("heading.says"), _statements(rendered))
    page.lines(phrases.text("heading.missing"), rendered.missing)
    page.lines(phrases.text("heading.notes"), rendered.notes)
    page.lines(phrases.text("heading.ages"), [rendered.ages] if rendered.ages else [])
    links = dict.fromkeys(link for cause in rendered.causes for link in cause.links)
    page.lines(phrases.text("heading.links"), [value_line(link) for link in links])
    return page.text()


def render_sheet(sheet: Sheet, phrases: Phrases, *, width: int = WIDTH, colour: bool = False) -> str:
    """A table's answer: every part, grids with their columns below each other. What a chart shows stands in the parts."""
    page = _Page(width=width, colour=colour)
    page.title(sheet.title)
    page.paragraph(sheet.about, dim=True)
    for part in sheet.parts:
        if part.grid is not None:
            page.grid(part.heading, part.grid)
        page.lines("" if part.grid is not None else part.heading, part.lines)
    page.lines(phrases.text("heading.missing"), sheet.missing)
    page.lines(phrases.text("heading.notes"), sheet.notes)
    return page.text()


def _also(causes: Sequence[RenderedCause]) -> list[Line]:
    """The other causes: headline, and why."""
    return [line for cause in causes for line in (cause.headline, *cause.because)]


def _remedy(remedy: RenderedRemedy) -> list[Line]:
    more = (remedy.where, remedy.why_not, *remedy.cautions)
    return [remedy.summary, remedy.opens, *(line for line in more if line)]


def _evidence(causes: Sequence[RenderedCause]) -> list[Line]:
    words = (word for cause in causes for word in (*map(str, cause.constraints), *cause.evidence))
    return [value_line(word) for word in dict.fromkeys(words)]


def _statements(rendered: Rendered) -> list[Line]:
    """What Karpenter said, newest first."""
    shown = rendered.karpenter_says[:MOST_STATEMENTS]
    return [Line((*one.label.spans, *value_line(f": {one.message}").spans)) for one in shown]


class _Page:
    """Lines of text, written one after the other."""

    def __init__(self, *, width: int, colour: bool) -> None:
        self._width = max(width, 20)
        self._colour = colour
        self._lines: list[str] = []

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"

    def title(self, line: Line) -> None:
        self._write(plain(line), style=_BOLD)

    def paragraph(self, line: Line, *, dim: bool = False) -> None:
        self._write(plain(line), style=_DIM if dim else "")

    def heading(self, text: str) -> None:
        self._lines.append("")
        self._write(text, style=_BOLD)

    def lines(self, heading: str, lines: Sequence[Line]) -> None:
        """A heading and its lines, or nothing when there are none."""
        if not lines:
            return
        self.heading(heading)
        for line in lines:
            if line.kind is LineKind.CODE:
                self._lines.extend(f"      {row}".rstrip() for row in plain(line).split("\n"))
            else:
                self._write(plain(line), first="  - " if line.kind is LineKind.BULLET else "  ", rest="    ")

    def grid(self, heading: str, grid: Grid) -> None:
        """Columns as wide as their widest cell; a row is never broken, so that it can be read and copied as one."""
        self.heading(heading)
        widths = [max(map(columns, cells)) for cells in zip(grid.columns, *grid.rows, strict=True)]
        for cells in (grid.columns, *grid.rows):
            padded = (cell + " " * (width - columns(cell)) for cell, width in zip(cells, widths, strict=True))
            self._lines.append(f"  {'  '.join(padded)}".rstrip())

    def numbered(self, number: int, lines: Iterable[Line]) -> None:
        """The first line with its number, the others below it, indented."""
        first, *others = lines
        label = f"  {number}. "
        margin = " " * len(label)
        self._write(plain(first), first=label, rest=margin)
        for line in others:
            self._write(plain(line), first=margin, rest=margin)

    def _write(self, text: str, *, first: str = "", rest: str = "", style: str = "") -> None:
        rows = wrapped(text, self._width - len(rest))
        for index, row in enumerate(rows):
            words = f"{style}{row}{_PLAIN}" if style and self._colour else row
            self._lines.append((rest if index else first) + words)


def columns(text: str) -> int:
    """Columns that a terminal gives the text: two for a wide letter (Hangul among them)."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def wrapped(text: str, width: int) -> list[str]:
    """Rows of at most `width` columns, broken at blanks; a longer word keeps a row of its own, so that it can be copied."""
    return list(_rows(text.split(" "), width)) or [""]


def _rows(words: Sequence[str], width: int) -> Iterator[str]:
    row, used = "", 0
    for word in words:
        wide = columns(word)
        if row and used + 1 + wide > width:
            yield row
            row, used = word, wide
        else:
            row = f"{row} {word}" if row else word
            used = used + 1 + wide if used else wide
    if row:
        yield row
