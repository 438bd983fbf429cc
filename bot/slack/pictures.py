"""Charts as PNG, for workspaces that take no chart block: read on a phone, and without telling colours apart.

Each line has a colour of Okabe and Ito's palette (told apart with any kind of colour blindness), a dash pattern and a mark
of its own, and its name stands at its end. The words in a picture are Latin: the font that ships with Pillow has no others.
"""

from io import BytesIO
from itertools import pairwise
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from bot.playbooks.sheet import Chart

WIDTH: Final = 1200
HEIGHT: Final = 900
_LEFT: Final = 170
_RIGHT: Final = 330
_TOP: Final = 110
_BOTTOM: Final = 110
_TEXT: Final = 34
"""Pixels: a phone shows 1200 of them on some seven centimetres."""
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000")
_DASHES: Final = ((1, 0), (24, 12), (6, 10), (30, 8), (14, 14), (4, 4))
_GRID: Final = "#CCCCCC"
_INK: Final = "#222222"
_STEPS: Final = 4
_LABELS: Final = 4

Point = tuple[float, float]


def drawn(chart: Chart) -> bytes:
    """The chart as a PNG of 1200 x 900 pixels."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    (_bands if chart.bands else _bars if chart.bars else _lines)(ImageDraw.Draw(image), chart)
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _lines(canvas: ImageDraw.ImageDraw, chart: Chart) -> None:
    _Drawing(canvas, chart).draw()


def _bars(canvas: ImageDraw.ImageDraw, chart: Chart) -> None:
    """A bar a category from above to below, its name before it and its value behind: short bars are read by their figures."""
    font, small = ImageFont.load_default(_TEXT), ImageFont.load_default(_TEXT * 0.85)
    canvas.text((60, 30), _latin(chart.title), fill=_INK, font=font)
    (series,) = chart.series
    most, step = max((*series.values, 1.0)), min((HEIGHT - _TOP - 40) / max(len(series.values), 1), 90.0)
    left, right = 430, WIDTH - 190
    for index, (name, value) in enumerate(zip(chart.categories, series.values, strict=True)):
        top = _TOP + index * step
        canvas.text((left - 20, top + step / 2), _latin(name), fill=_INK, font=small, anchor="rm")
        end = left + max((right - left) * value / most, 3)
        canvas.rectangle((left, top + step * 0.15, end, top + step * 0.85), fill=_COLOURS[0] if value else _COLOURS[1])
        canvas.text((end + 14, top + step / 2), f"{value:,.0f}", fill=_INK, font=small, anchor="lm")


def _bands(canvas: ImageDraw.ImageDraw, chart: Chart) -> None:
    """A node a row: its name and what ended it above its band; one that ended has a dark edge, one that is there none."""
    font, small = ImageFont.load_default(_TEXT), ImageFont.load_default(_TEXT * 0.8)
    canvas.text((60, 30), _latin(chart.title), fill=_INK, font=font)
    step = min((HEIGHT - _TOP - 60) / max(len(chart.bands), 1), 120.0)
    left, right = 60, WIDTH - 60
    for index, (name, (begin, end), note) in enumerate(zip(chart.categories, chart.bands, chart.notes, strict=True)):
        top = _TOP + index * step
        ended = end < 1
        middle = top + step * 0.58
        canvas.text((left, middle - 2), f"{_latin(name)}   {_latin(note)}", fill=_INK, font=small, anchor="lb")
        start, stop = left + (right - left) * begin, left + (right - left) * end
        stop = max(stop, start + 8)
        canvas.rectangle((left, middle + 4, right, top + step * 0.95), fill="#EEEEEE")
        canvas.rectangle((start, middle + 4, stop, top + step * 0.95), fill=_COLOURS[1 if ended else 0])
        if ended:
            canvas.rectangle((stop - 8, middle + 4, stop, top + step * 0.95), fill=_INK)
    canvas.text((left, HEIGHT - 48), _latin(chart.x_label), fill=_INK, font=small)


class _Drawing:
    """One chart on one canvas."""

    def __init__(self, canvas: ImageDraw.ImageDraw, chart: Chart) -> None:
        self._canvas, self._chart = canvas, chart
        self._font, self._small = ImageFont.load_default(_TEXT), ImageFont.load_default(_TEXT * 0.85)
        values = [value for series in chart.series for value in series.values]
        low, high = min(values), max(values)
        margin = (high - low) * 0.1 or high * 0.1 or 1.0
        self._low, self._high = max(low - margin, 0.0), high + margin

    def draw(self) -> None:
        """Axes first, lines over them, names last, so that none is hidden."""
        self._canvas.text((_LEFT, 30), _latin(self._chart.title).rstrip(": "), fill=_INK, font=self._font)
        self._axes()
        for index, series in enumerate(self._chart.series):
            self._line([self._at(i, value) for i, value in enumerate(series.values)], index)
        self._names()

    def _at(self, index: int, value: float) -> Point:
        steps = max(len(self._chart.categories) - 1, 1)
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * index / steps
        share = (value - self._low) / (self._high - self._low)
        return x, HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share

    def _axes(self) -> None:
        for step in range(_STEPS + 1):
            value = self._low + (self._high - self._low) * step / _STEPS
            _, y = self._at(0, value)
            self._canvas.line([(_LEFT, y), (WIDTH - _RIGHT, y)], fill=_GRID, width=2)
            self._canvas.text((_LEFT - 12, y), f"${value:,.2f}", fill=_INK, font=self._small, anchor="rm")
        last = len(self._chart.categories) - 1
        for index in sorted({round(last * step / _LABELS) for step in range(_LABELS + 1)}):
            x, _ = self._at(index, self._low)
            label = self._chart.categories[index].rpartition(" ")[2]
            self._canvas.text((x, HEIGHT - _BOTTOM + 16), label, fill=_INK, font=self._small, anchor="ma")
        self._canvas.text((_LEFT, HEIGHT - 48), self._chart.x_label, fill=_INK, font=self._small)

    def _line(self, points: list[Point], index: int) -> None:
        """Steps, for a price holds until the next one; dashed each in its own way, with a mark at both ends."""
        colour, (on, off) = _COLOURS[index % len(_COLOURS)], _DASHES[index % len(_DASHES)]
        corners = points[:1]
        for before, after in pairwise(points):
            corners += [(after[0], before[1]), after]
        for start, end in pairwise(corners):
            self._dashed(start, end, colour, (on, off))
        for point in (points[0], points[-1]):
            self._mark(point, index, colour)

    def _dashed(self, start: Point, end: Point, colour: str, dash: tuple[int, int]) -> None:
        on, off = dash
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        if not off or not length:
            self._canvas.line([start, end], fill=colour, width=6)
            return
        at = 0.0
        while at < length:
            till = min(at + on, length)
            first, second = (_between(start, end, part / length) for part in (at, till))
            self._canvas.line([first, second], fill=colour, width=6)
            at += on + off

    def _mark(self, point: Point, index: int, colour: str) -> None:
        sides = (0, 3, 4, 5, 6, 8)[index % 6]
        if sides:
            self._canvas.regular_polygon((point[0], point[1], 13), sides, fill=colour)
        else:
            self._canvas.ellipse([point[0] - 11, point[1] - 11, point[0] + 11, point[1] + 11], fill=colour)

    def _names(self) -> None:
        """Each line's name and last value at its end, moved apart where they would touch."""
        ends = sorted((self._at(len(s.values) - 1, s.values[-1])[1], i) for i, s in enumerate(self._chart.series))
        free = float("-inf")
        for y, index in ends:
            series, place = self._chart.series[index], max(y, free)
            words = f"{_latin(series.name)}\n${series.values[-1]:,.2f}"
            where = (WIDTH - _RIGHT + 22, min(place, HEIGHT - _BOTTOM) - _TEXT)
            self._canvas.multiline_text(where, words, fill=_COLOURS[index % len(_COLOURS)], font=self._small)
            free = place + 2.4 * _TEXT


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _latin(text: str) -> str:
    """Without letters that the font lacks."""
    return " ".join("".join(c for c in text if ord(c) < 0x250).split())
