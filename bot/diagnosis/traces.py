"""Which node, NodeClaim and pods a question is about, pieced together from objects, events and log lines."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.diagnosis.disruption import family
from bot.diagnosis.history import History
from bot.diagnosis.proven import pool_of_claim
from bot.karpenter import DisruptionCommand, Signal, SignalKind
from bot.model.karpenter import NodeClaim, NodePool
from bot.model.kubernetes import Node, Pod
from bot.model.labels import NODEPOOL
from bot.model.objects import ObjectRef
from bot.model.world import World

K = SignalKind
_WITH_NODE: Final = timedelta(minutes=20)
"""A pod that is evicted so long after its node was tainted went because of it."""
_EVICTIONS: Final = (K.POD_EVICTED, K.POD_FORCE_DELETED, K.POD_LOST)
_HOST: Final = re.compile(r"ip-\d+-\d+-\d+-\d+|i-[0-9a-f]{8,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What is known of one node's identity: names are "" where nothing tells them."""

    subject: ObjectRef
    node: str = ""
    nodeclaim: str = ""
    nodepool: str = ""
    pods: tuple[str, ...] = ()
    born: datetime | None = None
    deleting: datetime | None = None
    lost_pods: bool = False

    @property
    def known(self) -> bool:
        return bool(self.node or self.nodeclaim)

    def concerns(self, signal: Signal) -> bool:
        """Whether the signal is about this node or its NodeClaim."""
        nodes, claims = nodes_of(signal), claims_of(signal)
        return bool((self.node and self.node in nodes) or (self.nodeclaim and self.nodeclaim in claims))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A trace with what is there to judge it by: the NodePool, the NodeClaim where it still exists, pods of the same jobs."""

    world: World
    history: History
    trace: Trace
    pool: NodePool | None
    claim: NodeClaim | None
    kin: tuple[Pod, ...]

    @property
    def node(self) -> Node | None:
        """The node, where it is still there."""
        return next((n for n in self.world.nodes if n.metadata.name == self.trace.node), None)

    def said(self, *kinds: SignalKind) -> tuple[Signal, ...]:
        """Signals of these kinds about the node or its NodeClaim, oldest first."""
        return tuple(s for s in self.history.of(*kinds) if self.trace.concerns(s))


def seen(world: World, history: History, asked: str, namespace: str) -> Seen:
    """The trace of what is asked about, with what is there of it."""
    trace = trace_of(world, history, asked, namespace)
    wanted = {(space, family(name)) for space, _, name in (p.partition("/") for p in trace.pods)}
    return Seen(
        world=world,
        history=history,
        trace=trace,
        pool=next((p for p in world.node_pools if p.metadata.name == trace.nodepool), None),
        claim=next((c for c in world.node_claims if c.metadata.name == trace.nodeclaim), None),
        kin=tuple(p for p in world.pods if (p.metadata.namespace, family(p.metadata.name)) in wanted),
    )


def nodes_of(signal: Signal) -> tuple[str, ...]:
    """The nodes that a signal is about."""
    if isinstance(signal.detail, DisruptionCommand) and signal.detail.nodes:
        return tuple(n.name for n in signal.detail.nodes)
    name = signal.objects.get("Node", "") or signal.facts.get("node", "")
    return (name,) if name else ()


def claims_of(signal: Signal) -> tuple[str, ...]:
    """The NodeClaims that a signal is about."""
    if isinstance(signal.detail, DisruptionCommand) and signal.detail.nodes:
        return tuple(n.nodeclaim for n in signal.detail.nodes if n.nodeclaim)
    name = signal.objects.get("NodeClaim", "")
    return (name,) if name else ()


def trace_of(world: World, history: History, asked: str, namespace: str) -> Trace:
    """The trace of a node, a NodeClaim or a pod, by its name or the beginning of it."""
    pairs = _pairs(world, history)
    node = _match(asked, [n for n, _ in pairs])
    claim = _match(asked, [c for _, c in pairs])
    subject = ObjectRef(api_version="v1", kind="Node", name=node or asked)
    if not node and claim:
        subject = ObjectRef(api_version="karpenter.sh/v1", kind="NodeClaim", name=claim)
    pod = ""
    if not node and not claim:
        pod, node = _of_pod(world, history, asked, namespace)
        if pod:
            space, _, name = pod.rpartition("/")
            subject = ObjectRef(api_version="v1", kind="Pod", namespace=space, name=name)
    node = node or next((n for n, c in pairs if c and c == claim), "")
    claim = claim or next((c for n, c in pairs if n and n == node and c), "")
    bare = Trace(subject=subject, node=node, nodeclaim=claim)
    pods, lost = _pods(world, history, bare)
    return Trace(
        subject=subject,
        node=node,
        nodeclaim=claim,
        nodepool=_pool(world, history, bare),
        pods=tuple(dict.fromkeys((*([pod] if pod else []), *pods))),
        born=_born(world, history, bare),
        deleting=_deleting(world, bare),
        lost_pods=lost,
    )


def _pairs(world: World, history: History) -> list[tuple[str, str]]:
    """(node, NodeClaim) pairs as objects, commands and log lines join them, newest knowledge first."""
    found = [(c.status.node_name, c.metadata.name) for c in world.node_claims]
    found += [(n.metadata.name, "") for n in world.nodes]
    for signal in reversed(history.signals):
        detail = signal.detail
        if isinstance(detail, DisruptionCommand):
            found += [(n.name, n.nodeclaim) for n in detail.nodes]
        else:
            pair = (signal.objects.get("Node", "") or signal.facts.get("node", ""), signal.objects.get("NodeClaim", ""))
            found += [pair] if any(pair) and signal.kind is not K.NOMINATED else []
    joined = [p for p in found if all(p)]
    return [*joined, *(p for p in found if not all(p))]


def _match(asked: str, names: Iterable[str]) -> str:
    """The name itself, else the only name that begins with it."""
    known = list(dict.fromkeys(n for n in names if n))
    if asked in known:
        return asked
    begun = [n for n in known if asked and n.startswith(f"{asked}.")] or [n for n in known if n.startswith(asked)]
    return begun[0] if asked and (len(begun) == 1 or _HOST.fullmatch(asked)) and begun else ""


def _placements(world: World, history: History) -> Iterator[tuple[str, str]]:
    for signal in history.of(K.SCHEDULED):
        yield signal.objects.get("Pod", ""), signal.objects.get("Node", "") or signal.facts.get("node", "")
    for pod in world.pods:
        if pod.spec.node_name:
            yield f"{pod.metadata.namespace}/{pod.metadata.name}", pod.spec.node_name


def nodes_of_jobs(world: World, history: History, jobs: set[tuple[str, str]]) -> list[str]:
    """The nodes that pods of these (namespace, family) were on, in the order that is known of them."""
    evicted = [(s.objects.get("Pod", ""), "") for s in history.of(*_EVICTIONS)]
    found = []
    for pod, node in (*evicted, *_placements(world, history)):
        space, _, name = pod.partition("/")
        if (space, family(name)) in jobs:
            found.append(node or _node_behind(history, pod))
    return list(dict.fromkeys(filter(None, found)))


def _of_pod(world: World, history: History, asked: str, namespace: str) -> tuple[str, str]:
    """The pod that is meant and the node it was on: the newest one of that name, or of that workload, that was driven off."""
    space, _, name = asked.rpartition("/")
    space = space or namespace
    placed = dict(_placements(world, history))
    evicted = [s.objects.get("Pod", "") for s in history.of(*_EVICTIONS)]
    known = [*reversed(evicted), *reversed(list(placed))]

    def fits(qualified: str, *, whole: bool) -> bool:
        own_space, _, own = qualified.rpartition("/")
        same = own == name or (not whole and (own.startswith(name) or family(own) == family(name)))
        return bool(own) and same and space in ("", own_space)

    pod = next((q for whole in (True, False) for q in known if fits(q, whole=whole)), "")
    if not pod:
        return "", ""
    return pod, placed.get(pod) or _node_behind(history, pod)


def _node_behind(history: History, pod: str) -> str:
    """The node whose end an eviction followed: the last one tainted or disrupted before it."""
    at = [s for s in history.of(*_EVICTIONS) if s.objects.get("Pod") == pod]
    if not at:
        return ""
    why, time = at[-1].facts.get("reason", "").casefold(), at[-1].time
    for signal in reversed(history.of(K.DISRUPTING, K.NODE_TAINTED, K.INTERRUPTED, K.NODE_NOT_READY)):
        reason = (
            signal.detail.reason if isinstance(signal.detail, DisruptionCommand) else signal.facts.get("reason", "")
        )
        same = not why or not reason or reason.casefold() == why
        before = time is None or signal.time is None or timedelta() <= time - signal.time <= _WITH_NODE
        if same and before and nodes_of(signal):
            return nodes_of(signal)[0]
    return ""


def _pods(world: World, history: History, trace: Trace) -> tuple[list[str], bool]:
    """Pods that ran on the node and were driven off it, and whether Kubernetes itself gave them up.

    Where evictions are known, they are the ones; else those that were placed there and are there no more, among them maybe
    some that had ended or been deleted before. A pod that was too early for the node (its taint until it has registered
    drives it off) says nothing of the node's end.
    """
    placed = dict(_placements(world, history))
    ready = next((s.time for s in history.of(K.INITIALIZED) if trace.concerns(s) and s.time), None)
    evicted = {
        s.objects.get("Pod", "") or s.facts.get("pod", ""): s
        for s in history.of(*_EVICTIONS)
        if not (ready and s.time and s.kind is K.POD_LOST and s.time < ready)
    }
    own = [pod for pod in evicted if (placed.get(pod) or _node_behind(history, pod)) == trace.node and trace.node]
    lost = any(evicted[pod].kind is K.POD_LOST for pod in own)
    there = {f"{p.metadata.namespace}/{p.metadata.name}": p for p in world.pods}
    daemons = {n for n, p in there.items() if any(o.kind == "DaemonSet" for o in p.metadata.owner_references)}
    gone = [pod for pod, node in placed.items() if node == trace.node and trace.node and pod not in there]
    return [p for p in own or gone if p not in daemons], lost


def _pool(world: World, history: History, trace: Trace) -> str:
    for labels in (
        *(n.metadata.labels for n in world.nodes if n.metadata.name == trace.node),
        *(c.metadata.labels for c in world.node_claims if c.metadata.name == trace.nodeclaim),
    ):
        if NODEPOOL in labels:
            return labels[NODEPOOL]
    said = (s.objects["NodePool"] for s in history.signals if trace.concerns(s) and s.objects.get("NodePool"))
    return next(said, "") or (pool_of_claim(trace.nodeclaim) if trace.nodeclaim else "")


def _born(world: World, history: History, trace: Trace) -> datetime | None:
    claim = next((c for c in world.node_claims if c.metadata.name == trace.nodeclaim), None)
    if claim is not None:
        return claim.metadata.creation_timestamp
    begun = (s.time for s in history.of(K.NODECLAIM_CREATED, K.LAUNCHED) if trace.concerns(s) and s.time)
    return next(begun, None)


def _deleting(world: World, trace: Trace) -> datetime | None:
    found = [c.metadata.deletion_timestamp for c in world.node_claims if c.metadata.name == trace.nodeclaim]
    found += [n.metadata.deletion_timestamp for n in world.nodes if n.metadata.name == trace.node]
    return next((t for t in found if t), None)
