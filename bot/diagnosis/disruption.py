"""Nodes that go away under a running workload: which one, by which rule, which pods it took, what would have kept it.

Rules: karpenter pkg/controllers/disruption (v1.15). Voluntary disruptions (empty, underutilized, drifted) respect the pod's
karpenter.sh/do-not-disrupt annotation and the NodePool's consolidation policy; expiry, interruption and repair do not.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.diagnosis.history import History
from bot.diagnosis.keeping import VOLUNTARY, keeping, letting_go
from bot.karpenter import DisruptionCommand, Signal, SignalKind
from bot.model.diagnosis import Cause, Remedy
from bot.model.karpenter import Disruption, NodePool
from bot.model.kubernetes import Pod
from bot.model.labels import DO_NOT_DISRUPT, NODEPOOL
from bot.model.world import World

RECENT: Final = timedelta(hours=1)
_RANDOM_SUFFIX: Final = re.compile(r"(?:-[0-9]{1,5})?-[a-z0-9]{5}$")
_GONE: Final = frozenset(
    {
        SignalKind.DISRUPTING,
        SignalKind.EXPIRED,
        SignalKind.INTERRUPTED,
        SignalKind.NODE_REPAIR,
        SignalKind.INSTANCE_UNHEALTHY,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A node that went away under the pod's workload: the cause, and what would have kept it."""

    cause: Cause
    remedies: tuple[Remedy, ...]


def loss(world: World, pod: Pod, history: History) -> Loss | None:
    """The node that Karpenter took away from the pod's own workload in the last hour, if any; the newest only."""
    placed = _placements(world, history)
    taken: dict[str, set[str]] = {}
    for signal in history.of(*_GONE):
        for node in _nodes_of(signal):
            taken.setdefault(node, set()).update(name for name, on in placed.items() if on == node)
    for eviction in history.of(SignalKind.POD_EVICTED, SignalKind.POD_FORCE_DELETED):
        name = eviction.objects.get("Pod", "")
        behind = _behind(eviction, history) if name not in placed else None
        if behind is not None:
            taken.setdefault(_nodes_of(behind)[0], set()).add(name)
    for signal in reversed(history.of(*_GONE)):
        if signal.time is not None and world.now - signal.time > RECENT:
            break
        for node in _nodes_of(signal):
            kin = _kin(pod, taken.get(node, set()))
            if kin:
                return _lost(world, pod, _fullest(history, signal, node), node, kin)
    return None


def _placements(world: World, history: History) -> dict[str, str]:
    """`namespace/name` of pods to the node they are or were on, as far as objects and events tell."""
    placed = {
        s.objects.get("Pod", ""): s.objects.get("Node", "") or s.facts.get("node", "")
        for s in history.of(SignalKind.SCHEDULED)
    }
    placed |= {f"{p.metadata.namespace}/{p.metadata.name}": p.spec.node_name for p in world.pods if p.spec.node_name}
    return {name: node for name, node in placed.items() if node}


def _behind(eviction: Signal, history: History) -> Signal | None:
    """The disruption that an eviction followed: the last one before it, for the same reason where both say one."""
    why = eviction.facts.get("reason", "").casefold()
    for signal in reversed(history.of(*_GONE)):
        same = not why or not _reason(signal) or _reason(signal).casefold() == why
        before = signal.time is None or eviction.time is None or signal.time <= eviction.time
        if same and before and _nodes_of(signal):
            return signal
    return None


def _fullest(history: History, signal: Signal, node: str) -> Signal:
    """Of the signals about the node's end, Karpenter's own command, which says most; else the given one."""
    commands = (s for s in history.of(SignalKind.DISRUPTING) if isinstance(s.detail, DisruptionCommand))
    return next((s for s in commands if node in _nodes_of(s)), signal)


def _reason(signal: Signal) -> str:
    return signal.detail.reason if isinstance(signal.detail, DisruptionCommand) else signal.facts.get("reason", "")


def _nodes_of(signal: Signal) -> tuple[str, ...]:
    if isinstance(signal.detail, DisruptionCommand) and signal.detail.nodes:
        return tuple(n.name for n in signal.detail.nodes)
    node = signal.objects.get("Node", "")
    return (node,) if node else ()


def family(pod_name: str) -> str:
    """A pod's name without the parts that differ between pods of one workload: `llama-node-0-1-z49j4` -> `llama-node-0`."""
    return _RANDOM_SUFFIX.sub("", pod_name)


def _kin(pod: Pod, names: set[str]) -> tuple[str, ...]:
    """Of these pods (`namespace/name`), the names of those of the pod's own workload, itself left out."""
    own, space = family(pod.metadata.name), f"{pod.metadata.namespace}/"
    plain = (name.removeprefix(space) for name in names if name.startswith(space))
    return tuple(sorted(name for name in plain if name != pod.metadata.name and family(name) == own))


def _lost(world: World, pod: Pod, signal: Signal, node: str, pods: tuple[str, ...]) -> Loss:
    pool = _pool_of(world, pod, signal, node)
    protected = pod.metadata.annotations.get(DO_NOT_DISRUPT) == "true"
    disruption = pool.spec.disruption if pool else Disruption()
    reason = _reason(signal)
    conditions = tuple(letting_go(pod, pool, reason, protected=protected))
    time = signal.time.isoformat() if signal.time else ""
    names = (pool.metadata.name,) if pool else ()
    cause = Cause(
        id="node-disrupted",
        constraints=conditions,
        facts={
            "nodepools": names,
            "node": node,
            "nodepool": names[0] if names else "",
            "reason": reason.capitalize() or str(signal.kind),
            "policy": disruption.consolidation_policy,
            "consolidate_after": disruption.consolidate_after,
            "do_not_disrupt": protected,
            "pods": pods,
            "time": time,
            "field": "",
        },
        evidence=(
            f"Karpenter {time} {signal.message}: {node}",
            *(f"{c.object} {c.field}: {c.value}" for c in conditions),
        ),
        nodepools=names,
    )
    voluntary = reason.casefold() in VOLUNTARY
    return Loss(cause=cause, remedies=tuple(keeping(conditions, pool)) if voluntary else ())


def _pool_of(world: World, pod: Pod, signal: Signal, node: str) -> NodePool | None:
    """The NodePool of the node: by label, by its NodeClaim (whose name begins with the NodePool's), or as the pod names it."""
    detail = signal.detail
    told = [n.nodeclaim for n in detail.nodes if n.name == node] if isinstance(detail, DisruptionCommand) else []
    claims = [c.metadata.labels.get(NODEPOOL) for c in world.node_claims if c.status.node_name == node]
    labels = [n.metadata.labels.get(NODEPOOL) for n in world.nodes if n.metadata.name == node]
    named = (*labels, *claims, *(name.rpartition("-")[0] for name in told), pod.spec.node_selector.get(NODEPOOL))
    pools = {p.metadata.name: p for p in world.node_pools}
    return next((pools[n] for n in named if n in pools), None)
