"""The EC2 room's answers as JSON: what `offerings -o json` and `nodepools -o json` print. Fields are added, never renamed."""

from collections.abc import Mapping
from datetime import datetime

from bot.diagnosis.quotas import Quota
from bot.market.nodepools import Launchable, Launched, Limit, NodePools, NodePoolView, Problem
from bot.market.offerings import OfferingRow, OfferingsTable, TypeFigures
from bot.market.pools import PoolUse
from bot.model.diagnosis import Cheapest, Json
from bot.model.ec2 import CapacityBlockOffering, CapacityReservation
from bot.model.objects import Condition
from bot.model.world import Refused


def offerings_as_json(table: OfferingsTable, ages: Mapping[str, float], elapsed_ms: float) -> dict[str, Json]:
    """The whole table. `ages`: fact to its age in seconds, for what came out of a cache."""
    best = table.cheapest
    return {
        "region": table.region,
        "account": table.account or None,
        "asked": table.asked.name,
        "family": table.asked.family or None,
        "knownInRegion": table.asked.known_here,
        "now": _moment(table.now),
        "offered": table.offered,
        "instanceTypes": [_figures(one) for one in table.types],
        "offerings": [_row(row) for row in table.rows],
        "cheapest": _best(best) if best else None,
        "quotas": [_quota(one) for one in table.quotas],
        "reservations": [_reservation(one) for one in table.reservations],
        "capacityBlocks": [_block(one) for one in table.blocks],
        "notes": list(table.notes),
        "missing": [str(gap) for gap in table.missing],
        "agesSeconds": ages_as_json(ages),
        "elapsedMs": round(elapsed_ms, 1),
    }


def _figures(one: TypeFigures) -> Json:
    return {
        "instanceType": one.name,
        "vcpus": one.vcpus,
        "memoryMiB": one.memory_mib,
        "gpus": one.gpus,
        "gpuName": one.gpu_name or None,
        "gpuMemoryMiB": one.gpu_memory_mib or None,
        "efaInterfaces": one.efa,
        "neuronDevices": one.neuron_devices,
        "capacityBlocks": one.capacity_blocks,
        "newerThanTables": one.newer,
    }


def _row(row: OfferingRow) -> Json:
    day = row.spot
    return {
        "instanceType": row.instance_type,
        "zone": row.zone,
        "zoneId": row.zone_id or None,
        "zoneType": row.zone_type or None,
        "capacityType": row.capacity_type,
        "offered": row.offered,
        "whyNot": row.why_not or None,
        "open": row.open,
        "pricePerHour": row.price,
        "onDemandPricePerHour": row.on_demand_price,
        "asOf": row.as_of or None,
        "onDemandAsOf": row.on_demand_as_of or None,
        "spotRange": None
        if day is None
        else {"low": day.low, "high": day.high, "since": _moment(day.known_since), "changes": len(day.changes) - 1},
        "spotHistory": [{"since": _moment(at), "pricePerHour": price} for at, price in (day.changes if day else ())],
        "unavailable": _mark(row.mark, on=row.marked) if row.mark else None,
        "unavailableInMetrics": row.metric_unavailable,
        "reservation": _reservation(row.reservation) if row.reservation else None,
        "placementScore": row.score,
        "quota": _quota(row.quota) if row.quota else None,
        "quotaExceeded": row.quota_short,
        "freeAddresses": row.free_addresses,
        "nodepools": list(row.nodepools),
        "nodepoolsBlocked": [_blocked(use) for use in row.pools if use.why_not],
    }


def _best(row: OfferingRow) -> Json:
    return {
        "instanceType": row.instance_type,
        "zone": row.zone,
        "zoneId": row.zone_id or None,
        "capacityType": row.capacity_type,
        "pricePerHour": row.price,
        "onDemandPricePerHour": row.on_demand_price,
        "asOf": row.as_of or None,
        "onDemandAsOf": row.on_demand_as_of or None,
    }


def _blocked(use: PoolUse) -> Json:
    return {"name": use.name, "whyNot": use.why_not}


def _mark(mark: Refused, *, on: bool) -> Json:
    return {"active": on, "since": _moment(mark.since), "until": _moment(mark.until), "reason": mark.reason or None}


def _quota(quota: Quota) -> Json:
    return {
        "code": quota.code,
        "name": quota.name,
        "capacityType": quota.capacity_type,
        "limit": quota.limit,
        "used": quota.used,
        "left": quota.left,
        "usedIsWholeAccount": quota.whole_account,
        "asOf": _moment(quota.as_of),
    }


