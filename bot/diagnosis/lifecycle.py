"""What lies before and after Karpenter's decision: pods that are none of its business, NodeClaims on their way.

Conditions and their reasons: karpenter pkg/controllers/nodeclaim/lifecycle/{launch,registration,initialization}.go (v1.15).
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from bot.diagnosis.history import History, qualified
from bot.diagnosis.validation import not_provisionable
from bot.karpenter import SignalKind
from bot.model.diagnosis import Cause, Diagnosis, Fact, Verdict
from bot.model.karpenter import NodeClaim
from bot.model.kubernetes import Pod
from bot.model.objects import Condition, ref_of
from bot.model.world import World

REGISTRATION_NORMAL: Final = timedelta(minutes=5)
"""A node that joins at all has joined by then; Karpenter itself waits 15 minutes."""


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
