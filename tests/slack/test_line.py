"""The line in which questions wait: who is let in, when, and in which order."""

from __future__ import annotations

import asyncio

import pytest

from bot.slack import work
from bot.slack.work import Line


class Crowd:
    """People who go in, and stay until they are told to leave."""

    def __init__(self, line: Line, many: int) -> None:
        self.inside: list[int] = []
        self.leave = [asyncio.Event() for _ in range(many)]
        self.tasks = [asyncio.create_task(self._go(line, number)) for number in range(many)]

    async def _go(self, line: Line, number: int) -> None:
        async with line:
            self.inside.append(number)
            await self.leave[number].wait()


def late(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    async def lag() -> float:
        await asyncio.sleep(0)
        return seconds

    monkeypatch.setattr(work, "_lag", lag)
    monkeypatch.setattr(work, "_LOOK_AGAIN", 0.001)


async def test_a_quick_loop_takes_most_and_a_late_one_few_in_the_order_of_asking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late(monkeypatch, 0.0)
    quick = Crowd(Line(few=2, most=5), 9)
    await asyncio.sleep(0.05)
    assert quick.inside == [0, 1, 2, 3, 4]

    late(monkeypatch, 1.0)
    slow = Crowd(Line(few=2, most=5), 9)
    await asyncio.sleep(0.05)
    assert slow.inside == [0, 1]
    slow.leave[1].set()
    await asyncio.sleep(0.05)
    assert slow.inside == [0, 1, 2]

    late(monkeypatch, 0.0)
    await asyncio.sleep(0.05)
    assert slow.inside == [0, 1, 2, 3, 4, 5]
    for crowd in (quick, slow):
        for one in crowd.leave:
            one.set()
        await asyncio.gather(*crowd.tasks)


async def test_what_waits_for_its_acknowledgement_goes_before_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    late(monkeypatch, 0.0)
    line = Line(few=1, most=5)
    line.acknowledging = work.WAITING + 1
    crowd = Crowd(line, 3)
    await asyncio.sleep(0.05)
    assert crowd.inside == [0]
    line.acknowledging = work.WAITING
    await asyncio.sleep(0.05)
    assert crowd.inside == [0, 1, 2]
    for one in crowd.leave:
        one.set()
    await asyncio.gather(*crowd.tasks)


async def test_who_gives_up_in_the_line_takes_nobodys_place(monkeypatch: pytest.MonkeyPatch) -> None:
    late(monkeypatch, 1.0)
    crowd = Crowd(Line(few=1, most=1), 3)
    await asyncio.sleep(0.02)
    crowd.tasks[1].cancel()
    crowd.leave[0].set()
    await asyncio.sleep(0.02)
    assert crowd.inside == [0, 2]
    crowd.leave[2].set()
    await asyncio.gather(*crowd.tasks, return_exceptions=True)


async def test_a_loop_that_is_held_up_is_late() -> None:
    async def hog() -> None:
        for _ in range(20):
            _busy(0.02)
            await asyncio.sleep(0)

    holding = asyncio.create_task(hog())
    assert await work._lag() > 0.01
    await holding
    assert await work._lag() < 1.0


def _busy(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    while loop.time() < due:
        pass
