"""Identical questions at one time: how many readings they cost, whose answer is whose, and who may give up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.sources.flights import Flights


class Airport:
    """Works that end when they are told to; each comes to its number, from 1."""

    def __init__(self, *, headway: float = 60.0) -> None:
        self.flights: Flights[str, int] = Flights(headway=headway)
        self.begun, self.cancelled = 0, 0
        self.landed: list[asyncio.Future[None]] = []
        self.free = asyncio.Event()
        self.free.set()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await self.free.wait()
        yield

    async def work(self) -> int:
        self.begun += 1
        number, end = self.begun, asyncio.get_running_loop().create_future()
        self.landed.append(end)
        try:
            await end
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return number

    def ask(self, key: str = "pod") -> asyncio.Task[int]:
        return asyncio.create_task(self.flights.join(key, self.turn, self.work))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_asks_while_one_is_in_the_air_shares_the_next_and_never_gets_what_was_begun_before() -> None:
    it = Airport()
    first = it.ask()
    await settle()
    later = [it.ask() for _ in range(50)]
    await settle()
    assert it.begun == 1
    it.landed[0].set_result(None)
    assert await first == 1
    await settle()
    it.landed[1].set_result(None)
    assert await asyncio.gather(*later) == [2] * 50


async def test_who_waits_for_a_turn_still_takes_others_along() -> None:
    it = Airport()
    it.free.clear()
    asked = [it.ask()]
    await settle()
    asked.append(it.ask())
    it.free.set()
    await settle()
    it.landed[0].set_result(None)
    assert await asyncio.gather(*asked) == [1, 1]


async def test_other_questions_do_not_wait_and_neither_does_anybody_for_a_slow_one_for_long() -> None:
    it = Airport(headway=0.01)
    asked = [it.ask("pod"), it.ask("other pod")]
    await settle()
    assert it.begun == 2
    asked.append(it.ask("pod"))
    for _ in range(1_000):
        if it.begun < 3:
            await asyncio.sleep(0.01)
    for end in it.landed:
        end.set_result(None)
    assert await asyncio.gather(*asked) == [1, 2, 3]


async def test_who_gives_up_leaves_the_others_their_answer_and_the_last_one_ends_the_work() -> None:
    it = Airport()
    impatient, patient = it.ask(), it.ask()
    await settle()
    impatient.cancel()
    await settle()
    assert it.cancelled == 0
    patient.cancel()
    await asyncio.gather(impatient, patient, return_exceptions=True)
    await settle()
    assert it.cancelled == 1
    again = it.ask()
    await settle()
    it.landed[1].set_result(None)
    assert await again == 2


async def test_who_gives_up_before_the_start_leaves_no_flight_that_nobody_flies() -> None:
    it = Airport()
    it.free.clear()
    asked = it.ask()
    await settle()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    it.free.set()
    again = it.ask()
    await settle()
    assert it.begun == 1
    it.landed[0].set_result(None)
    assert await again == 1


async def test_what_goes_wrong_is_told_to_all_and_is_over() -> None:
    it = Airport()
    asked = [it.ask(), it.ask()]
    await settle()
    it.landed[0].set_exception(LookupError("no such pod"))
    assert [str(e) for e in await asyncio.gather(*asked, return_exceptions=True)] == ["no such pod"] * 2
    again = it.ask()
    await settle()
    it.landed[1].set_result(None)
    assert await again == 2
