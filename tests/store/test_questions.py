"""Questions in work belong to one replica at a time, and to another once that one has ended; told on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from bot.store import Store, answers, questions
from bot.store.questions import ATTEMPTS, LEASE, ON_ITS_WAY, TOO_OLD, Question
from tests.store import noting

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
LATER = NOW + LEASE + timedelta(seconds=1)


def asked(number: int) -> Question:
    return Question(id=f"q-{number}", asked=b"why?")


async def claimed(store: Store, owner: str, now: datetime, most: int = 100) -> set[str]:
    return {question.id for question in await questions.claim(store, owner, now, most=most)}


async def test_a_question_is_written_down_once(store: Store) -> None:
    assert await noting.keep(store, asked(1), "a", NOW)
    assert not await noting.keep(store, asked(1), "b", NOW)


async def test_nobody_takes_what_is_in_work_and_anybody_what_was_left(store: Store) -> None:
    await noting.keep(store, asked(1), "a", NOW)
    assert await noting.shown(store, "q-1", "a", "17.1", NOW)
    assert await claimed(store, "b", NOW) == set()
    await questions.renew(store, "a", NOW + LEASE)
    assert await claimed(store, "b", LATER) == set()
    (taken,) = await questions.claim(store, "b", LATER + LEASE, most=10)
    assert taken == Question(id="q-1", asked=b"why?", message_ts="17.1", attempts=2)
    assert await claimed(store, "c", LATER + LEASE) == set()
    await noting.finish(store, "q-1", "b", NOW)
    assert await claimed(store, "c", LATER + 3 * LEASE) == set()


async def test_who_lost_a_question_can_neither_show_nor_end_it(store: Store) -> None:
    await noting.keep(store, asked(1), "frozen", NOW)
    (taken,) = await questions.claim(store, "b", LATER, most=10)
    assert not await noting.shown(store, taken.id, "frozen", "17.1", NOW)
    await questions.put_back(store, taken.id, "frozen", LATER)
    assert not await noting.finish(store, taken.id, "frozen", NOW)
    assert await noting.shown(store, taken.id, "b", "17.2", NOW)
    (again,) = await questions.claim(store, "c", LATER + 2 * LEASE, most=10)
    assert again == Question(id="q-1", asked=b"why?", message_ts="17.2", attempts=3)
    assert await noting.finish(store, "q-1", "c", NOW)
    assert await noting.finish(store, "q-1", "c", NOW), "and is told the same when it asks again"
    assert not await noting.finish(store, "q-1", "frozen", NOW), "another has answered it"


async def test_of_two_who_could_not_write_a_question_down_the_first_to_end_it_has_it(store: Store) -> None:
    assert await noting.finish(store, "never written down", "a", NOW)
    assert not await noting.finish(store, "never written down", "b", NOW)
    assert await noting.finish(store, "never written down", "a", NOW)
    assert not await noting.keep(store, Question(id="never written down", asked=b"why?"), "c", NOW), "it came once more"


async def test_what_is_let_go_is_taken_at_once_or_when_its_message_must_have_arrived(store: Store) -> None:
    for number in (1, 2):
        await noting.keep(store, asked(number), "a", NOW)
    await noting.shown(store, "q-1", "a", "17.1", NOW)
    await questions.release(store, "a", NOW)
    assert await claimed(store, "b", NOW) == {"q-1"}
    assert await claimed(store, "b", NOW + ON_ITS_WAY) == set()
    assert await claimed(store, "b", NOW + ON_ITS_WAY + timedelta(seconds=1)) == {"q-2"}


async def test_replicas_that_claim_together_share_and_never_take_the_same(store: Store) -> None:
    for number in range(40):
        await noting.keep(store, asked(number), "gone", NOW)
    shares = await asyncio.gather(*(claimed(store, f"r{n}", LATER, most=10) for n in range(6)))
    assert sum(map(len, shares)) == 40
    assert len(set().union(*shares)) == 40


async def test_a_question_that_ends_processes_or_that_nobody_waits_for_is_struck_out(store: Store) -> None:
    await noting.keep(store, asked(1), "a", NOW)
    now = NOW
    for attempt in range(2, ATTEMPTS + 1):
        now += LEASE + timedelta(seconds=1)
        (taken,) = await questions.claim(store, f"r{attempt}", now, most=1)
        assert taken.attempts == attempt
    (struck,) = await questions.claim(store, "last", now + LEASE + timedelta(seconds=1), most=10)
    assert (struck.id, struck.given_up) == ("q-1", True), "who asked is told"
    await noting.keep(store, asked(2), "a", NOW)
    (struck,) = await questions.claim(store, "b", NOW + TOO_OLD + timedelta(seconds=1), most=10)
    assert (struck.id, struck.given_up) == ("q-2", True)
    assert await claimed(store, "b", NOW + TOO_OLD) == set(), "it is gone"
    assert not await noting.keep(store, asked(2), "a", NOW), "and its delivery was taken, once and for all"


async def test_evidence_is_kept_for_a_week(store: Store) -> None:
    await answers.keep_answer(store, "a-1", b"rendered", NOW)
    assert await answers.kept_answer(store, "a-1") == b"rendered"
    assert await answers.kept_answer(store, "a-2") is None
    assert await answers.forget_answers(store, NOW + answers.KEPT) == 0
    assert await answers.forget_answers(store, NOW + answers.KEPT + timedelta(seconds=1)) == 1
    assert await answers.kept_answer(store, "a-1") is None
