"""Karpenter's words pasted alone, without a cluster: `explain_text(text, ec2, now)` says what they prove. Pure.

A cause is named only where the text itself, with EC2's facts, proves it; everywhere else the answer is what to look at
next. Of several parts of a text the root comes first: a launch that AWS denied explains the refusals after it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bot.diagnosis.launches import MARK
from bot.diagnosis.pasted.codes import read_codes
from bot.diagnosis.pasted.conditions import class_cause, read_conditions
from bot.diagnosis.pasted.foreign import is_consolidation, read_foreign
from bot.diagnosis.pasted.instance_types import Market
from bot.diagnosis.pasted.nodes import of_signal
from bot.diagnosis.pasted.refusals import Asked, of_refusal, pools_of
from bot.diagnosis.pasted.told import Need, Told, distinct, merged, need
from bot.karpenter import (
    InstanceTypeRefusal,
    LogLine,
    Refusal,
    Signal,
    SignalKind,
    parse_launch_failure,
    read_line,
    read_text,
)
from bot.model.diagnosis import Cause, PoolVerdict
from bot.model.ec2 import Ec2Facts
from bot.model.world import Refused

__all__ = ["Explanation", "Need", "explain_text"]

K = SignalKind
MOST_SIGNALS: Final = 2_000
MOST_REFUSALS: Final = 20
MOST_CAUSES: Final = 8
_BEFORE_V32: Final = ("deprovisioning via ", "disrupting via ")
_FLEET: Final = "with fleet error(s), "
_LOOP: Final = 3
"""A pod nominated to so many different NodeClaims gets none of them: that is no waiting any more."""
_REFUSED: Final = frozenset({K.POD_REFUSED, K.POD_IGNORED, K.NODECLAIM_NOT_CREATED})
_SETTLED: Final = frozenset({K.NOMINATED, K.SCHEDULED})
NORMAL: Final = frozenset(
    {
        "consolidation",
        "deferred",
        "disruption-blocked",
        "disruption-waiting",
        "do-not-disrupt",
        "initialized",
        "limits-narrow",
        "nominated",
        "provisioning",
        "scheduled",
        "static-nodepool",
        "unconsolidatable",
    }
)
"""Topics that are no trouble at all."""
_NORMAL: Final = frozenset({"provisioning", "scheduled", "initialized", "consolidation", "other"})
_ROOTS: Final = frozenset(
    {
        "not-authorized",
        "vcpu-quota-exceeded",
        "fleet-quota-exceeded",
        "subnet-out-of-ips",
        "reservation-exhausted",
        "capacity-unavailable",
        "launch-failed",
        "nodeclass-not-ready",
    }
)
"""Causes of a launch that failed: Karpenter then leaves offerings out, and refuses pods for want of them."""
LIMIT: Final = "nodepool-limit-exceeded"
UNREADY: Final = "nodepool-not-ready"
_REPEATED: Final = frozenset({"capacity-unavailable", "capacity-type-not-offered", "zone-not-offered", LIMIT})
"""Causes that only repeat such a failure, four hops later."""
_HIDING: Final = frozenset({"no-nodepools", "types-unresolved"})
"""Where a NodePool dropped out before the pod was looked at, the refusals of the others may all be beside the point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a pasted text tells. `kind`: of the signal that tells most, "" where nothing was recognised; `topic` names the
    sentence that says what it means; `pods`: `namespace/name` of those it is about.
    """

    kind: str
    topic: str
    pods: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    needs: tuple[Need, ...] = ()
    nodepools: tuple[PoolVerdict, ...] = ()
    signals: tuple[Signal, ...] = ()

    @property
    def recognised(self) -> bool:
        """Whether anything of Karpenter's or about its nodes was found."""
        return bool(self.kind)

    @property
    def evidence(self) -> str:
        """What the text is worth: it is a cause's `proof`, tells what is `normal`, is `not-enough`, or `unrecognised`."""
        if self.causes:
            return "proof"
        if not self.recognised:
            return "unrecognised"
        return "normal" if self.topic in NORMAL else "not-enough"


@dataclass(frozen=True, slots=True)
class _Part:
    """One signal (or foreign sentence) and what it tells."""

    told: Told
    signal: Signal | None = None

    @property
    def kind(self) -> str:
        return str(self.signal.kind) if self.signal else self.told.topic


