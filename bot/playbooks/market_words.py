"""The sentences of the EC2 room (`_market.yaml`): keys with example values, as `check` needs them."""

from collections.abc import Mapping
from typing import Final

from bot.model.diagnosis import Cheapest

_PLACE: Final = {"instance_type": "p5.48xlarge", "zone": "ap-northeast-2a", "capacity_type": "spot"}
_MARK: Final = {**_PLACE, "reason": "InsufficientInstanceCapacity", "since": "11:20 UTC", "until": "11:23 UTC"}
_BEST: Final = Cheapest(
    instance_type="g6e.12xlarge",
    zone="ap-northeast-2c",
    capacity_type="spot",
    price_per_hour=3.1,
    on_demand_price_per_hour=10.49,
    as_of="2025-12-28",
)
FACTS: Final = (
    *("instance_types", "offerings", "spot_prices", "on_demand_prices", "subnets", "capacity_reservations", "quotas"),
    *("quota_usage", "zones", "spot_history", "placement_scores", "capacity_blocks", "identity"),
)
_STATES: Final = (
    *("open", "not-offered-in-zone", "not-sold", "unknown", "reservation-full", "over-quota", "no-addresses", "metric"),
)
_COLUMNS: Final = ("zone", "how", "state", "price", "range", "as-of", "score", "quota", "pools")
_NODE_STATES: Final = ("launching", "registering", "initializing", "ready", "deleting")

MARKET: Final[Mapping[str, Mapping[str, object]]] = {
    **{
        f"market.heading.{name}": {}
        for name in ("offerings", "marks", "quotas", "reservations", "spot", "types", "ages")
    },
    **{f"market.column.{n}": {} for n in (*_COLUMNS, "type")},
    **{f"market.state.{state}": {} for state in _STATES},
    "market.state.refused": {"until": "11:23"},
    "market.state.reserved": {"free": 2},
    "market.state.for-sale": {"start": "12-29 11:30", "hours": 24},
    **{
        f"market.title.{code}": {"name": "p5", "region": "ap-northeast-2", "sold": 2, "zones": 4}
        for code in ("offered", "not-offered", "unknown")
    },
    "market.cheapest": {
        **_PLACE,
        "price": 31.5,
        "on_demand": 98.3,
        "as_of": "2025-12-28",
        "on_demand_as_of": "2025-12-01",
    },
    "market.nothing-open": {},
    "market.no-rows": {},
    "market.mark-on": _MARK,
    "market.mark-off": _MARK,
    "market.quota": {
        "name": "Running On-Demand P instances",
        "limit": 192,
        "used": 96,
        "left": 96,
        "whole": True,
        "fits": 0,
        "as_of": "2025-12-28 11:20 UTC",
    },
    "market.reservation": {
        "id": "cr-0123456789abcdef0",
        "kind": "default",
        "zone": "ap-northeast-2a",
        "free": 1,
        "total": 2,
        "end": "2025-12-31T11:30:00Z",
        "pools": ("gpu",),
    },
    "market.block": {
        "count": 1,
        "instance_type": "p5.48xlarge",
        "zone": "ap-northeast-2a",
        "hours": 24,
        "start": "2025-12-29T11:30:00Z",
        "fee": "755.28",
        "currency": "USD",
    },
    "market.spot": {
        "instance_type": "p5.48xlarge",
        "zone": "ap-northeast-2a",
        "now": 31.5,
        "low": "$28.00",
        "high": "$33.25",
        "since": "2025-12-27 11:20 UTC",
        "changes": 3,
    },
    "market.type": {
        "name": "p5.48xlarge",
        "vcpus": 192,
        "gib": 2048,
        "gpus": 8,
        "gpu": "NVIDIA H100",
        "gpu_gib": 80,
        "efa": 32,
        "neuron": 0,
    },
    "market.type-unknown": {"name": "p9.48xlarge"},
    "market.age": {"facts": ["spot prices", "subnets"], "age": "2 min"},
    "market.ages": {"ages": ["spot prices 2 min old", "zones 3 h old"]},
    "market.chart.title": {"name": "p5.48xlarge"},
    "market.chart.x": {},
    "market.chart.y": {},
    **{f"market.note.{note}": {} for note in ("newer-than-tables", "outposts", "no-dollar-prices")},
    **{f"fact.{fact}": {} for fact in FACTS},
    "nodepools.title": {"count": 3, "ready": 2},
    "nodepools.about": {"cluster": "training", "region": "ap-northeast-2"},
    **{f"nodepools.{code}": {"weight": 10} for code in ("ready", "not-ready", "deleting", "static", "foreign")},
    "nodepools.class-unknown": {"name": "gpu"},
    "nodepools.condition": {
        "owner": "EC2NodeClass",
        "type": "SubnetsReady",
        "status": "False",
        "reason": "SubnetsNotFound",
        "message": "SubnetSelector did not match any Subnets",
        "since": "2025-12-28 11:20 UTC",
    },
    "nodepools.launch-unknown": {},
    "nodepools.launch-nothing": {},
    "nodepools.launch": {
        "types": 45,
        "families": ("g5", "g6e", "p5"),
        "zones": 4,
        "capacity_types": ("on-demand", "spot"),
        "offerings": 228,
        "open": 226,
        "cheapest": _BEST,
    },
    "nodepools.no-limits": {},
    "nodepools.limit": {"resource": "cpu", "limit": "1k", "used": "8", "left": "992"},
    "nodepools.launched": {"count": 2, "states": ["1 ready", "1 launching"]},
    **{f"nodepools.state.{state}": {"count": 2} for state in _NODE_STATES},
    **{f"nodepools.state-name.{state}": {} for state in _NODE_STATES},
    "nodepools.node": {"name": "gpu-7c4xn", **_PLACE, "state": "ready", "price": 31.5},
    "nodepools.marks": {"count": 2, "types": ("p5.48xlarge",), "until": "2025-12-28 11:23 UTC"},
    "nodepools.problem": {
        "at": "2025-12-28 11:20 UTC",
        "count": 3,
        "about": "gpu-7c4xn",
        "message": "creating instance, …",
    },
}
