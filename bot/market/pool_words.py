"""NodePool views -> a sheet in one language: one part a NodePool, short for all of them, whole for one."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from bot.market.nodepools import Launchable, NodePools, NodePoolView, Problem
from bot.market.words import age_lines, missing_lines
from bot.model.objects import Condition
from bot.playbooks import Line, LineKind, Phrases
from bot.playbooks.sheet import Part, Sheet

_FEW: Final = 3
_MANY: Final = 25
_LONGEST: Final = 300


def nodepools_sheet(answer: NodePools, phrases: Phrases, ages: Mapping[str, float], *, whole: bool) -> Sheet:
    """`whole`: every node and every error of each NodePool, else their number and the last ones."""
    parts = [_pool(pool, phrases, whole=whole) for pool in answer.pools]
    old = age_lines(ages, phrases)
    if old:
        parts.append(Part(heading=phrases.text("market.heading.ages"), lines=tuple(old)))
    ready = sum(pool.ready for pool in answer.pools)
    return Sheet(
        title=phrases.line("nodepools.title", count=len(answer.pools), ready=ready),
        about=phrases.line("nodepools.about", cluster=answer.cluster, region=answer.region),
        parts=tuple(parts),
        missing=missing_lines(answer.missing, phrases),
    )


def _pool(pool: NodePoolView, phrases: Phrases, *, whole: bool) -> Part:
    lines = [
        *_readiness(pool, phrases),
        _launchable(pool.launchable, phrases),
        *_limits(pool, phrases),
        *_launched(pool, phrases, whole=whole),
        *_marks(pool, phrases),
        *_problems(pool, phrases, whole=whole),
    ]
    return Part(heading=pool.name, lines=tuple(Line(line.spans, LineKind.BULLET) for line in lines))


def _readiness(pool: NodePoolView, phrases: Phrases) -> Iterator[Line]:
    code = pool.not_ready.replace(" ", "-") or "ready"
    yield phrases.line(f"nodepools.{code}", weight=pool.weight)
    if not pool.node_class_known:
        yield phrases.line("nodepools.class-unknown", name=pool.node_class)
    for owner, conditions in (("NodePool", pool.conditions), ("EC2NodeClass", pool.node_class_conditions)):
        for one in conditions:
            yield _condition(owner, one, phrases)


def _condition(owner: str, one: Condition, phrases: Phrases) -> Line:
    return phrases.line(
        "nodepools.condition",
        owner=owner,
        type=one.type,
        status=one.status,
        reason=one.reason,
        message=one.message[:_LONGEST],
        since=phrases.moment(one.last_transition_time),
    )


def _launchable(found: Launchable | None, phrases: Phrases) -> Line:
    if found is None:
        return phrases.line("nodepools.launch-unknown")
    if not found.offerings:
        return phrases.line("nodepools.launch-nothing")
    return phrases.line(
        "nodepools.launch",
        types=len(found.instance_types),
        families=found.families,
        zones=len(found.zones),
        capacity_types=found.capacity_types,
        offerings=found.offerings,
        open=found.open,
        cheapest=found.cheapest,
    )


def _limits(pool: NodePoolView, phrases: Phrases) -> Iterator[Line]:
    if not pool.limits:
        yield phrases.line("nodepools.no-limits")
    for one in pool.limits:
        yield phrases.line(
            "nodepools.limit", resource=one.resource, limit=str(one.limit), used=str(one.used), left=str(one.left)
        )


def _launched(pool: NodePoolView, phrases: Phrases, *, whole: bool) -> Iterator[Line]:
    states = Counter(one.state for one in pool.launched)
    said = [phrases.marked(f"nodepools.state.{state}", count=count) for state, count in sorted(states.items())]
    yield phrases.line("nodepools.launched", count=len(pool.launched), states=said)
    shown = pool.launched[:_MANY] if whole else ()
    for one in shown:
        yield phrases.line(
            "nodepools.node",
            name=one.nodeclaim or one.node,
            instance_type=one.instance_type,
            capacity_type=one.capacity_type,
            zone=one.zone,
            state=phrases.marked(f"nodepools.state-name.{one.state}"),
            price=one.price,
        )
    if whole and len(pool.launched) > len(shown):
        yield phrases.line("more.lines", count=len(pool.launched) - len(shown))


def _marks(pool: NodePoolView, phrases: Phrases) -> Iterator[Line]:
    if pool.marks:
        until = max((mark.until for mark in pool.marks if mark.until), default=None)
        yield phrases.line(
            "nodepools.marks",
            count=len(pool.marks),
            types=tuple(sorted({mark.instance_type for mark in pool.marks})),
            until=phrases.moment(until) or "?",
        )


def _problems(pool: NodePoolView, phrases: Phrases, *, whole: bool) -> Iterator[Line]:
    shown = pool.problems if whole else pool.problems[:_FEW]
    yield from (_problem(one, phrases) for one in shown)
    if len(pool.problems) > len(shown):
        yield phrases.line("more.lines", count=len(pool.problems) - len(shown))


def _problem(one: Problem, phrases: Phrases) -> Line:
    at = phrases.moment(one.last) or "?"
    return phrases.line("nodepools.problem", at=at, count=one.count, about=one.about, message=one.message[:_LONGEST])