def explain_text(text: str, ec2: Ec2Facts | None, now: datetime) -> Explanation:
    """What the text proves, and what to look at where it proves nothing. Never raises, whatever the text."""
    signals = (*_distinct(_read(text)), *read_conditions(text))
    current = _current(signals)
    others = [_Part(of_signal(s), s) for s in current if s.kind not in _REFUSED | {K.OTHER}]
    others = [_Part(_looping(current, part), part.signal) for part in others]
    others += [_Part(told) for told in read_foreign(text)]
    others = [_Part(_unready(current, part), part.signal) for part in others]
    if not any(s.kind in _REFUSED for s in current):  # Karpenter may just be about to make a node beside the volume
        others = [
            _without(part, frozenset({"volume-zone-conflict"})) if _of_scheduler(part) else part for part in others
        ]
    if not any(part.told.causes for part in others) and not any(s.kind in _REFUSED for s in current):
        others += [_Part(told) for told in read_codes(text)]
    market = _market(current, ec2, now)
    refusals = [_refusal(s, market) for s in current if s.kind in _REFUSED]
    parts = _rooted(others, refusals)
    if not parts:
        return Explanation(kind="", topic="unrecognised", needs=(need("paste"),), signals=signals)
    leading = max(reversed(parts), key=_telling)
    causes = merged(c for part in (*_with_causes(parts),) for c in part.told.causes)[:MOST_CAUSES]
    needs = [*leading.told.needs, *(n for part in _with_causes(parts) for n in part.told.needs)]
    needs = needs or [need("karpenter-log")] if leading.told.topic not in NORMAL else needs
    return Explanation(
        kind=leading.kind,
        topic=leading.told.topic,
        pods=tuple(dict.fromkeys(s.objects["Pod"] for s in signals if s.objects.get("Pod"))),
        causes=causes,
        needs=_once(distinct(needs), "why"),
        nodepools=_pools(current, causes),
        signals=signals,
    )


def _once(needs: Sequence[Need], need_id: str) -> tuple[Need, ...]:
    first = next((one for one in needs if one.id == need_id), None)
    return tuple(one for one in needs if one.id != need_id or one is first)


def _read(text: str) -> list[Signal]:
    found = [_older(signal) for signal in read_text(text.replace(*_BEFORE_V32))[-MOST_SIGNALS:]]
    if not found:
        found = list(_bare(text.replace(*_BEFORE_V32)))
    loose = all(s.kind in _REFUSED and not s.objects and not s.from_event for s in found)
    if found and loose and is_consolidation(text):
        return [Signal(kind=K.UNCONSOLIDATABLE, message=found[0].message)]
    return found


def _bare(text: str) -> Iterator[Signal]:
    """Messages of log lines copied without the line around them."""
    for line in text.split("\n", MOST_SIGNALS)[:MOST_SIGNALS]:
        signal = _older(read_line(LogLine(message=line.strip())))
        if signal.kind is not K.OTHER:
            yield signal


def _older(signal: Signal) -> Signal:
    """Launches as releases before v0.32 worded them: only EC2's part of the sentence is the same."""
    start = signal.message.find(_FLEET) if signal.kind is K.OTHER and not signal.truncated else -1
    failure = parse_launch_failure(signal.message[start:]) if start >= 0 else None
    return replace(signal, kind=K.LAUNCH_FAILED, detail=failure) if failure and failure.errors else signal


