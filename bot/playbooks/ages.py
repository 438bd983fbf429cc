"""How old EC2's facts are, in one line: those of one age together, the youngest first."""

from collections.abc import Mapping
from typing import Final

from bot.playbooks.markup import Line
from bot.playbooks.phrases import Phrases

_FRESH: Final = 1.0
"""Seconds up to which an answer is as good as new."""


def render_ages(ages: Mapping[str, float], phrases: Phrases) -> Line | None:
    """`spot prices 2 min old, instance types and zones 3 h old`; None where all of it is fresh."""
    groups: dict[str, list[str]] = {}
    for fact, age in sorted(ages.items(), key=lambda one: one[1]):
        if age >= _FRESH:
            groups.setdefault(phrases.age(age), []).append(fact)
    if not groups:
        return None
    said = [
        phrases.marked("market.age", facts=[phrases.marked(f"fact.{fact}") for fact in facts], age=age)
        for age, facts in groups.items()
    ]
    return phrases.line("market.ages", ages=said)
