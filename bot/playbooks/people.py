"""The sentences of the shortcut, the Home tab and the pictures: keys of `_people.yaml`, each with example values."""

from collections.abc import Mapping
from typing import Final

from bot.model.proposals import State

_PLAIN: Final = (
    "title",
    "reading",
    "none",
    "teams",
    "ask",
    "refresh",
    "pools",
    "no-pools",
    "ready",
    "unknown",
    "no-limits",
    "settings",
    "language",
    "as-slack",
    "changes",
    "no-changes",
    "every-team",
    "my-team",
)

PEOPLE: Final[Mapping[str, Mapping[str, object]]] = {
    "explain-this.nothing": {},
    "explain-this.ask": {"pod": "train-0"},
    **{f"home.{key}": {} for key in _PLAIN},
    **{f"home.state.{state.value}": {} for state in State},
    "home.change": {"summary": "Raise the limit", "state": "done"},
    "home.of-team": {"team": "ml", "pods": 2, "waiting": 9},
    "home.cluster": {"cluster": "prod", "time": "2025-12-28 06:03 UTC"},
    "home.failed": {"cluster": "prod", "why": "connection refused"},
    "home.waiting": {"pods": 3, "workloads": 2},
    "home.more": {"count": 5},
    "home.cause": {"title": "Taint not tolerated", "pods": 2},
    "home.team": {"team": "ml", "pods": 2},
    "home.workload": {"namespace": "ml", "workload": "train", "pods": 2},
    "home.not-ready": {"why": "NodeClass not ready"},
    "home.limit": {"resource": "nvidia.com/gpu", "used": "16", "limit": "16", "full": True},
    "home.pool": {"name": "gpu", "state": "ready", "limits": ["no limits"]},
    "funnel.title": {},
    "funnel.text": {"name": "gpu", "steps": "5,214 → 0"},
    "funnel.all": {},
    "funnel.ec2": {},
    "funnel.volume": {},
    "funnel.show": {},
}
