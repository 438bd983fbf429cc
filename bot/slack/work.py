"""Work that outlives its acknowledgement: counted, bounded, and finished before the process ends."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Final

MOST: Final = 15_000
"""What may be in work or in the line, about 10 KiB each; more than what these take nobody waits for."""
AT_ONCE: Final = 100
"""Questions that are in work at once; the others stand in a line, written down and acknowledged."""
FEW: Final = 1
"""Questions that are in work however much else there is to do."""
WAITING: Final = 4
"""Deliveries beyond which nothing is left for answers."""
LAG: Final = 0.02
"""Seconds by which a loop that still has time to spare may be late."""
_GLANCE: Final = 0.002
_LOOK_AGAIN: Final = 0.1
_LAST_WORDS: Final = 5.0
"""Seconds in which cancelled work may still say that it was."""


class Line:
    """Lets questions in, in the order of asking: while there is time to spare as many as `most`, else no more than `few`, so
    that what comes in is acknowledged in time however much is to be answered.
    """

    def __init__(self, *, few: int = FEW, most: int = AT_ONCE) -> None:
        self._few, self._most = few, most
        self.acknowledging = 0
        """Deliveries that wait for their acknowledgement."""
        self._inside = 0
        self._door = asyncio.Lock()
        self._left = asyncio.Event()

    async def __aenter__(self) -> None:
        async with self._door:
            while self._inside >= self._few and (self._inside >= self._most or await self._pressed()):
                self._left.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._left.wait(), _LOOK_AGAIN)
            self._inside += 1

    async def __aexit__(self, *_: object) -> None:
        self._inside -= 1
        self._left.set()

    async def _pressed(self) -> bool:
        return self.acknowledging > WAITING or await _lag() > LAG


async def _lag() -> float:
    """By how many seconds the event loop is late just now."""
    loop = asyncio.get_running_loop()
    due = loop.time() + _GLANCE
    await asyncio.sleep(_GLANCE)
    return loop.time() - due


class Work:
    """The tasks that are under way. Bolt's own are not tracked: a process that ends would lose them after the ack."""

    def __init__(self, *, most: int = MOST) -> None:
        self.line = Line()
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[object, object, None]) -> bool:
        """Begins it, or closes it and returns False when there is too much already."""
        if len(self._tasks) >= self._most:
            work.close()
            return False
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def drain(self, seconds: float) -> None:
        """Waits until all is done, at most so long; cancels the rest, which may still say a last word."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        while self._tasks and (left := due - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        if remaining := set(self._tasks):
            for task in remaining:
                task.cancel()
            await asyncio.wait(remaining, timeout=_LAST_WORDS)
