"""What lies before and after Karpenter's decision: pods that are none of its business, NodeClaims on their way, nodes that go.

Conditions and their reasons: karpenter pkg/controllers/nodeclaim/lifecycle/{launch,registration,initialization}.go (v1.15).
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from bot.diagnosis.history import History, qualified
from bot.diagnosis.validation import not_provisionable
from bot.karpenter import DisruptionCommand, Signal, SignalKind
from bot.model.diagnosis import Cause, Diagnosis, Fact, Verdict
from bot.model.karpenter import NodeClaim, NodePool
from bot.model.kubernetes import Pod
from bot.model.labels import DO_NOT_DISRUPT, NODEPOOL
from bot.model.objects import Condition, ref_of
from bot.model.world import World

REGISTRATION_NORMAL: Final = timedelta(minutes=5)
"""A node that joins at all has joined by then; Karpenter itself waits 15 minutes."""
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


def _diagnosis(pod: Pod, verdict: Verdict, reason: str = "", causes: Iterable[Cause] = (), **facts: Fact) -> Diagnosis:
    return Diagnosis(
        pod=ref_of(pod), uid=pod.metadata.uid, verdict=verdict, reason=reason, causes=tuple(causes), facts=facts
    )


def _cause(cause_id: str, evidence: str, **facts: Fact) -> Cause:
    return Cause(
        id=cause_id, constraints=(), facts={"nodepools": (), **facts}, evidence=(evidence,) if evidence else ()
    )


def outside_karpenter(_world: World, pod: Pod, _history: History) -> Diagnosis | None:
    """The pod has a node already, is finished, or is none that Karpenter would ever look at; else None."""
    if pod.status.phase in ("Succeeded", "Failed"):
        return _diagnosis(pod, Verdict.NOT_KARPENTERS_JOB, "finished")
    where = f"{ref_of(pod)}"
    match not_provisionable(pod):
        case "bound":
            return _diagnosis(pod, Verdict.RUNNING, "bound", node=pod.spec.node_name, phase=pod.status.phase)
        case "gated":
            gates = tuple(g.name for g in pod.spec.scheduling_gates)
            found = _cause("scheduling-gated", f"{where} spec.schedulingGates: {', '.join(gates)}", gates=gates)
        case "daemonset":
            owner = next(o.name for o in pod.metadata.owner_references if o.kind == "DaemonSet")
            found = _cause("daemonset-pod", f"{where} metadata.ownerReferences: DaemonSet {owner}", daemonset=owner)
        case "mirror":
            return _diagnosis(pod, Verdict.NOT_KARPENTERS_JOB, "mirror")
        case "preempting":
            return _diagnosis(pod, Verdict.NOT_KARPENTERS_JOB, "preempting", node=pod.status.nominated_node_name)
        case "unseen" if pod.spec.scheduler_name not in ("", "default-scheduler"):
            scheduler = pod.spec.scheduler_name
            found = _cause("other-scheduler", f"{where} spec.schedulerName: {scheduler}", scheduler=scheduler)
        case "unseen":
            condition = pod.condition("PodScheduled")
            reason = condition.reason if condition else ""
            found = _cause("not-seen-by-scheduler", f"{where} status.conditions[PodScheduled]: {reason}", reason=reason)
        case _:
            return None
    return _diagnosis(pod, Verdict.NOT_KARPENTERS_JOB, found.id, (found,))


def after_decision(world: World, pod: Pod, history: History) -> Diagnosis | None:
    """A NodeClaim was made for the pod and still exists: how far it is. None when the decision is still open."""
    about = [
        s for s in history.about("Pod", qualified(pod)) if s.kind in (SignalKind.NOMINATED, SignalKind.POD_REFUSED)
    ]
    if not about or about[-1].kind is not SignalKind.NOMINATED:
        return None
    name = about[-1].objects.get("NodeClaim", "")
    claim = next((c for c in world.node_claims if c.metadata.name == name), None)
    if claim is None or claim.metadata.deletion_timestamp is not None:
        return None
    conditions = {c.type: c for c in claim.status.conditions}
    for stage in ("Launched", "Registered", "Initialized"):
        condition = conditions.get(stage, Condition(type=stage, status="Unknown"))
        if condition.status != "True":
            causes = _stuck(world, claim, condition)
            return _diagnosis(pod, Verdict.LAUNCHING, stage, causes, nodeclaim=name, node=claim.status.node_name)
    return _diagnosis(pod, Verdict.LAUNCHING, "Ready", nodeclaim=name, node=claim.status.node_name)


def _stuck(world: World, claim: NodeClaim, condition: Condition) -> tuple[Cause, ...]:
    """Why the NodeClaim does not get past a stage; nothing while the wait is still normal."""
    name = claim.metadata.name
    where = f"{ref_of(claim)} status.conditions[{condition.type}]: {condition.reason} {condition.message}".rstrip()
    created = claim.metadata.creation_timestamp
    age = world.now - created if created else timedelta()
    if condition.type == "Launched" and condition.reason:
        return (_cause("launch-failed", where, nodeclaim=name, code=condition.reason, message=condition.message),)
    if condition.type == "Registered" and age > REGISTRATION_NORMAL:
        return (_cause("not-registered", where, nodeclaim=name, age=_minutes(age)),)
    if condition.type == "Initialized" and condition.reason == "ResourceNotRegistered":
        resource = condition.message.partition('"')[2].partition('"')[0]
        node = claim.status.node_name
        return (_cause("device-plugin-missing", where, nodeclaim=name, node=node, resource=resource),)
    if condition.type == "Initialized" and age > REGISTRATION_NORMAL:
        return (_cause("not-initialized", where, nodeclaim=name, reason=condition.reason, message=condition.message),)
    return ()


def _minutes(age: timedelta) -> str:
    return f"{int(age.total_seconds() // 60)}m"


def disruptions(world: World, pod: Pod, history: History) -> tuple[Cause, ...]:
    """Nodes that Karpenter took away from the pod's own workload in the last hour; the newest only."""
    for signal in reversed(history.of(*_GONE)):
        if signal.time is not None and world.now - signal.time > RECENT:
            break
        for node in _nodes_of(signal):
            pods = _taken_along(world, pod, history, node)
            if pods:
                return (_disrupted(world, pod, signal, node, pods),)
    return ()


