"""A lane for each cluster: its own turns, and rest for one that does not answer, so that it holds up nobody else's questions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import ceil
from typing import Final

from bot.sources.errors import ClusterUnreachable
from bot.telemetry.measures import state

FAILURES: Final = 3
"""Questions in a row that a cluster may leave without an answer before it is left alone."""
REST: Final = 15.0
LONGEST_REST: Final = 120.0


class Lane:
    """One cluster's turns and its circuit breaker. `clock`: seconds that only go forward."""

    def __init__(self, name: str, at_once: int, clock: Callable[[], float]) -> None:
        self.name = name
        self.connecting = asyncio.Lock()
        self._turns = asyncio.Semaphore(at_once)
        self._clock = clock
        self._failed, self._rest = 0, REST
        self._closed_until = float("-inf")
        self._since = 0.0
        self._trying = False

    def rests(self) -> bool:
        """Whether questions are turned away unasked."""
        return self._clock() < self._closed_until

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A turn for one question. Raises ClusterUnreachable at once while the cluster rests.

        After the rest one question goes ahead, and the others are let through when that one came back with an answer.
        """
        self._admit()
        async with self._turns:
            trying = self._admit()
            self._trying = self._trying or trying
            try:
                yield
            except ClusterUnreachable:
                self._fell_silent(trying=trying)
                raise
            except Exception:
                self._answered()
                raise
            else:
                self._answered()
            finally:
                if trying:
                    self._trying = False

    def _admit(self) -> bool:
        """Whether this is the one question that tries a cluster after its rest. Raises ClusterUnreachable."""
        now = self._clock()
        if now < self._closed_until:
            raise ClusterUnreachable(self._silent(now))
        waiting = self._failed >= FAILURES
        if waiting and self._trying:
            raise ClusterUnreachable(self._silent(now))
        return waiting

    def _silent(self, now: float) -> str:
        again = max(1, ceil(self._closed_until - now))
        return f"no answer for {ceil(now - self._since)} s; left alone, to be asked again in {again} s"

    def _fell_silent(self, *, trying: bool) -> None:
        now = self._clock()
        self._since = self._since if self._failed else now
        self._failed += 1
        if self._failed >= FAILURES and now >= self._closed_until:
            self._rest = min(self._rest * 2, LONGEST_REST) if trying else REST
            self._closed_until = now + self._rest
            state("cluster_up", 0, cluster=self.name)

    def _answered(self) -> None:
        self._failed, self._rest = 0, REST
        self._closed_until = float("-inf")
        state("cluster_up", 1, cluster=self.name)
