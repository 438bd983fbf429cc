"""Why a node went away: what removed it, when, by which rule, which pods it took along, and what would have kept it.

Rules: karpenter pkg/controllers/disruption, nodeclaim/expiration, node/termination, node/health; karpenter-provider-aws
pkg/controllers/interruption (v1.15). Karpenter logs most decisions at level info, expiry at debug only: a node that goes
at the age of its NodeClaim's `expireAfter` without another decision has expired.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.diagnosis.disruption import family
from bot.diagnosis.health import ailing, not_ready_cause
from bot.diagnosis.history import read_history
from bot.diagnosis.keeping import VOLUNTARY, keeping, letting_go
from bot.diagnosis.shields import Shield, shields_of, stuck_drain
from bot.diagnosis.timeline import Moment, timeline
from bot.diagnosis.traces import Seen, seen
from bot.karpenter import DisruptionCommand, Signal, SignalKind
from bot.model.diagnosis import Cause, Constraint, Diagnosis, Fact, Verdict
from bot.model.karpenter import Disruption, NodePool
from bot.model.kubernetes import Pod
from bot.model.labels import DO_NOT_DISRUPT
from bot.model.objects import ObjectRef
from bot.model.world import World

K = SignalKind
AROUND: Final = timedelta(minutes=15)
"""A NodeClaim that is deleted so soon after its `expireAfter` has expired; one that went before it has not."""
CLOCKS: Final = timedelta(seconds=30)
"""By so much log lines, events and objects may disagree on a moment."""
_UNITS: Final = {"h": 3600, "m": 60, "s": 1}
_INTERRUPTIONS: Final = (  # how a message's kind begins -> Karpenter's reason
    ("spot", "Interruption"),
    ("capacityreservation", "CapacityReservationInterruption"),
    ("scheduled", "ScheduledChange"),
    ("instancestopp", "InstanceStopped"),
    ("instanceterminat", "InstanceTerminated"),
    ("statechange", "InstanceTerminated"),
    ("rebalance", "RebalanceRecommendation"),
)
_DECIDING: Final = (
    K.DISRUPTING,
    K.EXPIRED,
    K.INTERRUPTED,
    K.INSTANCE_UNHEALTHY,
    K.CAPACITY_BLOCK_EXPIRING,
    K.NODE_REPAIR,
    K.REGISTRATION_TIMEOUT,
)
_OUTSIDE: Final = frozenset(
    {"InstanceGone", "DeletedByHand", "OutOfService", "NotReady", "InstanceStopped", "InstanceTerminated"}
)
"""Reasons that are no rule of Karpenter's."""
OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"
_ENDING: Final = (K.NODE_TAINTED, K.NODE_DELETED, K.NODECLAIM_DELETED, K.NODE_REMOVED, K.GARBAGE_COLLECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """The whole answer to "why did it go away?", before any wording.

    `state`: `gone`, `going`, `here`, or `unknown` (nothing is known of such a node or pod). `pods`: `namespace/name` of those
    it took along, `jobs` their workloads. The cause and the remedies are in `diagnosis`.
    """

    subject: ObjectRef
    node: str
    nodeclaim: str
    nodepool: str
    state: str
    reason: str
    decided: datetime | None
    pods: tuple[str, ...]
    jobs: tuple[str, ...]
    shields: tuple[Shield, ...]
    timeline: tuple[Moment, ...]
    diagnosis: Diagnosis


def departure(world: World, asked: str, namespace: str = "") -> Departure:
    """What became of a node, a NodeClaim or a pod of that name (or beginning of one); state `unknown` where none is known."""
    what = seen(world, read_history(world), asked, namespace)
    decision = _decision(what)
    what = _emptied(what, decision)
    trace = what.trace
    reason = _reason(what, decision)
    cause = _cause(what, decision, reason)
    conditions: tuple[Constraint, ...] = ()
    if reason.casefold() in VOLUNTARY:
        pod = what.kin[0] if what.kin else None
        conditions = tuple(letting_go(pod, what.pool, reason, protected=_protected(what.kin)))
    return Departure(
        subject=trace.subject,
        node=trace.node,
        nodeclaim=trace.nodeclaim,
        nodepool=trace.nodepool,
        state=_state(what, reason),
        reason=reason,
        decided=decision.time if decision else None,
        pods=trace.pods,
        jobs=tuple(dict.fromkeys(_job(name) for name in trace.pods)),
        shields=shields_of(what, reason),
        timeline=timeline(what),
        diagnosis=Diagnosis(
            pod=trace.subject,
            uid="",
            verdict=Verdict.UNKNOWN,
            cluster=world.cluster,
            karpenter_version=world.karpenter_version,
            causes=(*((replace(cause, constraints=conditions),) if cause else ()), *_holding(what)),
            remedies=tuple(keeping(conditions, what.pool)),
            missing=world.missing,
        ),
    )


def _holding(what: Seen) -> Iterator[Cause]:
    """What keeps a node that is to go: only as long as it is there."""
    stuck = stuck_drain(what.said(K.DRAIN_FAILED)) if what.node is not None else None
    if stuck is not None:
        yield stuck


def _decision(what: Seen) -> Signal | None:
    """The signal that says why: Karpenter's own command before the events that only repeat its reason."""
    about = [s for s in what.said(*_DECIDING) if not _only_marked(s)]
    found = [s for s in about if isinstance(s.detail, DisruptionCommand)]
    found = (
        found or [s for s in about if not s.from_event] or about
    )  # events abridge: maintenance is `InstanceUnhealthy` there
    return found[-1] if found else None


def _emptied(what: Seen, decision: Signal | None) -> Seen:
    """Without the pods that had left the node before: Karpenter's command says how many were on it."""
    command = decision.detail if decision else None
    if not isinstance(command, DisruptionCommand) or command.pods != 0 or what.said(K.POD_EVICTED):
        return what
    subject = what.trace.subject
    asked = (f"{subject.namespace}/{subject.name}",) if subject.kind == "Pod" else ()
    return replace(what, trace=replace(what.trace, pods=asked), kin=())


def _only_marked(signal: Signal) -> bool:
    """Up to v0.37 an expired node was marked first; node repair may reboot instead of deleting."""
    rebooted = signal.kind is K.NODE_REPAIR and not signal.message.startswith(("deleting", "reboot failed"))
    return rebooted or signal.message.startswith("marking")


def _reason(what: Seen, decision: Signal | None) -> str:
    """Karpenter's reason (`Underutilized`, `Drifted` ...), or ours: `NotReady`, `InstanceGone`, `DeletedByHand`; "" unknown."""
    if decision is not None:
        return _told(decision)
    node, ended = what.node, what.said(*_ENDING)
    tests = (
        ("InstanceGone", bool(what.said(K.GARBAGE_COLLECTED, K.NODE_REMOVED))),
        ("OutOfService", any(t.key == OUT_OF_SERVICE for t in (node.spec.taints if node else ()))),
        ("Expired", _expired(what, ended)),
        ("DeletedByHand", bool(what.world.karpenter_log) and any(not s.from_event for s in ended)),
        ("NotReady", ailing(node) is not None or (what.trace.lost_pods and bool(what.said(K.NODE_NOT_READY)))),
    )
    return next((reason for reason, holds in tests if holds), "")


def _told(signal: Signal) -> str:
    detail = signal.detail
    if isinstance(detail, DisruptionCommand):
        return _capital(detail.reason)
    if signal.kind is K.EXPIRED:
        return "Expired"
    if signal.kind is K.INTERRUPTED:
        kind = (signal.facts.get("messageKind", "") or signal.message).lower().replace("_", "").replace(" ", "")
        return next((reason for start, reason in _INTERRUPTIONS if kind.startswith(start)), "Interruption")
    fixed = {
        K.INSTANCE_UNHEALTHY: "InstanceUnhealthy",
        K.CAPACITY_BLOCK_EXPIRING: "CapacityBlockExpiring",
        K.NODE_REPAIR: "Unhealthy",
        K.REGISTRATION_TIMEOUT: "RegistrationTimeout",
    }
    return fixed.get(signal.kind) or _capital(signal.facts.get("reason", "").partition("/")[0])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _expired(what: Seen, ended: Sequence[Signal]) -> bool:
    """Whether the end came at the NodeClaim's `expireAfter` (its NodePool's where the NodeClaim is gone)."""
    after = seconds_of(what.claim.spec.expire_after if what.claim else _expire_after(what.pool))
    born, at = what.trace.born, next((s.time for s in ended if s.time), what.trace.deleting)
    return bool(after and born and at and -CLOCKS <= at - born - timedelta(seconds=after) <= AROUND)


def _expire_after(pool: NodePool | None) -> str:
    if pool is None:
        return ""
    return pool.spec.template.spec.expire_after or pool.spec.disruption.expire_after


def seconds_of(duration: str) -> int:
    """A Go duration of hours, minutes, seconds (`720h`, `1h30m`); 0 for `Never` and what is none."""
    total, number = 0, ""
    for letter in duration:
        if letter.isdigit():
            number += letter
        elif letter in _UNITS and number:
            total, number = total + int(number) * _UNITS[letter], ""
        else:
            return 0
    return total


def _protected(kin: Sequence[Pod]) -> bool:
    return any(p.metadata.annotations.get(DO_NOT_DISRUPT) == "true" for p in kin)


def _job(pod: str) -> str:
    space, _, name = pod.partition("/")
    return f"{space}/{family(name)}"


def _state(what: Seen, reason: str) -> str:
    if not what.trace.known:
        return "unknown"
    if what.node is None and what.claim is None:
        return "gone"
    draining = bool(what.said(K.NODE_TAINTED, K.DRAIN_FAILED)) and bool(reason)
    return "going" if what.trace.deleting or draining else "here"


def _cause(what: Seen, decision: Signal | None, reason: str) -> Cause | None:
    """`node-disrupted`, `node-removed`, `node-not-ready` or `not-registered`; None where nothing says why."""
    node, condition = what.node, ailing(what.node)
    if not reason:
        return None
    if reason == "NotReady" and node is not None and condition is not None:
        return not_ready_cause(what.world, what.history, node, condition)
    trace, names = what.trace, (what.trace.nodepool,) if what.trace.nodepool else ()
    at = decision.time.isoformat() if decision and decision.time else ""
    said = f"Karpenter {at} {decision.message}".replace("  ", " ") if decision else reason
    where: dict[str, Fact] = {"nodepools": names, "node": trace.node or trace.nodeclaim, "nodepool": trace.nodepool}
    if reason == "RegistrationTimeout":
        found, more = "not-registered", _gave_up(trace.nodeclaim)
    elif reason in _OUTSIDE:
        told = next((s.message for s in what.said(*_ENDING, K.INTERRUPTED)), "")
        found, said = "node-removed", told or said
        more = {"how": reason, "pods": trace.pods, "time": at, "message": told}
    else:
        found, more = "node-disrupted", _disrupted(what, reason, at)
    return Cause(id=found, constraints=(), facts={**where, **more}, evidence=(said,), nodepools=names)


def _gave_up(nodeclaim: str) -> dict[str, Fact]:
    return {"nodeclaim": nodeclaim, "age": "15m", "reason": "", "message": "", "loops": 0}


def _disrupted(what: Seen, reason: str, at: str) -> dict[str, Fact]:
    disruption = what.pool.spec.disruption if what.pool else Disruption()
    return {
        "reason": reason,
        "policy": disruption.consolidation_policy,
        "consolidate_after": disruption.consolidate_after,
        "do_not_disrupt": _protected(what.kin),
        "pods": tuple(name.rpartition("/")[2] for name in what.trace.pods),
        "time": at,
        "field": _drifted_field(what) if reason.casefold() == "drifted" else "",
    }


def _drifted_field(what: Seen) -> str:
    """Karpenter's word for what differs: `AMIDrift`, `NodePoolDrifted` ..."""
    conditions = what.claim.status.conditions if what.claim else ()
    own = next((c.reason for c in conditions if c.type == "Drifted" and c.status == "True"), "")
    said = (s for s in what.said(K.DRIFTED, K.CONDITION_CHANGED))
    marked = [s.facts.get("reason", "") for s in said if s.kind is K.DRIFTED or s.facts.get("condition") == "Drifted"]
    return own or (marked[-1] if marked else "")
