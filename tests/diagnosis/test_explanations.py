"""Causes are real and minimal conflicts, remedies real and minimal corrections, and a single edit that helps is found.

Every claim is decided again by the engine, whose decisions are Karpenter's own (tests/oracle): constraints are taken away
from the objects that carry them, edits are made in the objects, candidates are enumerated apart from the bot's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import combinations

import pytest
from hypothesis import HealthCheck, assume, given, settings

from bot.diagnosis.what_if import after, edited
from bot.model.diagnosis import Cause, Kind
from bot.model.kubernetes import Pod
from bot.model.world import World
from tests.diagnosis.explained import Explained, blocked, explained, from_generator, small_worlds
from tests.diagnosis.relaxing import all_constraints, carried, counted, launches, relaxed, settled, term_of
from tests.diagnosis.single_edits import single_edits

Check = Callable[[Explained], None]


@cache
def recorded() -> tuple[Explained, ...]:
    """Blocked cases of the oracle's generator."""
    return tuple(from_generator(5, 450))


def causes_are_real_and_minimal(one: Explained) -> None:
    pools = {pool.metadata.name: pool for pool in one.world.node_pools}
    for cause in one.told.causes:
        for name in cause.nodepools:
            if settled(one.this, pools[name], cause.constraints):
                _stands(one, cause, name)


def _stands(one: Explained, cause: Cause, name: str) -> None:
    pool = next(pool for pool in one.world.node_pools if pool.metadata.name == name)
    every = all_constraints(one.this, pool, term_of(cause.constraints))
    mine = {c.id for c in cause.constraints}
    others = [c for c in every if c.id not in mine]
    # what daemons take is part of what a request is measured against
    measured = {c.subject for c in cause.constraints if c.kind is Kind.RESOURCE}
    apart = [c for c in others if not (c.kind is Kind.DAEMON_OVERHEAD and c.subject in measured)]
    alone = relaxed(one.world, one.pod, name, apart, cause.constraints)
    assert not launches(*alone, name, counted(one.this, pool, apart)), (
        f"{cause.id} {sorted(mine)} alone leaves something"
    )
    if not any(instance_type.offerings for instance_type in one.world.catalogues[name]):
        return  # there is nothing that could be left
    for constraint in (c for c in every if c.id in mine and carried(c)):
        gone = [*others, constraint]
        fewer = relaxed(one.world, one.pod, name, gone, cause.constraints)
        assert launches(*fewer, name, counted(one.this, pool, gone)), (
            f"{cause.id} {sorted(mine)} holds without {constraint.id}"
        )


def remedies_help(one: Explained) -> None:
    for remedy in one.told.remedies:
        assert not blocked(*after(one.world, one.pod, remedy)), (remedy.id, remedy.edits)


def remedies_are_minimal(one: Explained) -> None:
    for remedy in one.told.remedies:
        for count in range(1, len(remedy.edits)):
            for fewer in combinations(remedy.edits, count):
                assert blocked(*edited(one.world, one.pod, fewer)), (remedy.edits, fewer)


def a_single_edit_is_offered_if_one_helps(one: Explained) -> None:
    if not any(len(remedy.edits) == 1 for remedy in one.told.remedies):
        for what, world, pod in single_edits(one.world, one.pod):
            assert blocked(world, pod), f"{what} would do, offered: {[r.id for r in one.told.remedies]}"


def every_refusal_is_explained(one: Explained) -> None:
    assert one.told.causes
    assert "unexplained" not in {cause.id for cause in one.told.causes}


CHECKS = (
    causes_are_real_and_minimal,
    remedies_help,
    remedies_are_minimal,
    a_single_edit_is_offered_if_one_helps,
    every_refusal_is_explained,
)
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@every_check
def test_on_the_oracles_cases(check: Check) -> None:
    for one in recorded():
        assert one.case is not None
        try:
            check(one)
        except AssertionError as error:
            error.add_note(f"case {one.case['id']} ({one.case['feature']})")
            raise


@every_check
@given(made=small_worlds())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_on_small_worlds(check: Check, made: tuple[World, Pod]) -> None:
    one = explained(*made)
    assume(one is not None)
    assert one is not None
    check(one)


def test_the_cases_are_worth_it() -> None:
    """Enough of them, of many sorts, and few conflicts that do not stand for themselves."""
    causes = [(one, cause) for one in recorded() for cause in one.told.causes]
    pools = {id(one): {p.metadata.name: p for p in one.world.node_pools} for one in recorded()}
    standing = [settled(one.this, pools[id(one)][c.nodepools[0]], c.constraints) for one, c in causes]
    assert len(recorded()) > 150
    assert len(Counter(cause.id for _, cause in causes)) > 12
    assert sum(standing) > 0.8 * len(causes)
    assert sum(len(one.told.remedies) for one in recorded()) > 100
