"""Slack's clock: runs with the wall clock, and a test may push it forward so that no test waits for minutes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Slack's periods, in seconds."""

    ack: float = 3.0  # handling-user-interaction, events-api: 2xx or ack within 3 s
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)  # events-api: at once, after 1 min, after 5 min
    trigger: float = 3.0  # handling-user-interaction: a trigger_id's life
    response_url: float = 1800.0  # handling-user-interaction: 30 minutes


class Clock:
    """Seconds since the epoch, plus whatever a test has advanced."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._advanced = asyncio.Event()

    def now(self) -> float:
        """Slack's time."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once; what was due in them happens now."""
        self._ahead += seconds
        self._advanced.set()
        self._advanced = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Return once Slack's time is ``seconds`` later."""
        due = self.now() + seconds
        while (left := due - self.now()) > 0:
            try:
                await asyncio.wait_for(self._advanced.wait(), left)
            except TimeoutError:
                return

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        """``work``'s result, or TimeoutError when Slack's clock passes ``seconds`` first (``work`` is cancelled)."""
        running = asyncio.ensure_future(work)
        timer = asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait({running, timer}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                raise TimeoutError
            return running.result()
        finally:
            timer.cancel()
            running.cancel()
