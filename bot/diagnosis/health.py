"""Nodes that are not well: which condition says so and since when, and nodes that come and go.

A node that is NotReady has `Ready` False (the kubelet says why) or Unknown (it says nothing any more); pressure conditions
are bad when True (kubernetes pkg/kubelet/nodestatus, pkg/controller/nodelifecycle). Karpenter's node-monitoring conditions
(`AcceleratedHardwareReady` ...) are bad when False (eks-node-monitoring-agent).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.diagnosis.history import History
from bot.diagnosis.proven import cause
from bot.karpenter import Signal, SignalKind
from bot.model.diagnosis import Cause, Fact
from bot.model.kubernetes import Node
from bot.model.labels import NODEPOOL
from bot.model.objects import Condition, ref_of
from bot.model.world import World

FLAPPING: Final = 3
"""So many times NotReady in what is kept of the past is no single mishap any more."""
_PRESSURES: Final = frozenset({"MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"})
_READY: Final = "Ready"


def ailing(node: Node | None) -> Condition | None:
    """The condition that tells most of what is wrong with a node; None for one that is well or unknown."""
    conditions = node.status.conditions if node else ()
    bad = [c for c in conditions if c.status == ("True" if c.type in _PRESSURES else "False") and _counts(c)]
    silent = [c for c in conditions if c.type == _READY and c.status == "Unknown"]
    ready = [c for c in bad if c.type == _READY]
    return next(iter((*silent, *ready, *bad)), None)


def _counts(condition: Condition) -> bool:
    return condition.type in _PRESSURES or condition.type.endswith(_READY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Falls:
    """How often a node became NotReady, and since when that is known."""

    times: int = 0
    first: datetime | None = None

    def days(self, now: datetime) -> int:
        """Over how many days: 1 for all that lies within one."""
        return -(-(now - self.first) // _DAY) if self.first and now - self.first > _DAY else 1


_NEVER: Final = Falls()
_DAY: Final = timedelta(days=1)


def falls_of(history: History, nodes: Iterable[str]) -> dict[str, Falls]:
    """How often each of the nodes became NotReady, as far as events tell; nodes that did not are left out."""
    wanted = set(nodes)
    told: dict[str, list[Signal]] = {}
    for signal in history.of(SignalKind.NODE_NOT_READY):
        if (name := _node_of(signal)) in wanted:
            told.setdefault(name, []).append(signal)
    return {name: _counted(signals) for name, signals in told.items()}


def _counted(signals: list[Signal]) -> Falls:
    """Kubernetes counts repeated events in one (first, last, how often): a moment kept from within is one of those."""
    spans = [s for s in signals if s.count > 1]
    alone = [s for s in signals if s.count <= 1 and not any(_within(s.time, span) for span in spans)]
    starts = [t for s in (*spans, *alone) if (t := s.first or s.time)]
    return Falls(times=sum(s.count for s in spans) + len(alone), first=min(starts, default=None))


def _within(time: datetime | None, span: Signal) -> bool:
    return bool(time and span.first and span.time and span.first <= time <= span.time)


def _node_of(signal: Signal) -> str:
    return signal.objects.get("Node", "")


def not_ready_cause(world: World, history: History, node: Node, condition: Condition) -> Cause:
    """`node-not-ready`: the condition, since when, and how often of late; its NodePool's other nodes with it."""
    name, pool = node.metadata.name, node.metadata.labels.get(NODEPOOL, "")
    falls = falls_of(history, (name,)).get(name, _NEVER)
    since = condition.last_transition_time.isoformat() if condition.last_transition_time else ""
    where = (
        f"{ref_of(node)} status.conditions[{condition.type}]: {condition.status} {condition.reason} {condition.message}"
    )
    facts: dict[str, Fact] = {
        "node": name,
        "condition": condition.type,
        "reason": condition.reason,
        "since": since,
        "message": condition.message,
        "times": falls.times,
        "first": falls.first.isoformat() if falls.first else "",
        "days": falls.days(world.now),
        "nodepool": pool,
        "others": others_flapping(world, history, name, pool),
    }
    return cause("node-not-ready", where.rstrip(), (), **facts)


def others_flapping(world: World, history: History, node: str, pool: str) -> tuple[str, ...]:
    """The NodePool's other nodes that were NotReady of late: several of them are a matter of the NodePool, not of one node."""
    of_pool = {n.metadata.name for n in world.nodes if pool and n.metadata.labels.get(NODEPOOL) == pool}
    of_pool |= {c.status.node_name for c in world.node_claims if pool and c.metadata.labels.get(NODEPOOL) == pool}
    seen: Mapping[str, Falls] = falls_of(history, of_pool - {node, ""})
    now = {n.metadata.name for n in world.nodes if n.metadata.name in of_pool - {node} and _not_ready(n)}
    return tuple(sorted({*seen, *now}))


def _not_ready(node: Node) -> bool:
    condition = ailing(node)
    return condition is not None and condition.type == _READY


def named(world: World, name: str) -> Node | None:
    """The node of that name."""
    return next((n for n in world.nodes if n.metadata.name == name), None)