def _reservation(held: CapacityReservation) -> Json:
    return {
        "id": held.capacity_reservation_id,
        "instanceType": held.instance_type,
        "zone": held.availability_zone,
        "type": held.reservation_type,
        "state": held.state,
        "total": held.total_instance_count,
        "available": held.available_instance_count,
        "matchCriteria": held.instance_match_criteria or None,
        "startDate": _moment(held.start_date),
        "endDate": _moment(held.end_date),
    }


def _block(block: CapacityBlockOffering) -> Json:
    return {
        "id": block.capacity_block_offering_id,
        "instanceType": block.instance_type,
        "zone": block.availability_zone,
        "instanceCount": block.instance_count,
        "startDate": _moment(block.start_date),
        "endDate": _moment(block.end_date),
        "hours": block.capacity_block_duration_hours,
        "upfrontFee": block.upfront_fee,
        "currency": block.currency_code,
    }


def nodepools_as_json(answer: NodePools, ages: Mapping[str, float], elapsed_ms: float) -> dict[str, Json]:
    """All NodePools of the answer, in Karpenter's order."""
    return {
        "cluster": answer.cluster or None,
        "region": answer.region,
        "now": _moment(answer.now),
        "nodepools": [_pool(pool) for pool in answer.pools],
        "missing": [str(gap) for gap in answer.missing],
        "agesSeconds": ages_as_json(ages),
        "elapsedMs": round(elapsed_ms, 1),
    }


def _pool(pool: NodePoolView) -> Json:
    return {
        "name": pool.name,
        "ready": pool.ready,
        "notReady": pool.not_ready or None,
        "conditions": [_condition(one) for one in pool.conditions],
        "nodeClass": {
            "name": pool.node_class,
            "known": pool.node_class_known,
            "conditions": [_condition(one) for one in pool.node_class_conditions],
        },
        "weight": pool.weight,
        "requirements": list(pool.requirements),
        "taints": list(pool.taints),
        "limits": [_limit(one) for one in pool.limits],
        "canLaunch": _launchable(pool.launchable) if pool.launchable else None,
        "launched": [_launched(one) for one in pool.launched],
        "unavailable": [
            {
                "instanceType": m.instance_type,
                "zone": m.zone,
                "capacityType": m.capacity_type,
                **_plain(_mark(m, on=True)),
            }
            for m in pool.marks
        ],
        "errors": [_problem(one) for one in pool.problems],
    }


def _plain(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _condition(one: Condition) -> Json:
    return {
        "type": one.type,
        "status": one.status,
        "reason": one.reason,
        "message": one.message,
        "since": _moment(one.last_transition_time),
    }


def _limit(one: Limit) -> Json:
    return {"resource": one.resource, "limit": str(one.limit), "used": str(one.used), "left": str(one.left)}


def _launchable(found: Launchable) -> Json:
    return {
        "instanceTypes": list(found.instance_types),
        "families": list(found.families),
        "zones": list(found.zones),
        "capacityTypes": list(found.capacity_types),
        "offerings": found.offerings,
        "openOfferings": found.open,
        "cheapest": _cheapest(found.cheapest) if found.cheapest else None,
    }


def _cheapest(best: Cheapest) -> Json:
    return {
        "instanceType": best.instance_type,
        "zone": best.zone,
        "capacityType": best.capacity_type,
        "pricePerHour": best.price_per_hour,
        "onDemandPricePerHour": best.on_demand_price_per_hour,
        "asOf": best.as_of or None,
        "onDemandAsOf": best.on_demand_as_of or None,
    }


def _launched(one: Launched) -> Json:
    return {
        "nodeclaim": one.nodeclaim or None,
        "node": one.node or None,
        "instanceType": one.instance_type,
        "zone": one.zone,
        "capacityType": one.capacity_type,
        "state": one.state,
        "created": _moment(one.created),
        "pricePerHour": one.price,
    }


def _problem(one: Problem) -> Json:
    return {
        "kind": one.kind,
        "message": one.message,
        "about": one.about or None,
        "lastSeen": _moment(one.last),
        "count": one.count,
    }


def ages_as_json(ages: Mapping[str, float]) -> dict[str, Json]:
    """How old EC2's facts are in seconds: `{"spotPrices": 61.2}`."""
    return {_camel(fact): round(age, 1) for fact, age in ages.items()}


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
