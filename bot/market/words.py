"""Tables and views of the EC2 room -> sheets in one language."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bot.diagnosis.instance_offerings import dollars
from bot.diagnosis.quotas import CAPACITY_BLOCK, Quota
from bot.market.charts import charted, spot_chart
from bot.market.offerings import OfferingRow, OfferingsTable, TypeFigures
from bot.model.ec2 import CapacityBlockOffering
from bot.model.labels import RESERVED, SPOT
from bot.model.world import Missing
from bot.playbooks import Line, LineKind, Phrases, clean
from bot.playbooks.ages import render_ages
from bot.playbooks.gap_words import gap_line
from bot.playbooks.sheet import Grid, Part, Sheet

_COLUMNS: Final = ("zone", "how", "state", "price", "range", "as-of", "score", "quota", "pools")
_OPTIONAL: Final = ("score", "quota")
"""Columns that stand there only where some row has them."""
_NOTHING: Final = "–"
_MOST_BLOCKS: Final = 5


def offerings_sheet(table: OfferingsTable, phrases: Phrases, ages: Mapping[str, float]) -> Sheet:
    """The table as people read it: what is offered and open, at what price, and what is in the way."""
    parts = (
        Part(heading=phrases.text("market.heading.offerings"), grid=_grid(table, phrases)),
        _part(phrases, "marks", _marks(table, phrases)),
        _part(phrases, "quotas", _quotas(table, phrases)),
        _part(phrases, "reservations", [*_reservations(table, phrases), *_blocks(table, phrases)]),
        _part(phrases, "spot", _spot(table, phrases)),
        _part(phrases, "types", [_type_line(one, phrases) for one in table.types]),
        _part(phrases, "ages", age_lines(ages, phrases)),
    )
    return Sheet(
        title=_title(table, phrases),
        about=_about(table, phrases),
        parts=tuple(part for part in parts if part.lines or (part.grid and part.grid.rows)),
        chart=spot_chart(table, phrases),
        missing=missing_lines(table.missing, phrases),
        notes=tuple(phrases.line(f"market.note.{note}") for note in table.notes),
    )


def _part(phrases: Phrases, name: str, lines: Sequence[Line]) -> Part:
    return Part(
        heading=phrases.text(f"market.heading.{name}"), lines=tuple(Line(x.spans, LineKind.BULLET) for x in lines)
    )


def missing_lines(missing: Sequence[Missing], phrases: Phrases) -> tuple[Line, ...]:
    """What could not be read, one line each."""
    return tuple(gap_line(one, phrases) for one in missing)


def age_lines(ages: Mapping[str, float], phrases: Phrases) -> list[Line]:
    """One line with the ages of what came out of a cache; none where all is fresh."""
    line = render_ages(ages, phrases)
    return [line] if line else []


def _title(table: OfferingsTable, phrases: Phrases) -> Line:
    sold = {row.zone for row in table.rows if row.offered and row.capacity_type != RESERVED}
    zones = {row.zone for row in table.rows if row.capacity_type != RESERVED}
    code = {True: "offered", False: "not-offered", None: "unknown"}[table.offered]
    return phrases.line(
        f"market.title.{code}", name=table.asked.name, region=table.region or "?", sold=len(sold), zones=len(zones)
    )


def _about(table: OfferingsTable, phrases: Phrases) -> Line:
    best = table.cheapest
    if best is None:
        return phrases.line("market.nothing-open" if table.rows else "market.no-rows")
    return phrases.line(
        "market.cheapest",
        instance_type=best.instance_type,
        zone=best.zone,
        capacity_type=best.capacity_type,
        price=best.price,
        on_demand=best.on_demand_price if best.capacity_type == SPOT else None,
        as_of=best.as_of,
        on_demand_as_of=best.on_demand_as_of,
    )


def _grid(table: OfferingsTable, phrases: Phrases) -> Grid:
    """A row each, Capacity Blocks for sale last; the type stands in front where there are several."""
    several = len(table.types) > 1
    rows = [_cells(row, phrases) for row in table.rows if not several or row.offered is not False]
    rows += [_block_cells(block, table, phrases) for block in table.blocks[:_MOST_BLOCKS]]
    empty = {name for name in _OPTIONAL if all(cells[name] == _NOTHING for cells in rows)}
    names = [*(["type"] if several else []), *(c for c in _COLUMNS if c not in empty)]
    return Grid(
        columns=tuple(phrases.text(f"market.column.{name}") for name in names),
        rows=tuple(tuple(clean(cells[name]) for name in names) for cells in rows),
    )


def _cells(row: OfferingRow, phrases: Phrases) -> dict[str, str]:
    return {
        "type": row.instance_type,
        "zone": f"{row.zone} ({row.zone_id})" if row.zone_id else row.zone,
        "how": _how(row),
        "state": state_of(row, phrases),
        "price": phrases.price(row.price) if row.price is not None else _NOTHING,
        "range": f"{phrases.figure(row.spot.low)}–{phrases.figure(row.spot.high)}" if row.spot else _NOTHING,
        "as-of": phrases.moment(row.as_of, "day") if row.as_of and row.price is not None else _NOTHING,
        "score": str(row.score) if row.score is not None else _NOTHING,
        "quota": _left(row.quota) if row.quota is not None else _NOTHING,
        "pools": ", ".join((*row.nodepools, *(f"({u.name})" for u in row.pools if u.why_not))) or _NOTHING,
    }


def _left(quota: Quota) -> str:
    """`96/192`: vCPUs left of the limit; `≤96/192` where only this cluster's nodes were counted, `?/192` where nothing was."""
    left = "?" if quota.left is None else f"{'' if quota.whole_account else '≤'}{quota.left:.0f}"
    return f"{left}/{quota.limit:.0f}"


