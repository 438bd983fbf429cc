"""Message templates that read and write: one line of text with holes serves the parser and its inverse.

A template is Karpenter's text with `{name}` or `{name:codec}` holes: `did not tolerate taint (taint={taint:taint})`.
Every codec's pattern excludes what follows it, so that matching stays linear in the text.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from bot.karpenter.findings import DomainCounts, HostPort
from bot.karpenter.printed import (
    REQUIREMENT_PATTERN,
    PrintedRequirement,
    Version,
    format_requirement,
    parse_requirement,
)

LONGEST_TEXT: Final = 16_384  # longer text is none of the messages with holes (the longest known has some 3,000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """How one hole's text becomes a value and back. `decode` gives None for text it cannot take, `encode` likewise."""

    pattern: str
    decode: Callable[[str], object | None]
    encode: Callable[[object, Version], str | None]


def _plain(value: object, version: Version) -> str | None:  # noqa: ARG001 (a codec's signature)
    return value if isinstance(value, str) else None


def _quoted(value: object, version: Version) -> str | None:  # noqa: ARG001
    return f'"{value}"' if isinstance(value, str) else None


def _words(text: str) -> tuple[str, ...]:
    return tuple(text[1:-1].split(" ")) if len(text) > 2 else ()


def _bracketed(value: object, version: Version) -> str | None:  # noqa: ARG001
    return f"[{' '.join(value)}]" if isinstance(value, tuple) else None


def _go_set(text: str) -> tuple[str, ...]:
    return tuple(word.removesuffix(":{}") for word in text[4:-1].split(" ")) if len(text) > 5 else ()


def _print_go_set(value: object, version: Version) -> str | None:  # noqa: ARG001
    return f"map[{' '.join(f'{word}:{{}}' for word in value)}]" if isinstance(value, tuple) else None


def _number(value: object, version: Version) -> str | None:  # noqa: ARG001
    return str(value) if isinstance(value, int) else None


def _print_requirement(value: object, version: Version) -> str | None:
    return format_requirement(value, version) if isinstance(value, PrintedRequirement) else None


def _one(value: object, version: Version) -> str | None:  # noqa: ARG001
    return str(value[0]) if isinstance(value, tuple) and len(value) == 1 else None


def _quoted_one(value: object, version: Version) -> str | None:
    return _quoted(_one(value, version), version)


_COUNT = re.compile(r"([^:\s]{1,512}): ([0-9]{1,9})(?:, |$)")
_REST = re.compile(r"(?:^| )and ([0-9]{1,9}) other\(s\)$")


def parse_counts(text: str) -> DomainCounts | None:
    """`a: 1, b: 0 and 3 other(s)` (karpenter: pkg/utils/pretty, Map)."""
    rest = _REST.search(text)
    shown = text[: rest.start()] if rest else text
    named, at = [], 0
    while found := _COUNT.match(shown, at):
        named.append((found[1], int(found[2])))
        at = found.end()
    return DomainCounts(named=tuple(named), others=int(rest[1]) if rest else 0) if at == len(shown) else None


def _print_counts(limit: int) -> Callable[[object, Version], str | None]:
    def write(value: object, version: Version) -> str | None:  # noqa: ARG001
        if not isinstance(value, DomainCounts):
            return None
        named = sorted(value.named)
        others = value.others + max(0, len(named) - limit)
        text = ", ".join(f"{domain}: {count}" for domain, count in named[:limit])
        return f"{text} and {others} other(s)" if others else text

    return write


_GO_COUNT = re.compile(r"([^\s\]]{1,512}):([0-9]{1,9})(?: |$)")


def _parse_go_counts(text: str) -> DomainCounts | None:
    named, at, inside = [], 0, text[4:-1]
    while found := _GO_COUNT.match(inside, at):
        named.append((found[1], int(found[2])))
        at = found.end()
    return DomainCounts(named=tuple(named)) if at == len(inside) else None


def _print_go_counts(value: object, version: Version) -> str | None:  # noqa: ARG001
    if not isinstance(value, DomainCounts) or value.others:
        return None
    return f"map[{' '.join(f'{domain}:{count}' for domain, count in sorted(value.named))}]"


_PORT = re.compile(r"IP=(\S{1,64}) Port=([0-9]{1,6}) Proto=(\w{1,10})")


def _parse_port(text: str) -> HostPort | None:
    found = _PORT.fullmatch(text)
    return HostPort(ip=found[1], port=int(found[2]), protocol=found[3]) if found else None


