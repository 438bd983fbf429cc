"""Questions that are the same at the same time: one reading and one decision answer all of them.

Nobody gets an answer that was begun before they asked: who comes while a flight is in the air boards the next one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")
HEADWAY: Final = 2.0
"""Seconds that a flight waits for the one before it to land; a slow cluster's questions then fly side by side."""


@dataclass(slots=True, eq=False)
class _Flight:
    passengers: int = 0
    landed: asyncio.Event = field(default_factory=asyncio.Event)


class Flights(Generic[K, T]):
    """For each key the flight that boards, and the one that was last in the air."""

    def __init__(self, *, headway: float = HEADWAY) -> None:
        self._headway = headway
        self._boarding: dict[K, tuple[_Flight, asyncio.Task[T]]] = {}
        self._flying: dict[K, _Flight] = {}

    async def join(
        self, key: K, turn: Callable[[], AbstractAsyncContextManager[None]], work: Callable[[], Awaitable[T]]
    ) -> T:
        """What `work` comes to, which is called once for all who ask the same until it has its `turn`.

        Raises what the turn or the work raises. Who is cancelled leaves; when nobody is left, so is the work.
        """
        if key not in self._boarding:
            flight = _Flight()
            self._boarding[key] = flight, asyncio.create_task(self._fly(key, flight, turn, work))
        flight, task = self._boarding[key]
        flight.passengers += 1
        try:
            return await asyncio.shield(task)
        finally:
            flight.passengers -= 1
            if not flight.passengers:
                self._close(key, flight)
                task.cancel()

    async def _fly(
        self,
        key: K,
        flight: _Flight,
        turn: Callable[[], AbstractAsyncContextManager[None]],
        work: Callable[[], Awaitable[T]],
    ) -> T:
        try:
            if key in self._flying:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._flying[key].landed.wait(), self._headway)
            async with turn():
                self._close(key, flight)
                self._flying[key] = flight
                return await work()
        finally:
            flight.landed.set()
            self._close(key, flight)
            if self._flying.get(key) is flight:
                del self._flying[key]

    def _close(self, key: K, flight: _Flight) -> None:
        """Nobody boards any more."""
        if key in self._boarding and self._boarding[key][0] is flight:
            del self._boarding[key]