def _distinct(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Each thing said once, where it was said last: Karpenter repeats a refusal every few seconds."""
    last = {(s.kind, s.message, tuple(sorted(s.objects.items())), repr(s.facts)): s for s in signals}
    return tuple(last.values())


def _current(signals: Sequence[Signal]) -> list[Signal]:
    """Without what was settled since: of a pod only what was said last counts, and only its last refusal."""
    ordered = list(signals)
    if all(s.time for s in signals):
        ordered.sort(key=lambda s: s.time.timestamp() if s.time else 0.0)
    last: dict[str, Signal] = {s.objects.get("Pod", ""): s for s in ordered if s.kind in _REFUSED | _SETTLED}
    verdicts = _REFUSED | _SETTLED
    nameless = "" in last and len(last) > 1
    return [
        s
        for s in ordered
        if s.kind not in verdicts
        or (nameless and not s.objects.get("Pod"))
        or s.kind == last[s.objects.get("Pod", "")].kind
    ]


def _looping(current: Sequence[Signal], part: _Part) -> Told:
    """The part's own reading; a pod that is nominated again and again is not simply waiting, nor are NodeClaims on their way
    that are deleted one after the other before a node joins.
    """
    if part.signal is not None and part.signal.kind in (K.NODECLAIM_CREATED, K.NODECLAIM_DELETED):
        return _coming_and_going(current) or part.told
    if part.signal is None or part.signal.kind is not K.NOMINATED:
        return part.told
    pod = part.signal.objects.get("Pod", "")
    targets = {s.facts.get("targets") for s in current if s.kind is K.NOMINATED and s.objects.get("Pod", "") == pod}
    if len(targets) < _LOOP:
        return part.told
    return Told(topic="nominated-again", needs=(need("nodeclaim", nodeclaim=""), need("launch-log")))


def _coming_and_going(current: Sequence[Signal]) -> Told | None:
    made, deleted, joined = (
        {s.objects.get("NodeClaim", "") for s in current if s.kind is kind}
        for kind in (K.NODECLAIM_CREATED, K.NODECLAIM_DELETED, K.REGISTERED)
    )
    again = sorted((made & deleted) - joined - {""})
    if len(again) < _LOOP:
        return None
    return Told(topic="claims-come-and-go", needs=(need("nodeclaim", nodeclaim=again[-1]), need("launch-log")))


def _unready(current: Sequence[Signal], part: _Part) -> Told:
    """The part's own reading; an EC2NodeClass whose conditions are unknown is why no NodePool is ready, where none is."""
    signal = part.signal
    nothing = any(s.kind is K.NO_NODEPOOLS for s in current)
    if not nothing or signal is None or signal.kind is not K.CONDITION_CHANGED or part.told.causes:
        return part.told
    fallen = signal.facts.get("before") == "False" and signal.facts.get("status") == "Unknown"
    if "EC2NodeClass" not in signal.objects or not fallen or signal.facts.get("condition") == "Ready":
        return part.told
    return replace(part.told, causes=(class_cause(signal),))


def _market(signals: Sequence[Signal], ec2: Ec2Facts | None, now: datetime) -> Market | None:
    wanted = any(
        isinstance(f, InstanceTypeRefusal) for s in signals if isinstance(s.detail, Refusal) for f in s.detail.findings
    )
    if not wanted or ec2 is None or not ec2.instance_types:
        return None
    return Market.of(ec2, now, tuple(_marks(signals)))


def _marks(signals: Sequence[Signal]) -> Iterable[Refused]:
    """Offerings that the text itself says Karpenter has taken out."""
    for signal in signals:
        names = ("capacity-type", "instance-type", "zone")
        if signal.kind is K.OFFERING_UNAVAILABLE and all(signal.facts.get(name) for name in names):
            capacity_type, instance_type, zone = (signal.facts[name] for name in names)
            until = signal.time + MARK if signal.time else None
            reason = signal.facts.get("reason", "")
            yield Refused(
                capacity_type=capacity_type,
                instance_type=instance_type,
                zone=zone,
                since=signal.time,
                until=until,
                reason=reason,
            )


def _refusal(signal: Signal, market: Market | None) -> _Part:
    if not isinstance(signal.detail, Refusal):
        topic = "pod-ignored" if signal.kind is K.POD_IGNORED else "refusal-cut"
        return _Part(Told(topic=topic, needs=(need("whole-line"),)), signal)
    asked = Asked(refusal=signal.detail, pod=signal.objects.get("Pod", ""), said=signal.message, market=market)
    return _Part(of_refusal(asked), signal)


def _rooted(others: Sequence[_Part], refusals: Sequence[_Part]) -> list[_Part]:
    """All parts; those whose causes another part makes doubtful keep only what to look at."""
    told = {c.id for part in others for c in part.told.causes}
    doubted: frozenset[str] = frozenset()
    if told & _ROOTS:
        doubted = _REPEATED
    elif any(_names_volumes(part) for part in others):
        doubted = frozenset({LIMIT})
    hidden = UNREADY in told or any(part.told.topic in _HIDING for part in others)
    kept = [_without(part, doubted, everything=hidden and not part.told.decisive) for part in refusals]
    unsure = frozenset({UNREADY}) if refusals else frozenset()
    return [*(_without(part, unsure) for part in others), *kept]


def _of_scheduler(part: _Part) -> bool:
    return part.signal is not None and part.signal.kind is K.SCHEDULER_REFUSED


def _names_volumes(part: _Part) -> bool:
    return part.signal is not None and part.signal.kind is K.SCHEDULER_REFUSED and "volume" in part.signal.message


def _without(part: _Part, doubted: frozenset[str], *, everything: bool = False) -> _Part:
    left = () if everything else tuple(c for c in part.told.causes if c.id not in doubted)
    return replace(part, told=replace(part.told, causes=left))


def _with_causes(parts: Sequence[_Part]) -> list[_Part]:
    """Parts that prove something: what AWS refused, then the pod's own refusals, then nodes that fail or go."""
    proving = [part for part in parts if part.told.causes]
    return sorted(proving, key=_rank)


def _rank(part: _Part) -> int:
    if any(c.id in _ROOTS for c in part.told.causes):
        return 0
    return 1 if part.signal is not None and part.signal.kind in _REFUSED else 2


def _telling(part: _Part) -> tuple[bool, int]:
    """How much a part says of why a pod waits: proven causes first, then refusals, then faults, then what is normal."""
    if part.told.causes:
        return True, -_rank(part)
    if part.signal is not None and part.signal.kind in _REFUSED:
        return False, 3
    return False, 0 if part.told.topic in _NORMAL else 1 if part.told.topic == "scheduler" else 2


def _pools(signals: Sequence[Signal], causes: Sequence[Cause]) -> tuple[PoolVerdict, ...]:
    found: dict[str, PoolVerdict] = {}
    for signal in [s for s in signals if isinstance(s.detail, Refusal)][:MOST_REFUSALS]:
        assert isinstance(signal.detail, Refusal)  # noqa: S101 (the line above looked)
        for pool in pools_of(signal.detail, causes, signal.message):
            found.setdefault(pool.name, pool)
    return tuple(found.values())
