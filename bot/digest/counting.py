"""What a week's digest says, counted from what the store keeps. Pure: rows in, figures out.

Counted are the pods of the workloads that were asked about, or that an alert named, in one channel; others are not known. A
wait counts from the pod's creation (not from before the week) until it got its node, until it was last known to wait where it
was deleted, or until it was last seen waiting where it still does: never longer than was observed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.store.outcomes import Outcome
from bot.store.waits import GONE, NODE, Asked, Wait

MOST: Final = 5
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCause:
    """One cause: of how many workloads and pods it was the first, and how long those pods waited in all."""

    cause: str
    workloads: int
    pods: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Helped:
    """A cause's playbook: its changes that were applied, and those of them after which the pod ran."""

    cause: str
    applied: int
    verified: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A change that somebody refused, and why."""

    summary: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One channel's week. `counted_from` is later than `since` where counting began within the week."""

    since: datetime
    until: datetime
    counted_from: datetime
    answers: int = 0
    workloads: int = 0
    causes: tuple[OfCause, ...] = ()
    pods: int = 0
    placed: int = 0
    gone: int = 0
    waiting: int = 0
    seconds: float = 0.0
    gpu_hours: float = 0.0
    longest: tuple[str, float] = ("", 0.0)
    helped: tuple[Helped, ...] = ()
    refused: tuple[Refusal, ...] = ()
    expired: int = 0
    by_ec2: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The span, and what was kept of it: answers of one channel, waits and outcomes of all, EC2's refusals."""

    since: datetime
    until: datetime
    counted_from: datetime
    asked: Sequence[Asked]
    waits: Sequence[Wait] = ()
    outcomes: Sequence[Outcome] = ()
    by_ec2: Iterable[str] = ()


def figures(week: Week) -> Figures:
    """The week's figures for the channel whose answers these are."""
    own = {(one.cluster, one.namespace, one.owner) for one in week.asked}
    waits = [wait for wait in week.waits if (wait.cluster, wait.namespace, wait.owner) in own]
    spans = [(wait, waited(wait, week.since, week.until)) for wait in waits]
    spans = [(wait, seconds) for wait, seconds in spans if seconds > 0]
    longest = max(spans, key=lambda one: one[1], default=None)
    return Figures(
        since=week.since,
        until=week.until,
        counted_from=max(week.since, week.counted_from),
        answers=len(week.asked),
        workloads=len(own),
        causes=_causes(week.asked, spans),
        pods=len(spans),
        placed=sum(wait.ended == NODE and _ended_by(wait, week.until) for wait, _ in spans),
        gone=sum(wait.ended == GONE and _ended_by(wait, week.until) for wait, _ in spans),
        waiting=sum(not _ended_by(wait, week.until) for wait, _ in spans),
        seconds=sum(seconds for _, seconds in spans),
        gpu_hours=sum(wait.gpus * seconds for wait, seconds in spans) / _HOUR,
        longest=(f"{longest[0].namespace}/{longest[0].pod}", longest[1]) if longest else ("", 0.0),
        helped=_helped(week.outcomes),
        refused=tuple(
            Refusal(summary=one.summary, reason=one.reason, by=one.actor)
            for one in week.outcomes
            if one.event == "reject"
        ),
        expired=sum(one.event == "expire" for one in week.outcomes),
        by_ec2=tuple(Counter(week.by_ec2).most_common(MOST)),
    )


def waited(wait: Wait, since: datetime, until: datetime) -> float:
    """The seconds of a wait that lie between the two moments, as far as they were observed."""
    end = wait.until or wait.seen_at
    return max((min(end, until) - max(wait.since, since)).total_seconds(), 0.0)


def _ended_by(wait: Wait, moment: datetime) -> bool:
    return wait.until is not None and wait.until <= moment


def _causes(asked: Sequence[Asked], spans: Sequence[tuple[Wait, float]]) -> tuple[OfCause, ...]:
    """By workload the cause that was named last, so that a workload counts once; the most waited for first."""
    newest = {(one.cluster, one.namespace, one.owner): one.cause for one in asked}
    workloads = Counter(cause for cause in newest.values() if cause)
    pods: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    for wait, span in spans:
        cause = newest.get((wait.cluster, wait.namespace, wait.owner), wait.cause)
        pods[cause] += 1
        seconds[cause] += span
    found = [OfCause(cause=c, workloads=n, pods=pods[c], seconds=seconds[c]) for c, n in workloads.items()]
    return tuple(sorted(found, key=lambda one: (-one.seconds, -one.workloads, one.cause))[:MOST])


def _helped(outcomes: Sequence[Outcome]) -> tuple[Helped, ...]:
    applied = Counter(one.cause for one in outcomes if one.event == "apply")
    verified = Counter(one.cause for one in outcomes if one.event == "verify")
    found = [Helped(cause=c, applied=applied[c], verified=verified[c]) for c in {*applied, *verified} if c]
    return tuple(sorted(found, key=lambda one: (-one.verified, -one.applied, one.cause))[:MOST])
