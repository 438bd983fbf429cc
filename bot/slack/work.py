"""Work that outlives its acknowledgement: counted, bounded, and finished before the process ends."""

import asyncio
from collections.abc import Coroutine
from typing import Final

MOST: Final = 10_000
"""What may be in work or in the line, about 4 KiB each; more than what these take nobody waits for."""
AT_ONCE: Final = 100
"""Questions that are in work at once; the others stand in a line, written down and acknowledged."""
_LAST_WORDS: Final = 5.0
"""Seconds in which cancelled work may still say that it was."""


class Work:
    """The tasks that are under way. Bolt's own are not tracked: a process that ends would lose them after the ack."""

    def __init__(self, *, most: int = MOST, at_once: int = AT_ONCE) -> None:
        self.line = asyncio.Semaphore(at_once)
        """Who has a place in it is in work; it is given in the order of asking."""
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
