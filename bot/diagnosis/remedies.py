"""From minimal corrections to Remedies: the edits that relax those constraints, what they open, in which order.

A correction with a constraint that nobody can edit (what EC2 offers, what it refused) is no remedy. The order is a table:
what a senior engineer would try first has the smaller number (docs/ranking.md says why).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from typing import Final

from bot.diagnosis.comparison import compared, gpu_change
from bot.diagnosis.conflicts import Solved
from bot.diagnosis.edits import Opening, Part, edits
from bot.diagnosis.quotas import Quotas
from bot.diagnosis.requirements import Requirement
from bot.model.diagnosis import Change, Cheapest, Compared, Kind, Opens, Remedy
from bot.model.ec2 import Ec2Facts, OnDemandPrice
from bot.model.labels import CAPACITY_TYPE, INSTANCE_TYPE, SPOT, ZONE
from bot.model.quantities import Quantity
from bot.model.world import InstanceType, Offering

MOST_EDITS: Final = 3
"""A remedy that needs more edits at once is not the smallest safe patch any more."""

RANK: Final = {
    "reduce-resource": 0,
    "add-toleration": 10,
    "change-node-selector": 20,
    "allow-capacity-type": 20,
    "widen-node-selector": 30,
    "drop-node-selector": 40,
    "drop-affinity": 45,
    "relax-topology-spread": 50,
    "drop-resource": 55,
    "drop-pod-affinity": 60,
    "drop-host-port": 65,
    "add-requirement-value": 100,
    "raise-limit": 110,
    "lower-min-values": 120,
    "add-nodepool-label": 130,
    "drop-requirement": 140,
    "change-nodepool-label": 150,
}
"""Smaller is tried first: fix a count, tolerate, widen a pin, drop one, and only then change what others share."""
PIN_RANK: Final = {ZONE: 0, CAPACITY_TYPE: 1, INSTANCE_TYPE: 4}
"""Among pins: a zone is given up before a capacity type, both before the instance type."""
PIN_RANK_OF_OTHERS: Final = 2
ANOTHER_EDIT: Final = 60
"""Added for every edit after the first."""
GPU_CHANGES: Final = 150
"""Added when the remedy leads to other GPUs than the pod asked for: never first, always said."""


def remedies(solved: Solved, most_edits: int = MOST_EDITS) -> Iterator[Remedy]:
    """Every remedy of at most so many edits for one NodePool and OR-term, unordered and with undated prices."""
    for correction in solved.corrections:
        if len(correction.constraints) > most_edits:
            continue
        chosen = _choose(Opening(solved.partition, correction.constraints, correction.rows))
        choices = [edits(chosen, c) for c in sorted(correction.constraints, key=lambda c: c.id)]
        if choices and chosen.rows:
            for parts in product(*choices):
                yield remedy_of(chosen, _merged(parts))


def _merged(parts: Sequence[Part]) -> tuple[Part, ...]:
    """A requirement that goes takes its values and its minValues with it: one edit, not two."""
    dropped = {part.edit.field: part for part in parts if part.remedy == "drop-requirement"}
    kept = (part for part in parts if part.edit.field.removesuffix(".minValues") not in dropped)
    return (*dropped.values(), *kept)


def _choose(opening: Opening) -> Opening:
    """Where resources are reduced: keep the offerings that need the smallest reduction of all of them."""
    wanted = {c.subject: Quantity.parse(c.values[0]).nano for c in opening.relaxed if c.kind is Kind.RESOURCE}
    if not wanted or not opening.rows:
        return opening
    left: dict[int, list[int]] = {}
    for resource in wanted:
        for nano, position in opening.left(resource):
            left.setdefault(position, []).append(nano)
    best = max(left.values(), key=lambda have: min(h / max(w, 1) for h, w in zip(have, wanted.values(), strict=True)))
    chosen = sum(1 << i for i, have in left.items() if all(b <= h for b, h in zip(best, have, strict=True)))
    return Opening(opening.partition, opening.relaxed, opening.rows & opening.partition.space.rows_of_types(chosen))


def remedy_of(opening: Opening, parts: Sequence[Part]) -> Remedy:
    """The remedy that makes these edits together."""
    opening = _narrowed(opening, parts)
    ids = tuple(part.remedy for part in parts)
    opened = opens(opening)
    return Remedy(
        id=ids[0] if len(ids) == 1 else "combined",
        relaxes=tuple(sorted(opening.relaxed, key=lambda c: c.id)),
        edits=tuple(part.edit for part in parts),
        opens=opened,
        nodepool=opening.partition.template.name,
        facts=parts[0].facts if len(parts) == 1 else {"parts": ids},
        parts=tuple((part.remedy, part.facts) for part in parts),
        cautions=tuple(_cautions(opened, ids)),
    )


def _narrowed(opening: Opening, parts: Sequence[Part]) -> Opening:
    """Where an edit sets a label to one value, only offerings with that value are opened."""
    space, rows = opening.partition.space, opening.rows
    for edit in (part.edit for part in parts):
        if edit.constraint.kind is Kind.NODE_SELECTOR and edit.change is Change.SET:
            rows &= space.rows_meeting(Requirement.of(edit.subject, "In", (str(edit.new),)))
    return Opening(opening.partition, opening.relaxed, rows)


def _cautions(opened: Opens, ids: Sequence[str]) -> Iterator[str]:
    if opened.gpus_meant:
        yield "other-gpu"
    if any(RANK.get(i, 0) >= RANK["add-requirement-value"] for i in ids):
        yield "shared-nodepool"


def opens(opening: Opening) -> Opens:
    """The launchable offerings that a remedy gives: how many, of which types, where, and the cheapest."""
    space, rows = opening.partition.space, opening.rows
    found = space.cheapest(rows)
    best = cheapest(*found) if found else None
    meant, opened = gpu_change(opening)
    return Opens(
        offerings=rows.bit_count(),
        instance_types=tuple(sorted(t.name for t in opening.types)),
        zones=tuple(sorted({space.slots[s].zone for s in space.slots_of_rows(rows)})),
        capacity_types=tuple(sorted({space.slots[s].capacity_type for s in space.slots_of_rows(rows)})),
        cheapest=best,
        compared=compared(opening, best),
        gpus_meant=meant,
        gpus_opened=opened,
    )


def within_quotas(remedy: Remedy, quotas: Quotas) -> Remedy:
    """The remedy with a caution where the vCPU quotas are known to have no room for what it opens, or for the cheapest."""
    opens, best = remedy.opens, remedy.opens.cheapest
    ways = [(name, kind) for name in opens.instance_types for kind in opens.capacity_types]
    if ways and all(quotas.short(*way) is not None for way in ways):
        return replace(remedy, cautions=(*remedy.cautions, "over-quota"))
    if best is not None and quotas.short(best.instance_type, best.capacity_type) is not None:
        return replace(remedy, cautions=(*remedy.cautions, "cheapest-over-quota"))
    return remedy


def cheapest(instance_type: InstanceType, offering: Offering) -> Cheapest:
    """One offering as a remedy names it."""
    return Cheapest(
        instance_type=instance_type.name,
        zone=offering.zone,
        capacity_type=offering.capacity_type,
        price_per_hour=offering.price,
    )


def dated(found: Sequence[Remedy], ec2: Ec2Facts) -> tuple[Remedy, ...]:
    """The remedies with the on-demand price beside their cheapest offerings, and the moment that each price is from."""
    with_price = iter(priced([remedy.opens.cheapest for remedy in found if remedy.opens.cheapest], ec2))
    moments = _Moments.of(ec2, [place for remedy in found for place in _compared_place(remedy.opens.compared)])
    return tuple(
        replace(
            remedy,
            opens=replace(
                remedy.opens, cheapest=next(with_price), compared=_with_moment(remedy.opens.compared, moments)
            ),
        )
        if remedy.opens.cheapest
        else remedy
        for remedy in found
    )


def _compared_place(asked: Compared | None) -> Sequence[tuple[str, str]]:
    return () if asked is None else ((asked.instance_type, asked.zone),)


def _with_moment(asked: Compared | None, moments: "_Moments") -> Compared | None:
    return asked and replace(asked, as_of=moments.of_price(asked.instance_type, asked.zone, asked.capacity_type))


def priced(best: Sequence[Cheapest], ec2: Ec2Facts) -> tuple[Cheapest, ...]:
    """Offerings with the on-demand price beside their own, and the moment that each price is from."""
    moments = _Moments.of(ec2, [(b.instance_type, b.zone) for b in best])
    return tuple(_priced(one, moments) for one in best)


@dataclass(frozen=True, slots=True)
class _Moments:
    """When prices are from: on demand by type (in force since), spot by type and zone (the newest row's time)."""

    on_demand: Mapping[str, OnDemandPrice]
    spot: Mapping[tuple[str, str], datetime]

    @classmethod
    def of(cls, ec2: Ec2Facts, places: Sequence[tuple[str, str]]) -> "_Moments":
        """Of these types and zones alone: a region has tens of thousands of prices."""
        names, wanted = {name for name, _ in places}, set(places)
        on_demand: dict[str, OnDemandPrice] = {}
        for price in ec2.on_demand_prices or ():
            if price.instance_type in names:
                on_demand.setdefault(price.instance_type, price)
        newest: dict[tuple[str, str], datetime] = {}
        for row in ec2.spot_prices or ():
            if row.instance_type in names and row.timestamp is not None:
                where = row.instance_type, row.availability_zone
                if where in wanted:
                    newest[where] = max(newest.get(where, row.timestamp), row.timestamp)
        return cls(on_demand, newest)

    def of_price(self, name: str, zone: str, capacity_type: str) -> str:
        """RFC 3339 or a date; "" where it is not known."""
        if capacity_type == SPOT:
            since = self.spot.get((name, zone))
            return since.isoformat() if since else ""
        price = self.on_demand.get(name)
        return price.effective if price else ""


def _priced(best: Cheapest, moments: _Moments) -> Cheapest:
    price = moments.on_demand.get(best.instance_type)
    as_of = moments.of_price(best.instance_type, best.zone, best.capacity_type)
    return replace(
        best,
        on_demand_price_per_hour=price.price_per_hour if price else None,
        as_of=as_of if best.price_per_hour is not None else "",
        on_demand_as_of=price.effective if price else "",
    )


def rank(remedy: Remedy) -> tuple[float, ...]:
    """The order in which remedies are offered: the table, then what opens more, then what costs less."""
    score = sum(
        RANK.get(name, 200) + PIN_RANK.get(edit.subject, PIN_RANK_OF_OTHERS)
        for (name, _), edit in zip(remedy.parts, remedy.edits, strict=True)
    )
    score += ANOTHER_EDIT * (len(remedy.edits) - 1) + (GPU_CHANGES if "other-gpu" in remedy.cautions else 0)
    price = remedy.opens.cheapest.price_per_hour if remedy.opens.cheapest else None
    return (score, -remedy.opens.offerings, price if price is not None else float("inf"))
