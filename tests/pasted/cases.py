"""The real cases of cases.yaml with their texts, and how `explain` fares with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path

import yaml

from bot.diagnosis.pasted import Explanation, explain_text
from bot.model.ec2 import Ec2Facts, InstanceTypeOffering
from bot.sources.snapshot import read_snapshot

FOLDER = Path(__file__).parent
NOW = datetime(2025, 12, 28, 6, 3, 20, tzinfo=UTC)
SEOUL = "ap-northeast-2"
BEIJING = "cn-north-1"


class Outcome(StrEnum):
    """How an answer fares. A confident wrong cause is the only failure that misleads."""

    RIGHT = "right"
    UNKNOWN = "unknown"
    WRONG = "wrong"


@cache
def facts_of(region: str) -> Ec2Facts | None:
    """EC2's facts: Seoul's as recorded; of Beijing, that its first zone has no g5 (the case says so)."""
    if not region:
        return None
    seoul = read_snapshot(FOLDER.parent / "cases" / "seed-efa-8-on-g6e-8xlarge", NOW).ec2
    if region == SEOUL:
        return seoul
    offerings = tuple(
        InstanceTypeOffering(instance_type=info.instance_type, location=f"{region}{letter}")
        for info in seoul.instance_types or ()
        for letter in "ab"
        if letter != "a" or not info.instance_type.startswith("g5.")
    )
    return Ec2Facts(region=region, instance_types=seoul.instance_types, offerings=offerings)


@dataclass(frozen=True)
class PastedCase:
    """One real case: where its facts are from, what would be right, and whether the text can tell."""

    id: str
    family: str
    source: str
    right: Sequence[str]
    enough: bool
    ec2: str = ""

    @cached_property
    def text(self) -> str:
        """The text that a person pastes."""
        return (FOLDER / f"{self.id}.txt").read_text(encoding="utf-8")

    def explained(self, text: str | None = None) -> Explanation:
        """The answer for the text, or for another one with the same facts of EC2."""
        return explain_text(self.text if text is None else text, facts_of(self.ec2), NOW)

    @property
    def outcome(self) -> Outcome:
        """Right when at least one cause is, and none is not."""
        found = {cause.id for cause in self.explained().causes}
        if not found:
            return Outcome.UNKNOWN
        return Outcome.RIGHT if found <= set(self.right) else Outcome.WRONG


CASES = tuple(PastedCase(**one) for one in yaml.safe_load((FOLDER / "cases.yaml").read_text(encoding="utf-8")))
