"""The sentences of `why-gone`: what became of a node, each moment of its life, each protection. One table each."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Final

from bot.diagnosis.timeline import EVENTS

STATES: Final = ("gone", "going", "here", "unknown")
SHIELD_STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "do-not-disrupt": ("absent", "held", "counted", "does-not-count", "unknown"),
    "pdb": ("absent", "held", "counted", "does-not-count", "unknown"),
    "budget": ("absent", "counted", "does-not-count", "unknown"),
    "grace-period": ("absent", "counted"),
}
_IT: Final = SimpleNamespace(
    subject="ip-10-0-12-7.ap-northeast-2.compute.internal",
    kind="Node",
    node="ip-10-0-12-7.ap-northeast-2.compute.internal",
    nodeclaim="gpu-x7k2p",
    nodepool="gpu",
    jobs=("default/llama-3-8b-node-0",),
    cluster="training",
    karpenter_version="1.8.1",
)
_MOMENT: Final[Mapping[str, object]] = {
    "reason": "underutilized",
    "decision": "replace",
    "count": 2,
    "instead": "g6e.12xlarge",
    "pods": ("default/train-0",),
    "message": "Evicted pod",
}
_SHIELD: Final[Mapping[str, object]] = {"value": "24h", "names": ("train",), "nodes": ("10%",)}

GONE: Final[Mapping[str, Mapping[str, object]]] = {
    **{f"gone.{state}": {"it": _IT} for state in STATES},
    **{f"gone-name.{state}": {} for state in STATES},
    "gone.about": {"it": _IT, "state": "gone"},
    **{f"lives.{name}": {} for name in ("title", "unit", "node", "from", "until", "ended")},
    **{f"lives.{name}": {"time": "2025-12-28 06:03 UTC"} for name in ("before", "after")},
    "lives.axis": {"since": "2025-12-28 06:03 UTC", "until": "2025-12-28 07:03 UTC"},
    "moment-line": {"time": "2025-12-28 06:03 UTC", "told": "It began.", "times": 2},
    **{f"moment.{event}": _MOMENT for event in EVENTS},
    **{f"shield.{name}.{state}": _SHIELD for name, states in SHIELD_STATES.items() for state in states},
}