def _print_port(value: object, version: Version) -> str | None:  # noqa: ARG001
    return f"IP={value.ip} Port={value.port} Proto={value.protocol}" if isinstance(value, HostPort) else None


CODECS: Final[Mapping[str, Codec]] = {
    "word": Codec(pattern=r'[^\s(),"]+', decode=str, encode=_plain),
    "maybe": Codec(pattern=r'[^\s(),"]*', decode=str, encode=_plain),  # a name that may be empty
    "quoted": Codec(pattern=r'"[^"]*"', decode=lambda text: text[1:-1], encode=_quoted),
    "listed": Codec(pattern=r"[^\s,]*", decode=str, encode=_plain),  # a word in a list with commas
    "rest": Codec(pattern=r".+", decode=str, encode=_plain),
    "text": Codec(pattern=r".+?", decode=str, encode=_plain),
    "number": Codec(pattern=r"[0-9]{1,9}", decode=int, encode=_number),
    "effect": Codec(pattern=r"NoSchedule|PreferNoSchedule|NoExecute", decode=str, encode=_plain),
    "taintkey": Codec(pattern=r"[^\s=:()]+", decode=str, encode=_plain),
    "taintvalue": Codec(pattern=r"[^\s=:()]+", decode=str, encode=lambda value, at: _plain(value, at) or None),
    "oneword": Codec(pattern=r'[^\s(),"]+', decode=lambda text: (text,), encode=_one),
    "onequoted": Codec(pattern=r'"[^"]*"', decode=lambda text: (text[1:-1],), encode=_quoted_one),
    "words": Codec(pattern=r"\[[^\]]*\]", decode=_words, encode=_bracketed),
    "goset": Codec(pattern=r"map\[[^\]]*\]", decode=_go_set, encode=_print_go_set),
    "requirement": Codec(pattern=REQUIREMENT_PATTERN, decode=parse_requirement, encode=_print_requirement),
    "counts5": Codec(pattern=r"[^()]*?(?:\(s\))?", decode=parse_counts, encode=_print_counts(5)),
    "counts25": Codec(pattern=r"[^()]*?(?:\(s\))?", decode=parse_counts, encode=_print_counts(25)),
    "gocounts": Codec(pattern=r"map\[[^\]]*\]", decode=_parse_go_counts, encode=_print_go_counts),
    "port": Codec(pattern=r"IP=\S+ Port=[0-9]+ Proto=\w+", decode=_parse_port, encode=_print_port),
}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiled when first needed: most of the some 200 templates are never met in one run."""
    return re.compile(pattern, re.DOTALL)


_HOLE = re.compile(r"\{(\w+)(?::(\w+))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template taken apart. `opens` is the literal text before the first hole, a cheap first test."""

    text: str
    opens: str
    pattern: str
    holes: tuple[tuple[str, Codec], ...]

    def read(self, text: str) -> dict[str, object] | None:
        """The holes' values, or None when the text is not of this template or a value is malformed."""
        if not text.startswith(self.opens) or len(text) > LONGEST_TEXT:
            return None
        found = _compiled(self.pattern).fullmatch(text)
        if found is None:
            return None
        values = {name: codec.decode(found[name]) for name, codec in self.holes}
        return None if any(value is None for value in values.values()) else values

    def write(self, values: Mapping[str, object], version: Version) -> str | None:
        """The template's text with these values, or None when a value is not one the hole can hold."""
        printed = {name: codec.encode(values[name], version) for name, codec in self.holes}
        if any(one is None for one in printed.values()):
            return None
        return _HOLE.sub(lambda hole: printed[hole[1]] or "", self.text)


def compile_template(text: str) -> Template:
    """Takes a template apart; KeyError names a codec that does not exist."""
    pattern, at = "", 0
    holes: list[tuple[str, Codec]] = []
    for hole in _HOLE.finditer(text):
        name, codec = hole[1], CODECS[hole[2] or "word"]
        pattern += re.escape(text[at : hole.start()])
        repeated = any(name == known for known, _ in holes)
        pattern += f"(?P={name})" if repeated else f"(?P<{name}>{codec.pattern})"
        if not repeated:
            holes.append((name, codec))
        at = hole.end()
    pattern += re.escape(text[at:])
    first = _HOLE.search(text)
    return Template(
        text=text,
        opens=text[: first.start()] if first else text,
        pattern=pattern,
        holes=tuple(holes),
    )
