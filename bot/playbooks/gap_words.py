"""The sentences of what could not be read: bot/model/gaps.py has the English ones, every other language its own."""

from collections.abc import Mapping
from string import Formatter
from typing import Final

from markupsafe import Markup

from bot.model.gaps import PARTS, WHATS, WHYS
from bot.model.world import Missing
from bot.playbooks.markup import Line, mark
from bot.playbooks.phrases import Phrases

WRITTEN: Final = "en"
"""The language in which gaps are written; it needs no sentences of its own."""
_EXAMPLES: Final[Mapping[str, str]] = {"minutes": "12", "mib": "5", "status": "500", "code": "AccessDenied"}


def _facts(sentence: str) -> Mapping[str, str]:
    names = (name for _, name, _, _ in Formatter().parse(sentence) if name)
    return {name: _EXAMPLES.get(name, f"a {name}") for name in names}


GAPS: Final[Mapping[str, Mapping[str, object]]] = {
    **{f"missing-what.{what}": {} for what in WHATS},
    **{f"missing-part.{part}": {"what": "spot prices"} for part in PARTS},
    **{f"missing-why.{code}": _facts(sentence) for code, sentence in WHYS.items()},
    "missing-stale": {"why": "no permission", "minutes": "12"},
}
"""Keys that every language but the one in which gaps are written must have, with example values."""


def gap_line(missing: Missing, phrases: Phrases) -> Line:
    """One gap in the language's words; where it has none for the reason, as it is written."""
    return phrases.line("missing.one", what=_what(missing, phrases), why=_why(missing, phrases))


def _what(missing: Missing, phrases: Phrases) -> Markup:
    part = f"missing-part.{missing.facts.get('part', '')}"
    if phrases.has(part):
        return phrases.marked(part, what=phrases.said("missing-what", missing.facts["of"]))
    return phrases.said("missing-what", missing.what)


def _why(missing: Missing, phrases: Phrases) -> Markup:
    key = f"missing-why.{missing.code}"
    if not phrases.has(key):
        return mark(missing.why)
    said = phrases.marked(key, **missing.facts)
    stale = "minutes" in missing.facts and phrases.has("missing-stale")
    return phrases.marked("missing-stale", why=said, minutes=missing.facts["minutes"]) if stale else said
