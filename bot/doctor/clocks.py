"""How far this machine's clock is from those of others, told by their `Date` headers."""

from collections.abc import Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from bot.doctor.findings import Finding, State

NOTABLE: Final = 30.0
GRAVE: Final = 240.0
"""Slack's and AWS's signatures fail from 300 s on."""


def skew(dated: str, now: datetime, whose: str, area: str) -> Iterable[Finding]:
    """How far this clock is from another's `Date` header; nothing where there is none."""
    try:
        apart = abs((now - parsedate_to_datetime(dated)).total_seconds())
    except (TypeError, ValueError):
        return []
    if apart < NOTABLE:
        return [Finding(area=area, subject="clock", state=State.OK, found=f"{apart:.0f} s off {whose}")]
    state = State.OPTIONAL if apart < GRAVE else State.PROBLEM
    facts = {"seconds": f"{apart:.0f}", "whose": whose}
    return [
        Finding(area=area, subject="clock", state=state, found=f"{apart:.0f} s off {whose}", fix="clock", facts=facts)
    ]
