"""Spot prices over the last day, by type and zone: a price holds until the next row says another one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.diagnosis.instance_offerings import dollars, is_linux
from bot.model.ec2 import SpotPrice

DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotDay:
    """One type's spot prices in one zone: dollars an hour. `changes`: (since, price), oldest first, at least one.

    `known_since`: where the known part of the last 24 hours begins (their start, where an older row tells what held then).
    """

    changes: tuple[tuple[datetime, float], ...]
    known_since: datetime

    @property
    def now(self) -> float:
        return self.changes[-1][1]

    @property
    def as_of(self) -> datetime:
        """Since when the price of now holds."""
        return self.changes[-1][0]

    @property
    def low(self) -> float:
        return min(price for _, price in self.changes)

    @property
    def high(self) -> float:
        return max(price for _, price in self.changes)

    def at(self, moment: datetime) -> float | None:
        """The price that held then; None before it is known."""
        held = [price for since, price in self.changes if max(since, self.known_since) <= moment]
        return held[-1] if held else None


def spot_days(rows: Iterable[SpotPrice], now: datetime) -> Mapping[tuple[str, str], SpotDay]:
    """(type, zone) -> its day up to `now`. Rows for other systems than Linux, without a time or a number are passed over.

    A row that is newer than `now` (clocks differ) counts as holding now.
    """
    found: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
    for row in rows:
        price = dollars(row.spot_price)
        if price is not None and row.timestamp is not None and is_linux(row):
            since = row.timestamp if row.timestamp.tzinfo else row.timestamp.replace(tzinfo=UTC)
            found.setdefault((row.instance_type, row.availability_zone), []).append((since, price))
    return {key: _day(sorted(changes), now - DAY) for key, changes in found.items()}


def _day(changes: Sequence[tuple[datetime, float]], start: datetime) -> SpotDay:
    before = [change for change in changes if change[0] <= start]
    within = [change for change in changes if change[0] > start]
    held = [*before[-1:], *within]
    return SpotDay(changes=tuple(held), known_since=max(held[0][0], start))
