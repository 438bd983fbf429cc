"""What changed in a watched collection, for whoever wants to be told: the newest state of each object, never a backlog."""

import asyncio
from dataclasses import dataclass
from typing import Generic

from bot.model.objects import AnyObject


@dataclass(frozen=True, slots=True)
class Change(Generic[AnyObject]):
    """An object before and after. `before` is None when it is new to the listener, `after` when it is gone."""

    before: AnyObject | None
    after: AnyObject | None


class Changes(Generic[AnyObject]):
    """An endless `async for` of changes.

    A listener that is slow gets the steps between as one: from what it saw last to what there is now. An object that came
    and went meanwhile is not mentioned. So it never holds more than one change for each object.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Change[AnyObject]] = {}
        self._some = asyncio.Event()

    def put(self, key: str, change: Change[AnyObject]) -> None:
        """Adds a change of the object with that key to what the listener is to be told."""
        earlier = self._waiting.pop(key, None)
        merged = Change(earlier.before if earlier else change.before, change.after)
        if merged.before is not None or merged.after is not None:
            self._waiting[key] = merged
            self._some.set()

    def __aiter__(self) -> "Changes[AnyObject]":
        return self

    async def __anext__(self) -> Change[AnyObject]:
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        return self._waiting.pop(next(iter(self._waiting)))
