"""Notes that come while the store is at work: taken together, in their order, each with its own end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bot.store import gathering
from bot.store.gathering import Gathering


class Slow:
    """Takes what it is given once it is let."""

    def __init__(self) -> None:
        self.taken: list[list[int]] = []
        self.go = asyncio.Event()
        self.wrong: set[int] = set()

    async def take(self, notes: Sequence[int]) -> Sequence[int]:
        self.taken.append(list(notes))
        await self.go.wait()
        if self.wrong & set(notes):
            raise LookupError("the store is gone")
        return [note * 10 for note in notes]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_goes_at_once_and_those_that_come_meanwhile_together() -> None:
    slow = Slow()
    notes = Gathering(slow.take)
    first = asyncio.create_task(notes.note(1))
    await settle()
    rest = [asyncio.create_task(notes.note(n)) for n in range(2, 2 + gathering.MOST + 1)]
    await settle()
    slow.go.set()
    assert await first == 10
    assert await asyncio.gather(*rest) == [n * 10 for n in range(2, 2 + gathering.MOST + 1)]
    assert [len(taken) for taken in slow.taken] == [1, gathering.MOST, 1]


async def test_what_goes_wrong_is_told_to_those_it_befell_and_is_over() -> None:
    slow = Slow()
    slow.wrong.add(1)
    notes = Gathering(slow.take)
    first = asyncio.create_task(notes.note(1))
    await settle()
    second = asyncio.create_task(notes.note(2))
    slow.go.set()
    with pytest.raises(LookupError):
        await first
    assert await second == 20
    assert await notes.note(3) == 30


async def test_who_gives_up_before_their_turn_leaves_nothing_behind() -> None:
    slow = Slow()
    notes = Gathering(slow.take)
    first, second = asyncio.create_task(notes.note(1)), asyncio.create_task(notes.note(2))
    await settle()
    third = asyncio.create_task(notes.note(3))
    await settle()
    third.cancel()
    slow.go.set()
    assert (await first, await second) == (10, 20)
    await asyncio.gather(third, return_exceptions=True)
    assert await notes.note(4) == 40
    assert slow.taken == [[1, 2], [4]]
