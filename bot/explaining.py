"""`karpenter-bot explain`: pasted text in, what it proves out. Reads the text and, where it is wanted, EC2's facts."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bot.diagnosis.pasted import Explanation, explain_text
from bot.model.ec2 import Ec2Facts
from bot.model.gaps import gap_in
from bot.model.world import Missing
from bot.sources.ec2 import Ec2, Ec2Question
from bot.sources.snapshot import read_snapshot

LARGEST: Final = 8 << 20
"""Bytes of text that are read; what is longer is no paste but a log file, of which the beginning is read."""
_WITHOUT: Final = frozenset(
    {"on_demand_prices", "spot_prices", "subnets", "capacity_reservations", "quotas", "quota_usage", "zones"}
)
"""Facts of EC2 that no pasted text can be held against."""
STDIN: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An explanation, and what could not be read for it."""

    explanation: Explanation
    missing: tuple[Missing, ...]


def explained(source: str, *, snapshot: Path | None, region: str, clock: Callable[[], datetime]) -> Explained:
    """Explains a file (`-`: standard input). Raises OSError for a file that cannot be read, SnapshotError."""
    text, cut = read_input(source)
    now = clock()
    ec2, missing = _facts(snapshot, region, now)
    explanation = explain_text(text, ec2, now)
    return Explained(explanation=explanation, missing=(*cut, *missing))


async def explained_text(text: str, ec2: Ec2, region: str, clock: Callable[[], datetime]) -> Explanation:
    """Explains a message's text with EC2's facts of the region, as far as they can be had. Never raises over AWS."""
    seen = await ec2.observe_ec2(Ec2Question(region=region, leave_out=_WITHOUT))
    facts = seen.facts if seen.facts.instance_types else None
    return await asyncio.to_thread(explain_text, text, facts, clock())


def read_input(source: str) -> tuple[str, tuple[Missing, ...]]:
    """The text in whatever Unicode it was saved, and a gap where it was longer than is read."""
    if source == STDIN:
        raw = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with Path(source).open("rb") as file:
            raw = file.read(LARGEST + 1)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = raw[:LARGEST].decode(encoding, errors="replace")
    cut = gap_in("the rest of the text", "too-long", mib=str(LARGEST >> 20))
    return text, (cut,) if len(raw) > LARGEST else ()


def _facts(snapshot: Path | None, region: str, now: datetime) -> tuple[Ec2Facts | None, tuple[Missing, ...]]:
    if snapshot is not None:
        return read_snapshot(snapshot, now).ec2, ()
    if not region:
        return None, ()
    return asyncio.run(_observed(region))


async def _observed(region: str) -> tuple[Ec2Facts, tuple[Missing, ...]]:
    ec2 = Ec2()
    try:
        seen = await ec2.observe_ec2(Ec2Question(region=region, leave_out=_WITHOUT))
    finally:
        ec2.close()
    return seen.facts, seen.missing
