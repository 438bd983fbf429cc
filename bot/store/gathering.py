"""Notes that come while the store is at work are taken together by its next transaction: under load one commit for many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

N = TypeVar("N")
R = TypeVar("R")
MOST: Final = 100


class Gathering(Generic[N, R]):
    """`take` gets at most MOST notes, in the order in which they came, and returns what each came to."""

    def __init__(self, take: Callable[[Sequence[N]], Awaitable[Sequence[R]]]) -> None:
        self._take = take
        self._waiting: list[tuple[N, asyncio.Future[R]]] = []
        self._taking: asyncio.Task[None] | None = None

    async def note(self, one: N) -> R:
        """What the note came to. Raises what `take` raises; of who is cancelled before its turn nothing is taken."""
        came: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, came))
        if self._taking is None or self._taking.done():
            self._taking = asyncio.create_task(self._work())
        return await came

    async def _work(self) -> None:
        while self._waiting:
            batch = [(one, came) for one, came in self._waiting[:MOST] if not came.done()]
            del self._waiting[:MOST]
            try:
                found = await self._take([one for one, _ in batch]) if batch else ()
            except Exception as error:
                for _, came in batch:
                    if not came.done():
                        came.set_exception(error)
            else:
                for (_, came), what in zip(batch, found, strict=True):
                    if not came.done():
                        came.set_result(what)
