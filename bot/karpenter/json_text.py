"""JSON objects out of log text: whole where they are whole, and what is certain of them where they broke off.

Linear in the text and bounded in depth: a log line is at most a few levels deep, whoever wrote it.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from bot.model.diagnosis import Json

DEEPEST: Final = 64
MOST_TOKENS: Final = 200_000

_DECODER = json.JSONDecoder()
_TOKEN = re.compile(
    r'\s*+(?:(?P<string>"(?:[^"\\]++|\\.)*+")|(?P<mark>[{}\[\]:,])|(?P<literal>[^\s"{}\[\]:,]++)|(?P<open>"))',
    re.DOTALL,
)
_WHOLE_CHARACTERS = re.compile(r'(?:[^"\\]++|\\(?:u[0-9a-fA-F]{4}|[^u]))*+', re.DOTALL)
_CLOSERS: Final = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object read from text. `end` is where it ended; `cut` names the member that broke off, if one did."""

    members: dict[str, Json]
    end: int
    whole: bool = True
    cut: str | None = None


def decode_object(text: str, start: int = 0) -> Found | None:
    """The whole JSON object that begins at `start`, or None."""
    try:
        members, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return Found(members=members, end=end) if isinstance(members, dict) else None


def recover_object(text: str, start: int = 0) -> Found:
    """What is certain of an object that begins at `start` and broke off: its whole members, and the text so far of a
    string that was cut (named by `cut`). A number at the very end may have gone on, so it is left out.
    """
    scan = _Scan(text, start)
    scan.run()
    members = _close(text, start, scan)
    if scan.cut is not None and scan.cut_text is not None:
        members[scan.cut] = scan.cut_text
    return Found(members=members, end=len(text), whole=False, cut=scan.cut)


def _close(text: str, start: int, scan: "_Scan") -> dict[str, Json]:
    closers = "".join(_CLOSERS[bracket] for bracket in reversed(scan.stack[: scan.safe_depth]))
    found = decode_object(text[start : scan.safe_end] + closers) if scan.safe_depth else None
    return found.members if found else {}


class _Scan:
    """A walk over JSON tokens that remembers the last place where everything open could have been closed."""

    __slots__ = ("at", "cut", "cut_text", "key", "pending", "safe_depth", "safe_end", "stack", "text", "wants_key")

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.at = start
        self.stack: list[str] = []
        self.wants_key = False
        self.key: str | None = None  # the top-level member being read
        self.pending = False  # a literal was read that may go on
        self.safe_end = start
        self.safe_depth = 0
        self.cut: str | None = None
        self.cut_text: str | None = None

    def run(self) -> None:
        for _ in range(MOST_TOKENS):
            token = _TOKEN.match(self.text, self.at)
            if token is None or not self._take(token):
                break
            self.at = token.end()
        self.cut = self.key

    def _take(self, token: re.Match[str]) -> bool:
        match token.lastgroup:
            case "string":
                return self._string(token)
            case "mark":
                return self._mark(token["mark"], token)
            case "literal":
                self.pending = bool(self.stack) and not self.wants_key
                return self.pending
            case _:
                if len(self.stack) == 1 and not self.wants_key and self.key is not None:
                    self.cut_text = _partial(self.text, token.end())
                return False

    def _string(self, token: re.Match[str]) -> bool:
        if not self.stack:
            return False
        if not self.wants_key:
            self._value_done(token.end())
        elif len(self.stack) == 1:
            self.key = _text_of(token["string"])
        return True

    def _mark(self, mark: str, token: re.Match[str]) -> bool:
        if self.pending and mark in ",}]":
            self._value_done(token.start("mark"))
        self.pending = False
        if mark in "{[":
            self.stack.append(mark)
            self.wants_key = mark == "{"
            if len(self.stack) == 1:
                self.safe_end, self.safe_depth = token.end(), 1
            return len(self.stack) <= DEEPEST and self.stack[0] == "{"
        if mark == ":":
            self.wants_key = False
            return bool(self.stack)
        if mark == ",":
            self.wants_key = bool(self.stack) and self.stack[-1] == "{"
            return bool(self.stack)
        if not self.stack or _CLOSERS[self.stack.pop()] != mark:
            return False
        self._value_done(token.end())
        return bool(self.stack)

    def _value_done(self, end: int) -> None:
        self.safe_end, self.safe_depth = end, len(self.stack)
        if len(self.stack) == 1:
            self.key = None


def _partial(text: str, start: int) -> str:
    whole = _WHOLE_CHARACTERS.match(text, start)
    return _text_of(f'"{whole[0]}"') if whole else ""


def _text_of(quoted: str) -> str:
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        return quoted[1:-1]
