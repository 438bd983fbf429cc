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
    """One fetch at a time per key; a failed refresh falls back on what was there, named as stale.

    A failure is kept too, for as long as `rest` says: many who ask at once do not wait for the same timeout one by one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, Value]] = {}
        self._failed: dict[Hashable, tuple[float, Exception]] = {}
        self._fetching: dict[Hashable, asyncio.Task[Value]] = {}

    def fresh(self, key: Hashable, ttl: float) -> Held[Value] | None:
        """The kept answer if it is younger than `ttl` seconds."""
        if key not in self._kept:
            return None
        since, value = self._kept[key]
        age = self._clock() - since
        return Held(value, age) if age < ttl else None

    async def get(
        self,
        key: Hashable,
        ttl: float,
        fetch: Callable[[], Awaitable[Value]],
        *,
        rest: Callable[[Exception], float] = lambda _: 0.0,
        patience: float | None = None,
    ) -> Held[Value]:
        """The kept answer while it is fresh, else a new one. Raises what `fetch` raises when nothing was kept.

        `patience`: seconds after which a fetch is no longer waited for (TimeoutError); it goes on for those who ask later.
        """
        held = self.fresh(key, ttl)
        if held is not None:
            return held
        try:
            self._raise_recent(key)
            # shielded: one of several who wait may be cancelled, the others still want the answer
            async with asyncio.timeout(patience):
                return Held(await asyncio.shield(self._started(key, fetch, rest)), 0.0)
        except Exception as error:
            if key not in self._kept:
                raise
            since, value = self._kept[key]
            return Held(value, self._clock() - since, stale=error)

    def _raise_recent(self, key: Hashable) -> None:
        until, error = self._failed.get(key, (float("-inf"), None))
        if error is not None and self._clock() < until:
            raise error.with_traceback(None)

    def _started(
        self, key: Hashable, fetch: Callable[[], Awaitable[Value]], rest: Callable[[Exception], float]
    ) -> "asyncio.Task[Value]":
        if key not in self._fetching:
            task = asyncio.create_task(self._fetch(key, fetch, rest))
            # when nobody waits any more, nobody hears of a failure: it is kept, and that is enough
            task.add_done_callback(lambda done: None if done.cancelled() else done.exception())
            self._fetching[key] = task
        return self._fetching[key]

    async def _fetch(
        self, key: Hashable, fetch: Callable[[], Awaitable[Value]], rest: Callable[[Exception], float]
    ) -> Value:
        try:
            value = await fetch()
        except Exception as error:
            self._failed[key] = (self._clock() + rest(error), error)
            raise
        finally:
            del self._fetching[key]
        self._failed.pop(key, None)
        self._kept.pop(key, None)
        self._kept[key] = (self._clock(), value)
        for kept in (self._kept, self._failed):
            while len(kept) > _MOST:
                del kept[next(iter(kept))]
        return value
