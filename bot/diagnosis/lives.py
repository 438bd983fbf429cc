"""The nodes that a job was on, one after the other: from when to when each was there, and what ended it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.diagnosis.departure import Departure, departure
from bot.diagnosis.disruption import family
from bot.diagnosis.history import read_history
from bot.diagnosis.traces import nodes_of_jobs
from bot.model.world import World

MOST: Final = 12
"""Nodes of a job that are shown, the newest of them: a phone shows no more bars."""
_BEGINNINGS: Final = ("created", "launched", "registered", "initialized", "ready")
_ENDS: Final = ("claim-deleted", "node-deleted", "removed", "collected")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLife:
    """One node's time. `ended` is None while it is there; `state` and `reason` as of its Departure.

    Where nothing tells of its beginning or its end, `began` and `ended` are the first and last that is known of it:
    `since_before` and `until_after` say so.
    """

    node: str
    began: datetime
    ended: datetime | None
    state: str
    reason: str
    since_before: bool = False
    until_after: bool = False


def lives_of(world: World, found: Departure) -> tuple[NodeLife, ...]:
    """Of the jobs of a departure, oldest first; nodes of which no moment is known are left out."""
    jobs = {(space, family(name)) for space, _, name in (pod.partition("/") for pod in found.pods)}
    names = dict.fromkeys((*nodes_of_jobs(world, read_history(world), jobs), *([found.node] if found.node else [])))
    all_of = (_life(found if name == found.node else departure(world, name)) for name in _newest(names))
    return tuple(sorted((life for life in all_of if life), key=lambda life: (life.began, life.node)))


def _newest(names: Iterable[str]) -> list[str]:
    return list(names)[-MOST:]


def _life(found: Departure) -> NodeLife | None:
    times = [moment.time for moment in found.timeline if moment.time]
    if not times:
        return None
    begins = [m.time for m in found.timeline if m.time and m.what in _BEGINNINGS]
    ends = [m.time for m in found.timeline if m.time and m.what in _ENDS]
    gone = found.state == "gone"
    return NodeLife(
        node=found.node,
        began=min(begins or times),
        ended=max(ends or times) if gone else None,
        state=found.state,
        reason=found.reason,
        since_before=not begins,
        until_after=gone and not ends,
    )
