"""The little markup that pages are written in, parsed into spans, so that nothing a cluster says is ever markup.

A page is Slack-flavoured Markdown: `*bold*`, `` `code` ``, `<https://url|label>`, `- bullets`, fenced code. A value that
a template inserts is marked on its way in (`mark`), and `parse` puts it into the span it stands in, character for
character: it can open no tag, no link and no code. Each medium then writes spans in its own way: `plain`, `mrkdwn`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from markupsafe import Markup

LONGEST_VALUE: Final = 2_000
"""Characters that one value may bring into a sentence; a log line of 2 MB must not become a message."""
ELLIPSIS: Final = "…"

# What no reader should receive from a cluster: control and format characters (escape sequences, text that runs
# backwards, invisible letters), lone surrogates (no UTF-8) and the private use area, where our own marks live.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ud800-\uf8ff\ufeff\ufff0-\ufffb\ufffe\uffff\U000e0000-\U0010ffff]+"
)
_WHITESPACE: Final = re.compile(r"\s+")
_OPEN: Final = "\ue000"
_CLOSE: Final = "\ue001"
_VALUE: Final = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_PLACE: Final = "\ue002"
_TOKEN: Final = re.compile(rf"`([^`]+)`|<(https?://[^\s<>|{_PLACE}]+)(?:\|([^<>]+))?>|\*")
_FENCE: Final = "```"
_BULLET: Final = re.compile(r"(?:[-•]|\*(?=\s))\s+")


class LineKind(StrEnum):
    """How a line stands on the page."""

    TEXT = "text"
    BULLET = "bullet"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Span:
    """A run of characters in one style. `url` makes it a link; it never comes from a value."""

    text: str
    bold: bool = False
    code: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line or bullet, or a whole block of code whose text keeps its own line ends."""

    spans: tuple[Span, ...]
    kind: LineKind = LineKind.TEXT

    def __bool__(self) -> bool:
        return any(span.text.strip() for span in self.spans)


def clean(text: str, longest: int = LONGEST_VALUE) -> str:
    """One printable line of what was given: white space becomes single blanks, unprintable characters go."""
    cut = text[: 2 * longest]
    flat = (cut if cut.isprintable() and "  " not in cut else _WHITESPACE.sub(" ", _UNPRINTABLE.sub("", cut))).strip()
    return shortened(flat, longest) if len(cut) == len(text) else shortened(flat + ELLIPSIS, longest)


def shortened(text: str, most: int) -> str:
    """At most so many characters; an ellipsis says that there was more."""
    return text if len(text) <= most else text[: max(most - 1, 0)].rstrip() + ELLIPSIS


def mark(value: str) -> Markup:
    """A value on its way into a template: cleaned, and fenced so that `parse` takes no character of it for markup."""
    return Markup(f"{_OPEN}{clean(value)}{_CLOSE}")  # noqa: S704 (not HTML: `parse` is the reader)


def value_line(value: str, *, code: bool = False) -> Line:
    """A line that is one value from outside and nothing else."""
    return Line((Span(clean(value), code=code),))


def parse(marked: str) -> tuple[Line, ...]:
    """The lines of a rendered template; empty lines only separate. Never raises: what is no markup is text."""
    lines: list[Line] = []
    fenced: list[str] | None = None
    for raw in marked.split("\n"):
        if raw.strip() == _FENCE:
            if fenced is not None:
                lines.append(Line((Span(_dedented(fenced), code=True),), LineKind.CODE))
            fenced = [] if fenced is None else None
        elif fenced is not None:
            fenced.append(_VALUE.sub(r"\1", raw))
        elif text := raw.strip():
            bullet = _BULLET.match(text)
            spans = tuple(_spans(text[bullet.end() :] if bullet else text))
            lines.append(Line(spans, LineKind.BULLET if bullet else LineKind.TEXT))
    return tuple(line for line in lines if line)


def parse_line(marked: str) -> Line:
    """All of a rendered template as one line."""
    return Line(tuple(_spans(" ".join(marked.split()))))


def _dedented(lines: list[str]) -> str:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:].rstrip() for line in lines)


