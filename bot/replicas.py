"""What lets several processes be one bot: questions in the store, and evidence in the store."""

import asyncio
import logging
import os
import socket
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

import msgspec

from bot.playbooks import Rendered
from bot.slack.floor import Working
from bot.slack.handover import Taken
from bot.store import Store, answers, deliveries, questions
from bot.store.clock import SharedClock
from bot.store.gathering import Gathering

LOG: Final = logging.getLogger(__name__)
_HOURLY: Final = 3600.0


def own_name() -> str:
    """This process among its like: the pod's name and something that no earlier process of it had."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}"[:50] + f"-{uuid4().hex[:8]}"


class StoreBook:
    """Questions in work, in the store (bot.slack.handover.Book)."""

    def __init__(self, store: Store, clock: Callable[[], datetime], owner: str = "") -> None:
        self._store, self.owner = store, owner or own_name()
        self._clock = clock if isinstance(clock, SharedClock) else SharedClock(store, clock)
        self._notes: Gathering[questions.Note, bool] = Gathering(self._note_down)

    async def keep(self, question_id: str, asked: bytes) -> bool:
        """Ours now, unless this delivery was ever taken before, by whomever."""
        return await self._notes.note(questions.Question(id=question_id, asked=asked))

    async def first(self, delivery: str) -> bool:
        """Ours to deal with; False when a replica has taken it before."""
        return await deliveries.first_time(self._store, delivery[:255], self._clock())

    async def shown(self, question_id: str, message_ts: str) -> bool:
        """Its message is there; False where the question is another replica's by now."""
        return await self._notes.note(questions.Shown(question_id, message_ts))

    async def finish(self, question_id: str) -> bool:
        """It is answered; False where another replica has, or had, it."""
        return await self._notes.note(questions.Finished(question_id))

    async def _note_down(self, notes: Sequence[questions.Note]) -> Sequence[bool]:
        return await questions.note_down(self._store, notes, self.owner, self._clock())

    async def again(self, question_id: str) -> None:
        """Free for anybody, after a lease's time."""
        await questions.put_back(self._store, question_id, self.owner, self._clock())

    async def lost(self, most: int) -> Sequence[Taken]:
        """Renews our leases, then takes over what is nobody's."""
        await self._clock.agree()
        await questions.renew(self._store, self.owner, self._clock())
        if not most:
            return ()
        claimed = await questions.claim(self._store, self.owner, self._clock(), most=most)
        return [Taken(one.id, one.asked, one.message_ts, one.given_up) for one in claimed]

    async def release(self) -> None:
        """Others may have ours."""
        await questions.release(self._store, self.owner, self._clock())


def as_evidence(rendered: Mapping[str, Rendered]) -> bytes:
    """An answer in all its languages, as the store keeps it."""
    return zlib.compress(msgspec.msgpack.encode(rendered))


def evidence_in(kept: bytes, language: str) -> Rendered | None:
    """A kept answer in this language, else in the first; None for one that another version of the bot has written."""
    try:
        found = msgspec.msgpack.decode(zlib.decompress(kept), type=dict[str, Rendered])
    except (msgspec.MsgspecError, zlib.error):
        return None
    return found.get(language) or next(iter(found.values()), None)


class Housekeeping(Working):
    """Forgets what nobody can ask for any more, once an hour."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock

    async def work(self) -> None:
        while True:
            try:
                await answers.forget_answers(self._store, self._clock())
                await deliveries.forget_old(self._store, self._clock())
            except Exception as error:
                LOG.warning("old rows stay for now: %s", error)
            await asyncio.sleep(_HOURLY)
