"""Nodes that are not well: which condition says so and since when, and nodes that come and go.

A node that is NotReady has `Ready` False (the kubelet says why) or Unknown (it says nothing any more); pressure conditions
are bad when True (kubernetes pkg/kubelet/nodestatus, pkg/controller/nodelifecycle). Karpenter's node-monitoring conditions
(`AcceleratedHardwareReady` ...) are bad when False (eks-node-monitoring-agent).
"""

from collections import Counter
from collections.abc import Iterable
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


def times_not_ready(history: History, nodes: Iterable[str]) -> Counter[str]:
    """How often each of the nodes became NotReady, as far as events tell."""
    wanted = set(nodes)
    return Counter(n for s in history.of(SignalKind.NODE_NOT_READY) if (n := _node_of(s)) in wanted)


def _node_of(signal: Signal) -> str:
    return signal.objects.get("Node", "")


def not_ready_cause(world: World, history: History, node: Node, condition: Condition) -> Cause:
    """`node-not-ready`: the condition, since when, and how often of late; its NodePool's other nodes with it."""
    name, pool = node.metadata.name, node.metadata.labels.get(NODEPOOL, "")
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
        "times": times_not_ready(history, (name,))[name],
        "nodepool": pool,
        "others": others_flapping(world, history, name, pool),
    }
    return cause("node-not-ready", where.rstrip(), (), **facts)


def others_flapping(world: World, history: History, node: str, pool: str) -> tuple[str, ...]:
    """The NodePool's other nodes that were NotReady of late: several of them are a matter of the NodePool, not of one node."""
    of_pool = {n.metadata.name for n in world.nodes if pool and n.metadata.labels.get(NODEPOOL) == pool}
    of_pool |= {c.status.node_name for c in world.node_claims if pool and c.metadata.labels.get(NODEPOOL) == pool}
    seen = times_not_ready(history, of_pool - {node, ""})
    now = {n.metadata.name for n in world.nodes if n.metadata.name in of_pool - {node} and _not_ready(n)}
    return tuple(sorted({*seen, *now}))


def _not_ready(node: Node) -> bool:
    condition = ailing(node)
    return condition is not None and condition.type == _READY


def named(world: World, name: str) -> Node | None:
    """The node of that name."""
    return next((n for n in world.nodes if n.metadata.name == name), None)