def _nodes_of(signal: Signal) -> tuple[str, ...]:
    if isinstance(signal.detail, DisruptionCommand) and signal.detail.nodes:
        return tuple(n.name for n in signal.detail.nodes)
    node = signal.objects.get("Node", "")
    return (node,) if node else ()


def family(pod_name: str) -> str:
    """A pod's name without the parts that differ between pods of one workload: `llama-node-0-1-z49j4` -> `llama-node-0`."""
    return _RANDOM_SUFFIX.sub("", pod_name)


def _taken_along(world: World, pod: Pod, history: History, node: str) -> tuple[str, ...]:
    """Pods of the same workload that were on the node: those still seen there, and those whose eviction was told."""
    namespace, own = pod.metadata.namespace, family(pod.metadata.name)
    seen = {p.metadata.name for p in world.pods if p.spec.node_name == node and p.metadata.namespace == namespace}
    for signal in history.of(SignalKind.POD_EVICTED, SignalKind.POD_FORCE_DELETED, SignalKind.SCHEDULED):
        space, _, name = signal.objects.get("Pod", "").partition("/")
        told_node = signal.facts.get("node", node)
        if space == namespace and told_node == node:
            seen.add(name)
    return tuple(sorted(name for name in seen if name != pod.metadata.name and family(name) == own))


def _disrupted(world: World, pod: Pod, signal: Signal, node: str, pods: tuple[str, ...]) -> Cause:
    command = signal.detail if isinstance(signal.detail, DisruptionCommand) else None
    reason = (command.reason.capitalize() if command else "") or signal.facts.get("reason", "") or str(signal.kind)
    pool = _pool_of(world, pod, node)
    protected = pod.metadata.annotations.get(DO_NOT_DISRUPT) == "true"
    disruption = pool.spec.disruption if pool else None
    evidence = [f"Karpenter {signal.time.isoformat() if signal.time else ''}: {signal.message}"]
    if disruption is not None and pool is not None:
        evidence.append(f"{ref_of(pool)} spec.disruption.consolidationPolicy: {disruption.consolidation_policy}")
        evidence.append(f"{ref_of(pool)} spec.disruption.consolidateAfter: {disruption.consolidate_after}")
    evidence.append(f"{ref_of(pod)} metadata.annotations[{DO_NOT_DISRUPT}]: {'true' if protected else 'absent'}")
    return Cause(
        id="node-disrupted",
        constraints=(),
        facts={
            "nodepools": (pool.metadata.name,) if pool else (),
            "node": node,
            "nodepool": pool.metadata.name if pool else "",
            "reason": reason,
            "policy": disruption.consolidation_policy if disruption else "",
            "consolidate_after": disruption.consolidate_after if disruption else "",
            "do_not_disrupt": protected,
            "pods": pods,
            "time": signal.time.isoformat() if signal.time else "",
        },
        evidence=tuple(evidence),
        nodepools=(pool.metadata.name,) if pool else (),
    )


def _pool_of(world: World, pod: Pod, node: str) -> NodePool | None:
    """The NodePool of the node: by its label, by its NodeClaim, or the one the pod names."""
    claims = [c.metadata.labels.get(NODEPOOL) for c in world.node_claims if c.status.node_name == node]
    labels = [n.metadata.labels.get(NODEPOOL) for n in world.nodes if n.metadata.name == node]
    asked = [pod.spec.node_selector.get(NODEPOOL)]
    names = [n for n in (*labels, *claims, *asked) if n]
    return next((p for p in world.node_pools if names and p.metadata.name == names[0]), None)
