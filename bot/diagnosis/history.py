"""What Karpenter, the scheduler and EC2 said lately: signals from log and events, and the marks EC2's refusals leave.

A refused offering is not tried again for three minutes (karpenter-provider-aws pkg/cache/unavailableofferings.go, v1.15,
UnavailableOfferingsTTL); the marks live in Karpenter's memory, so they are read from what it logged about them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bot.diagnosis.launches import MARK
from bot.karpenter import (
    FleetError,
    LaunchFailure,
    PrintedEvent,
    Refusal,
    Signal,
    SignalKind,
    parse_text,
    read_event,
    read_line,
)
from bot.model.diagnosis import Statement
from bot.model.karpenter import NodeClaim
from bot.model.kubernetes import Event, Pod
from bot.model.labels import CAPACITY_TYPE, SPOT
from bot.model.world import Refused, World

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ABOUT_POD: Final = frozenset({SignalKind.POD_REFUSED, SignalKind.POD_IGNORED, SignalKind.POD_DEFERRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All signals of a World, oldest first (those without a time come first)."""

    signals: tuple[Signal, ...]

    def about(self, kind: str, name: str) -> tuple[Signal, ...]:
        """Signals about one object; `name` as `namespace/name`, or `name` for a cluster-scoped kind."""
        return tuple(s for s in self.signals if s.objects.get(kind) == name)

    def of(self, *kinds: SignalKind) -> tuple[Signal, ...]:
        """Signals of these kinds."""
        return tuple(s for s in self.signals if s.kind in kinds)


def read_history(world: World) -> History:
    """Reads every log line and event of the World."""
    lines = (read_line(line) for text in world.karpenter_log for line in parse_text(text))
    events = (read_event(_printed(event)) for event in world.events)
    return History(signals=tuple(sorted((*lines, *events), key=lambda s: s.time or _LONG_AGO)))


def _printed(event: Event) -> PrintedEvent:
    about = event.involved_object
    return PrintedEvent(
        reason=event.reason,
        message=event.message,
        type=event.type,
        source=event.component,
        kind=about.kind,
        namespace=about.namespace,
        name=about.name,
        time=event.time,
        count=event.count or 1,
        first=event.first_timestamp,
    )


def qualified(pod: Pod) -> str:
    """`namespace/name`."""
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def statements(history: History, pod: Pod) -> tuple[Statement, ...]:
    """What Karpenter said against the pod, newest first: its last log line and its last event."""
    said: list[Statement] = []
    for source, from_event in (("log", False), ("event", True)):
        own = [s for s in history.about("Pod", qualified(pod)) if s.kind in _ABOUT_POD and s.from_event is from_event]
        if own:
            newest = own[-1]
            error = newest.facts.get("error", "")
            said.append(Statement(source=source, time=newest.time, message=error or newest.message))
    return tuple(sorted(said, key=lambda s: s.time or _LONG_AGO, reverse=True))


def last_refusal(history: History, pod: Pod) -> Refusal | None:
    """The newest refusal of the pod that could be read."""
    own = [s.detail for s in history.about("Pod", qualified(pod)) if isinstance(s.detail, Refusal)]
    return own[-1] if own else None


def refused_offerings(world: World, history: History) -> tuple[Refused, ...]:
    """Offerings whose mark is still on at `world.now`, each once, with its newest refusal."""
    return tuple(one for one in last_marks(world, history) if is_on(one, world.now))


def last_marks(world: World, history: History) -> tuple[Refused, ...]:
    """The newest refusal of each offering that anything tells of, its mark still on or not."""
    found: dict[tuple[str, str, str], Refused] = {}
    for one in sorted(_all_refused(world, history), key=lambda mark: mark.since or _LONG_AGO):
        found[one.instance_type, one.zone, one.capacity_type] = one
    return tuple(found.values())


def unexplained(world: World, refused: Iterable[Refused]) -> tuple[Refused, ...]:
    """Offerings that Karpenter's metrics call unavailable, though no mark tells why and all that is known speaks for them.

    A Refused of these has neither reason nor times.
    """
    known = {(mark.instance_type, mark.zone, mark.capacity_type) for mark in refused}
    wanted = world.unavailable_in_metrics - known
    if not wanted:
        return ()
    catalogues = {id(catalogue): catalogue for catalogue in world.catalogues.values()}.values()
    offered = {
        (t.name, o.zone, o.capacity_type) for all_of in catalogues for t in all_of for o in t.offerings if o.available
    }
    return tuple(
        Refused(instance_type=name, zone=zone, capacity_type=capacity_type, since=None, until=None)
        for name, zone, capacity_type in sorted(wanted & offered)
    )


def is_on(mark: Refused | None, now: datetime) -> bool:
    """Whether Karpenter still leaves the offering out. A refusal without a time counts as just now."""
    return mark is not None and (mark.until is None or mark.until > now)


def _all_refused(world: World, history: History) -> Iterator[Refused]:
    claims = {c.metadata.name: c for c in world.node_claims}
    for signal in history.of(SignalKind.OFFERING_UNAVAILABLE):
        names = ("capacity-type", "instance-type", "zone")
        if all(signal.facts.get(name) for name in names):
            capacity_type, instance_type, zone = (signal.facts[name] for name in names)
            yield _mark(capacity_type, instance_type, zone, signal, signal.facts.get("reason", ""))
    for signal in history.of(SignalKind.LAUNCH_FAILED_ICE):
        if isinstance(signal.detail, LaunchFailure):
            yield from _of_failure(signal, signal.detail, claims)


def _mark(capacity_type: str, instance_type: str, zone: str, signal: Signal, reason: str) -> Refused:
    return Refused(
        capacity_type=capacity_type,
        instance_type=instance_type,
        zone=zone,
        since=signal.time,
        until=signal.time + MARK if signal.time else None,
        reason=reason,
    )


def _of_failure(signal: Signal, failure: LaunchFailure, claims: dict[str, NodeClaim]) -> Iterator[Refused]:
    """EC2's errors name type and zone; the capacity type is the NodeClaim's, or follows from the error code."""
    claim = claims.get(signal.objects.get("NodeClaim", ""))
    for error in failure.errors:
        if error.marks_offering and error.instance_type and error.zone:
            for capacity_type in _capacity_types(error, claim):
                yield _mark(capacity_type, error.instance_type, error.zone, signal, error.code)


def _capacity_types(error: FleetError, claim: NodeClaim | None) -> Iterable[str]:
    if claim is not None:
        allowed: Sequence[str] = next((r.values for r in claim.spec.requirements if r.key == CAPACITY_TYPE), ())
        if allowed:
            return allowed[:1] if len(allowed) == 1 else ([SPOT] if SPOT in allowed else allowed)
    if "spot" in error.message.lower() or error.code == "MaxSpotInstanceCountExceeded":
        return (SPOT,)
    return ("on-demand",)
