"""Spot prices of the last day as a chart: one line a zone (or a type), at moments that all of them are known for."""

from datetime import datetime, timedelta
from typing import Final

from bot.diagnosis.spot_history import DAY, SpotDay
from bot.market.offerings import OfferingRow, OfferingsTable
from bot.model.labels import SPOT
from bot.playbooks import Phrases
from bot.playbooks.sheet import Chart, Series

STEP: Final = timedelta(minutes=90)
"""Seventeen moments a day: Slack's charts take at most 20 categories."""
MOST_SERIES: Final = 6
"""As many as eyes can keep apart; Slack's first edition of the block took no more either."""
_SHORTEST: Final = timedelta(hours=3)


def spot_chart(table: OfferingsTable, phrases: Phrases) -> Chart | None:
    """The chart, or None where less than three hours are known of every zone."""
    chosen = charted(table)
    known = [(row, day) for row, day in chosen if day.known_since <= table.now - _SHORTEST]
    if not known:
        return None
    start = max(table.now - DAY, *(day.known_since for _, day in known))
    moments = [at for at in _moments(table.now) if at >= start]
    several = len({row.instance_type for row, _ in known}) > 1
    series = tuple(
        Series(name=_name(row, table.region, several=several), values=tuple(day.at(at) or 0.0 for at in moments))
        for row, day in known
    )
    return Chart(
        title=phrases.text("market.chart.title", name=table.asked.name),
        y_label=phrases.text("market.chart.y"),
        x_label=phrases.text("market.chart.x"),
        categories=tuple(phrases.moment(at, "tick") for at in moments),
        series=series,
    )


def _moments(now: datetime) -> list[datetime]:
    return [now - STEP * step for step in range(DAY // STEP, -1, -1)]


def charted(table: OfferingsTable) -> list[tuple[OfferingRow, SpotDay]]:
    """Every zone of one type; of a family each type's cheapest zone."""
    spot = [(row, row.spot) for row in table.rows if row.capacity_type == SPOT and row.spot is not None]
    if len(table.types) > 1:
        best: dict[str, tuple[OfferingRow, SpotDay]] = {}
        for row, day in spot:
            if row.instance_type not in best or day.now < best[row.instance_type][1].now:
                best[row.instance_type] = row, day
        spot = list(best.values())
    return spot[:MOST_SERIES]


def _name(row: OfferingRow, region: str, *, several: bool) -> str:
    """At most 20 characters: Slack's labels have no more."""
    zone = row.zone.removeprefix(region) or row.zone
    return f"{row.instance_type} {zone}"[:20] if several else row.zone[:20]
