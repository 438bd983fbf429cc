"""A node's life in at most twelve lines: what was said of it, of its NodeClaim and of its pods, each thing once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from bot.diagnosis.health import falls_of
from bot.diagnosis.traces import Seen
from bot.karpenter import DisruptionCommand, Signal, SignalKind
from bot.model.diagnosis import Fact

K = SignalKind
MOST: Final = 12
_WORDS: Final[
    Mapping[SignalKind, tuple[str, int]]
] = {  # kind -> the sentence's id, how much it tells (less is left out first)
    K.NODECLAIM_CREATED: ("created", 5),
    K.LAUNCHED: ("launched", 4),
    K.LAUNCH_FAILED_ICE: ("launch-failed", 6),
    K.LAUNCH_FAILED: ("launch-failed", 6),
    K.REGISTERED: ("registered", 3),
    K.INITIALIZED: ("initialized", 4),
    K.NODE_READY: ("ready", 4),
    K.NODE_NOT_READY: ("not-ready", 8),
    K.NODE_PRESSURE: ("pressure", 6),
    K.NODE_REBOOTED: ("rebooted", 7),
    K.DRIFTED: ("drifted", 7),
    K.CONSOLIDATABLE: ("consolidatable", 2),
    K.DISRUPTION_BLOCKED: ("blocked", 6),
    K.DISRUPTION_WAITING: ("waiting", 2),
    K.DISRUPTING: ("disrupting", 9),
    K.EXPIRED: ("expired", 9),
    K.INTERRUPTED: ("interrupted", 9),
    K.INTERRUPTION_WARNED: ("rebalance", 6),
    K.INSTANCE_UNHEALTHY: ("unhealthy", 9),
    K.CAPACITY_BLOCK_EXPIRING: ("capacity-block", 9),
    K.NODE_REPAIR: ("repair", 9),
    K.TERMINATION_DEADLINE: ("deadline", 7),
    K.NODE_TAINTED: ("tainted", 5),
    K.DRAIN_FAILED: ("drain-failed", 6),
    K.POD_EVICTED: ("evicted", 7),
    K.POD_FORCE_DELETED: ("force-deleted", 8),
    K.POD_LOST: ("lost", 8),
    K.REGISTRATION_TIMEOUT: ("gave-up", 9),
    K.GARBAGE_COLLECTED: ("collected", 8),
    K.NODE_REMOVED: ("removed", 8),
    K.NODE_DELETED: ("node-deleted", 6),
    K.NODECLAIM_DELETED: ("claim-deleted", 5),
}
EVENTS: Final = tuple(dict.fromkeys(word for word, _ in _WORDS.values()))
"""The ids of the sentences, in the order of a node's life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line: when, what (the id of its sentence), with which facts, and how often it was said."""

    time: datetime | None
    what: str
    source: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    times: int = 1


def timeline(seen: Seen) -> tuple[Moment, ...]:
    """The moments of the node, oldest first; where there are more than twelve, those that tell least are left out."""
    told: dict[tuple[str, str], Moment] = {}
    weights: dict[tuple[str, str], int] = {}
    counts: dict[tuple[str, str], int] = {}
    for signal in _signals(seen):
        what, weight = _WORDS[signal.kind]
        facts = _facts(signal)
        apart = str(facts.get("reason", "")) if what in ("blocked", "disrupting") else ""
        key = (what, apart if what != "disrupting" else "")
        known = told.get(key)
        if known is None:
            source = "event" if signal.from_event else "log"
            told[key] = Moment(time=signal.first or signal.time, what=what, source=source, facts=facts)
            weights[key] = weight
        elif what in ("evicted", "force-deleted", "lost"):
            told[key] = _with_pods(known, facts)
        elif known.facts.get("reason") or not facts.get("reason"):
            told[key] = _again(known, said_twice=what == "disrupting" or signal.from_event != (known.source == "event"))
        else:
            told[key] = Moment(time=known.time, what=what, source=known.source, facts=facts, times=known.times)
        counts[key] = max(counts.get(key, 1), signal.count)
    falls = falls_of(seen.history, (seen.trace.node,)).get(seen.trace.node)
    counts |= {(_WORDS[K.NODE_NOT_READY][0], ""): falls.times} if falls else {}
    for key, moment in told.items():
        told[key] = replace(moment, times=max(moment.times, counts.get(key, 1)))
    for moment in _of_claim(seen):
        told.setdefault((moment.what, ""), moment)
        weights.setdefault((moment.what, ""), 5)
    kept = sorted(told, key=lambda key: -weights[key])[:MOST]
    return tuple(sorted((told[key] for key in kept), key=lambda m: m.time.timestamp() if m.time else 0.0))


def _signals(seen: Seen) -> Iterator[Signal]:
    mine = set(seen.trace.pods)
    for signal in seen.history.of(*_WORDS):
        pod = signal.objects.get("Pod", "") or signal.facts.get("pod", "")
        if seen.trace.concerns(signal) or (
            pod in mine and signal.kind in (K.POD_EVICTED, K.POD_FORCE_DELETED, K.POD_LOST)
        ):
            yield signal


def _facts(signal: Signal) -> dict[str, Fact]:
    detail = signal.detail
    if isinstance(detail, DisruptionCommand):
        facts: dict[str, Fact] = {"reason": detail.reason, "decision": detail.decision, "count": detail.pods or 0}
        return {**facts, "instead": detail.replacement_types}
    why = signal.facts.get("why", "") or signal.facts.get("pdbs", "") or signal.facts.get("pod", "")
    pod = signal.objects.get("Pod", "")
    return {
        "reason": signal.facts.get("reason", "") or signal.facts.get("messageKind", "") or why,
        "decision": "",
        "count": int(signal.facts["pods"]) if signal.facts.get("pods", "").isdigit() else 0,
        "instead": "",
        "pods": (pod,) if pod else (),
        "message": signal.message[:300],
    }


def _with_pods(known: Moment, facts: Mapping[str, Fact]) -> Moment:
    before, more = known.facts.get("pods", ()), facts.get("pods", ())
    both = (*(before if isinstance(before, tuple) else ()), *(more if isinstance(more, tuple) else ()))
    pods = tuple(dict.fromkeys(map(str, both)))
    return Moment(time=known.time, what=known.what, source=known.source, facts={**known.facts, "pods": pods})


def _again(known: Moment, *, said_twice: bool) -> Moment:
    """Said once more: a log line and an event of one thing are one."""
    times = known.times + (0 if said_twice else 1)
    return Moment(time=known.time, what=known.what, source=known.source, facts=known.facts, times=times)


def _of_claim(seen: Seen) -> Iterator[Moment]:
    """What the NodeClaim itself keeps of its beginning, where log lines are gone."""
    claim = seen.claim
    if claim is None:
        return
    yield Moment(time=claim.metadata.creation_timestamp, what="created", source="NodeClaim")
    stages = {"Launched": "launched", "Registered": "registered", "Initialized": "initialized"}
    for condition in claim.status.conditions:
        if condition.status == "True" and condition.type in stages:
            yield Moment(time=condition.last_transition_time, what=stages[condition.type], source="NodeClaim")