def _block_cells(block: CapacityBlockOffering, table: OfferingsTable, phrases: Phrases) -> dict[str, str]:
    """A Capacity Block that can be bought: its price by the instance and hour, though it is paid at once."""
    start, fee = block.start_date, dollars(block.upfront_fee) if block.currency_code == "USD" else None
    hours = block.instance_count * block.capacity_block_duration_hours
    ids = {row.zone: row.zone_id for row in table.rows if row.zone_id}
    zone_id = ids.get(block.availability_zone)
    return {
        "type": block.instance_type,
        "zone": f"{block.availability_zone} ({zone_id})" if zone_id else block.availability_zone,
        "how": CAPACITY_BLOCK,
        "state": phrases.text(
            "market.state.for-sale",
            start=phrases.moment(start) or "?",
            hours=block.capacity_block_duration_hours,
        ),
        "price": phrases.price(fee / hours) if fee is not None and hours else _NOTHING,
        "range": _NOTHING,
        "as-of": phrases.moment(table.now, "day"),
        "score": _NOTHING,
        "quota": _NOTHING,
        "pools": _NOTHING,
    }


def _how(row: OfferingRow) -> str:
    """The capacity type; of a reservation that is no plain one, its own type (`capacity-block`)."""
    kind = row.reservation.reservation_type if row.reservation else "default"
    return row.capacity_type if kind == "default" else kind


def state_of(row: OfferingRow, phrases: Phrases) -> str:
    """Whether it is open, else the first thing that stands against it."""
    if row.why_not:
        return phrases.text(f"market.state.{row.why_not}")
    if row.marked and row.mark is not None:
        until = phrases.moment(row.mark.until, "clock") or "?"
        return phrases.text("market.state.refused", until=until)
    code = "no-addresses" if row.free_addresses == 0 else "over-quota" if row.quota_short else ""
    if not code and row.metric_unavailable and row.pools:
        code = "metric"
    if not code and row.reservation is not None:
        return phrases.text("market.state.reserved", free=row.reservation.available_instance_count)
    return phrases.text(f"market.state.{code or 'open'}")


def _marks(table: OfferingsTable, phrases: Phrases) -> list[Line]:
    return [
        phrases.line(
            "market.mark-on" if row.marked else "market.mark-off",
            instance_type=row.instance_type,
            zone=row.zone,
            capacity_type=row.capacity_type,
            reason=row.mark.reason or "?",
            since=phrases.moment(row.mark.since) or "?",
            until=phrases.moment(row.mark.until) or "?",
        )
        for row in table.rows
        if row.mark is not None
    ]


def _quotas(table: OfferingsTable, phrases: Phrases) -> list[Line]:
    return [_quota(quota, table, phrases) for quota in table.quotas]


def _quota(quota: Quota, table: OfferingsTable, phrases: Phrases) -> Line:
    own = {row.instance_type for row in table.rows if row.quota == quota}
    sizes = [one.vcpus for one in table.types if one.name in own and one.vcpus]
    left = quota.limit if quota.left is None else quota.left
    return phrases.line(
        "market.quota",
        name=quota.name or quota.code,
        limit=int(quota.limit),
        used=None if quota.used is None else int(quota.used),
        left=int(left),
        whole=quota.whole_account,
        fits=int(left // min(sizes)) if sizes else None,
        as_of=phrases.moment(quota.as_of),
    )


def _reservations(table: OfferingsTable, phrases: Phrases) -> Iterator[Line]:
    for row in table.rows:
        held = row.reservation
        if held is not None:
            yield phrases.line(
                "market.reservation",
                id=held.capacity_reservation_id,
                kind=held.reservation_type,
                zone=held.availability_zone,
                free=held.available_instance_count,
                total=held.total_instance_count,
                end=held.end_date.isoformat() if held.end_date else "",
                pools=row.nodepools,
            )


def _blocks(table: OfferingsTable, phrases: Phrases) -> Iterator[Line]:
    for block in table.blocks[:_MOST_BLOCKS]:
        yield phrases.line(
            "market.block",
            count=block.instance_count,
            instance_type=block.instance_type,
            zone=block.availability_zone,
            hours=block.capacity_block_duration_hours,
            start=block.start_date.isoformat() if block.start_date else "?",
            fee=block.upfront_fee,
            currency=block.currency_code,
        )


def _spot(table: OfferingsTable, phrases: Phrases) -> list[Line]:
    """What the chart shows, in words: the price of now, the lowest and the highest."""
    return [
        phrases.line(
            "market.spot",
            instance_type=row.instance_type,
            zone=row.zone,
            now=day.now,
            low=phrases.price(day.low),
            high=phrases.price(day.high),
            since=phrases.moment(day.known_since),
            changes=len(day.changes) - 1,
        )
        for row, day in charted(table)
    ]


def _type_line(one: TypeFigures, phrases: Phrases) -> Line:
    if one.vcpus is None:
        return phrases.line("market.type-unknown", name=one.name)
    return phrases.line(
        "market.type",
        name=one.name,
        vcpus=one.vcpus,
        gib=round((one.memory_mib or 0) / 1024),
        gpus=one.gpus,
        gpu=one.gpu_name,
        gpu_gib=round(one.gpu_memory_mib / 1024),
        efa=one.efa,
        neuron=one.neuron_devices,
    )