def _spans(text: str) -> Iterator[Span]:
    values = iter(_VALUE.findall(text))
    skeleton = _VALUE.sub(_PLACE, text)
    bold, end = False, 0
    for token in _TOKEN.finditer(skeleton):
        if token.start() > end:
            yield Span(_filled(skeleton[end : token.start()], values), bold=bold)
        code, url, label = token.groups()
        if code:
            yield Span(_filled(code, values), bold=bold, code=True)
        elif url:
            yield Span(_filled(label or url, values), bold=bold, url=url)
        else:
            bold = not bold
        end = token.end()
    if end < len(skeleton):
        yield Span(_filled(skeleton[end:], values), bold=bold)


def _filled(skeleton: str, values: Iterator[str]) -> str:
    return "".join(next(values, "") if character == _PLACE else character for character in skeleton)


def plain(line: Line) -> str:
    """The line without any markup but backticks around code: for terminals, notifications and JSON."""
    if line.kind is LineKind.CODE:
        return line.spans[0].text
    return "".join(_plain(span) for span in line.spans).strip()


def _plain(span: Span) -> str:
    if span.url:
        return span.text if span.text == span.url else f"{span.text} ({span.url})"
    return f"`{span.text}`" if span.code else span.text


def escape(text: str) -> str:
    """Slack's three characters (docs.slack.dev, formatting message text: escaping)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mrkdwn(line: Line) -> str:
    """The line in Slack's mrkdwn, for a text object with `verbatim: true` (else Slack makes links of bare URLs)."""
    if line.kind is LineKind.CODE:
        return f"{_FENCE}\n{escape(line.spans[0].text.replace('`', _QUOTE))}\n{_FENCE}"
    pieces: list[str] = []
    bold = False
    for span in (*line.spans, Span("")):
        if span.bold != bold:
            pieces.append("*")
            bold = span.bold
        if span.text:
            pieces.append(_mrkdwn(span))
    return _with_borders(pieces).strip()


_QUOTE: Final = "'"
"""Stands for a backtick inside code: Slack has no way to write one there."""


def _mrkdwn(span: Span) -> str:
    text = escape(span.text.replace("`", _QUOTE))
    if span.code:
        return f"`{text}`"
    text = text.replace("*", "∗") if span.bold else text
    return f"<{span.url}|{text.replace('|', '/')}>" if span.url else text


def _with_borders(pieces: list[str]) -> str:
    """Joined, with a zero-width space between a closing or opening mark and a letter.

    Slack takes `*` and backticks for markup only at the border of a word, and Korean particles follow without a blank.
    """
    joined = ""
    for piece in pieces:
        marked = piece == "*" or piece.startswith("`")
        was_marked = joined.endswith(("*", "`"))
        letters = bool(joined) and ((marked and joined[-1].isalnum()) or (was_marked and piece[0].isalnum()))
        joined += ("\u200b" if letters and _outside(joined, piece) else "") + piece
    return joined


def _outside(joined: str, piece: str) -> bool:
    """Whether the border lies outside of bold: between `*` and the bold letters nothing may stand."""
    inside = joined.count("*") % 2 == 1
    return not (inside and joined.endswith("*")) and not (inside and piece == "*")


def cut(line: Line, most: int, written: Callable[[Line], str] = mrkdwn) -> Line:
    """The line, shortened with an ellipsis so that `written(line)` has at most `most` characters (10 or more)."""
    if len(written(line)) <= most:
        return line
    kept: tuple[Span, ...] = ()
    for span in line.spans:
        if len(written(Line((*kept, span), line.kind))) + 1 <= most:
            kept = (*kept, span)
            continue
        low, high = 0, len(span.text)
        while low < high:  # the longest beginning that fits; escaping makes characters of different lengths
            middle = (low + high + 1) // 2
            tried = replace(span, text=span.text[:middle] + ELLIPSIS)
            low, high = (middle, high) if len(written(Line((*kept, tried), line.kind))) <= most else (low, middle - 1)
        return Line((*kept, replace(span, text=span.text[:low] + ELLIPSIS)), line.kind)
    return Line(kept, line.kind)
