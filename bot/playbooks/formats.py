"""Numbers, prices, moments and spans of time, as a language writes them. Pure; the patterns are its `_format.yaml`.

This is the one place that words them: pages and sentences by filters, Python by a Phrases.
"""

import re
from datetime import UTC, datetime
from typing import Final, Protocol

from markupsafe import Markup

_UNITS: Final = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_SAMPLE: Final = re.compile(r"1(\D?)234(\D)5")
"""How a language writes 1,234.5: what stands in front of the 2 and of the 5 are its separators."""


class Words(Protocol):
    """The sentences of one language, as formats need them."""

    def text(self, key: str, /, **values: object) -> str:
        """A sentence without markup."""
        ...

    def marked(self, key: str, /, **values: object) -> Markup:
        """A sentence to be put into another one."""
        ...

    def has(self, key: str, /) -> bool:
        """Whether there is such a sentence."""
        ...


def separated(figures: str, words: Words) -> str:
    """Python's `1,363.5` with the language's own separators."""
    sample = _SAMPLE.fullmatch(words.text("format.number"))
    return figures.translate(str.maketrans({",": sample[1], ".": sample[2]})) if sample else figures


def number(value: int | float, words: Words) -> str:
    """A whole number in groups, any other with at most six figures."""
    return separated(f"{value:,}" if isinstance(value, int) else f"{value:,.6g}", words)


def decimal(value: float, words: Words) -> str:
    """With one figure behind the decimal mark."""
    return separated(f"{value:,.1f}", words)


def figure(price: float, words: Words) -> str:
    """A price an hour: two decimals from a dollar on, else four, since small machines differ there."""
    return separated(f"{price:,.2f}" if price >= 1 else f"{price:.4f}", words)


def moment(value: datetime | str, words: Words, name: str = "moment") -> str:
    """A moment (RFC 3339, or a datetime with its zone) as people read it, in UTC; anything else stays as it is.

    `name`: `moment`, `day`, `clock` or `tick`. A date alone has no clock.
    """
    if isinstance(value, datetime):
        at, dated = value, True
    else:
        if not _DATE.match(value):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return value
        dated = len(value.strip()) > len("2025-12-28")
    if at.tzinfo is None and dated:
        return str(value)
    at = at.astimezone(UTC) if at.tzinfo else at
    return words.text(f"format.{name if dated else 'day'}", **_parts(at))


def _parts(at: datetime) -> dict[str, str]:
    return {
        "year": f"{at.year}",
        "month": f"{at.month}",
        "month_2": f"{at.month:02}",
        "day": f"{at.day}",
        "day_2": f"{at.day:02}",
        "hour": f"{at.hour:02}",
        "minute": f"{at.minute:02}",
    }


def duration(seconds: float, words: Words) -> str:
    """The two largest units of a span that say something: `3 h 20 min`, `45 s`."""
    left = max(round(seconds), 0)
    said: list[str] = []
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count or (unit == "seconds" and not said):
            said.append(words.text(f"format.{unit}", n=number(count, words)))
        if len(said) == 2 or (said and not count):
            break
    return " ".join(said)


def age(seconds: float, words: Words) -> str:
    """A span in one unit."""
    unit, length = next((u for u in _UNITS[1:] if seconds >= u[1]), _UNITS[-1])
    return words.text(f"format.{unit}", n=number(round(seconds / length), words))
