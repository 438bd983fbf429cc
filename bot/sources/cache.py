"""Answers that are kept for a while; who asks for one that is being fetched waits for that fetch."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")
_MOST: Final = 512
"""Answers kept at most; beyond, the oldest go."""


@dataclass(frozen=True, slots=True)
class Held(Generic[Value]):
    """A kept answer. `age` in seconds; `stale`: why a newer one could not be had."""

    value: Value
    age: float
    stale: Exception | None = None


class TtlCache(Generic[Value]):
    """One fetch at a time per key; a failed refresh falls back on what was there, named as stale."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, Value]] = {}
        self._fetching: dict[Hashable, asyncio.Task[Value]] = {}

    def fresh(self, key: Hashable, ttl: float) -> Held[Value] | None:
        """The kept answer if it is younger than `ttl` seconds."""
        if key not in self._kept:
            return None
        since, value = self._kept[key]
        age = self._clock() - since
        return Held(value, age) if age < ttl else None

    async def get(self, key: Hashable, ttl: float, fetch: Callable[[], Awaitable[Value]]) -> Held[Value]:
        """The kept answer while it is fresh, else a new one. Raises what `fetch` raises when nothing was kept."""
        held = self.fresh(key, ttl)
        if held is not None:
            return held
        if key not in self._fetching:
            self._fetching[key] = asyncio.create_task(self._fetch(key, fetch))
        try:
            # shielded: one of several who wait may be cancelled, the others still want the answer
            return Held(await asyncio.shield(self._fetching[key]), 0.0)
        except Exception as error:
            if key not in self._kept:
                raise
            since, value = self._kept[key]
            return Held(value, self._clock() - since, stale=error)

    async def _fetch(self, key: Hashable, fetch: Callable[[], Awaitable[Value]]) -> Value:
        try:
            value = await fetch()
        finally:
            del self._fetching[key]
        self._kept.pop(key, None)
        self._kept[key] = (self._clock(), value)
        while len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]
        return value
