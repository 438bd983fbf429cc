"""Precision and recall of recognition over the corpus, as a table.

python -m tests.alerts.recognition
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bot.alerts import as_json, recognise
from tests.alerts import chat, firing, later, public
from tests.alerts.layouts import Event

FIELDS = (
    "sender",
    "alertname",
    "status",
    "cluster",
    "namespace",
    "pod",
    "job",
    "node",
    "nodepool",
    "nodeclaim",
    "question",
)
GIVEN = Path(__file__).parent / "given"
FIRST_LOOK = {"public.HELD_BACK": (19, 26), "later": (17, 19)}
"""Layouts on which nothing was tuned when they were first read: messages without a wrong field, and how many there are."""
Row = tuple[str, Event, dict[str, Any], dict[str, list[Any]]]


def corpus() -> Iterator[Row]:
    """Name, event, what must be read, and what else may be."""
    for file in sorted(GIVEN.glob("*.json")):
        if not file.name.endswith(".expected.json"):
            expected = json.loads(file.with_suffix("").with_suffix(".expected.json").read_text(encoding="utf-8"))
            yield file.stem, json.loads(file.read_text(encoding="utf-8")), expected, expected.get("accept", {})
    for name, event, expected in (*firing.cases(), *public.cases(), *later.CASES):
        loose = {field: list(value) for field, value in expected.items() if isinstance(value, list)}
        if "alertname" not in expected:  # a case that says nothing about some field names it by leaving the name out
            loose |= {field: [...] for field in FIELDS if field not in expected}
        yield name, event, expected, loose
    for name, event in (*chat.messages(), *public.chat(), *later.CHAT):
        yield name, event, {"recognised": False}, {}


def wrong_fields(event: Event, expected: dict[str, Any], accepted: dict[str, list[Any]]) -> dict[str, tuple[Any, Any]]:
    """Field -> (read, expected), where they differ."""
    read = as_json(recognise(event))
    wrong: dict[str, tuple[Any, Any]] = {}
    for field in ("recognised", *FIELDS):
        got, want = read[field], expected.get(field)
        also = accepted.get(field, [])
        same = got == want or (field == "alertname" and str(got).lower() == str(want).lower())
        if not same and got not in also and also != [...]:
            wrong[field] = (got, want)
    return wrong


def table(rows: Sequence[Row]) -> str:
    """Alerts recognised, chat left alone, and each field."""
    recognised = [(expected["recognised"], recognise(event) is not None) for _, event, expected, _ in rows]
    right = sum(want and got for want, got in recognised)
    precision = right / max(1, sum(got for _, got in recognised))
    recall = right / max(1, sum(want for want, _ in recognised))
    wrong = Counter(field for _, event, expected, also in rows for field in wrong_fields(event, expected, also))
    alerts = sum(want for want, _ in recognised)
    lines = [
        f"messages {len(rows)}, of them alerts {alerts}, chat and others {len(rows) - alerts}",
        f"precision {precision:.1%}   recall {recall:.1%}",
        *(f"  {field:<12} {1 - wrong[field] / alerts:7.1%} right" for field in FIELDS),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    everything = list(corpus())
    print(table(everything))
    for what, (read, of) in FIRST_LOOK.items():
        print(f"at the first look, before anything was mended for them: {what}: {read} of {of} without a fault")
    for name, event, expected, also in everything:
        if found := wrong_fields(event, expected, also):
            print(f"{name}: " + ", ".join(f"{field} {got!r}, not {want!r}" for field, (got, want) in found.items()))
