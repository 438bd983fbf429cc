"""Questions that outlive the process that took them: written down before they are acknowledged, finished by whoever is there.

The messages are the same ones: whoever takes a question over puts the answer where the progress message stands.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple, Protocol, TypeVar

import msgspec

from bot.slack.exchange import Place
from bot.telemetry.measures import count

T = TypeVar("T")
LOG: Final = logging.getLogger(__name__)
EVERY: Final = 4.0
"""Seconds between two looks for questions whose process ended; leases last several times as long."""
PATIENCE: Final = 1.0
"""Seconds that an acknowledgement may wait for the store; Slack waits three in all."""
_AT_A_TIME: Final = 4


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question as it came in: enough to begin anew."""

    channel: str
    user: str
    text: str
    command: str
    thread_ts: str = ""
    response_url: str = ""
    discreet: bool = False
    ts: str = ""
    replaces: bool = False

    def __post_init__(self) -> None:
        """Raises TypeError, as the place does."""
        _ = self.place

    @property
    def place(self) -> Place:
        """Where it came from."""
        return Place(
            channel=self.channel,
            user=self.user,
            thread_ts=self.thread_ts,
            ts=self.ts,
            response_url=self.response_url,
            replaces=self.replaces,
            discreet=self.discreet,
        )


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A question to take over, with the message that is shown for it already."""

    id: str
    asked: Asked
    message_ts: str = ""
    given_up: bool = False
    """It is to be said that there will be no answer."""


class Taken(NamedTuple):
    """A question that was taken over, as it lies in the store."""

    id: str
    asked: bytes
    message_ts: str
    given_up: bool


class Book(Protocol):
    """Where questions are written down; every call may raise whatever the store raises."""

    async def keep(self, question_id: str, asked: bytes) -> bool:
        """Ours now; False when it was taken before."""
        ...

    async def first(self, delivery: str) -> bool:
        """Ours to deal with; False when it was taken before."""
        ...

    async def shown(self, question_id: str, message_ts: str) -> bool:
        """False when the question is another's by now, who shows a message of its own."""
        ...

    async def finish(self, question_id: str) -> bool:
        """False when another has, or had, it."""
        ...

    async def again(self, question_id: str) -> None:
        """Not finished: whoever looks next, later, begins anew."""
        ...

    async def lost(self, most: int) -> Sequence[Taken]:
        """Renews what is ours, takes over what is nobody's."""
        ...

    async def release(self) -> None: ...


class Handover:
    """Writes questions down, and takes over those of others."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._resume: Callable[[Lost], Awaitable[None]] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._ending = False
        self._here_alone: set[str] = set()
        self._unsure: set[str] = set()
        """Whose message may be one too many: the store did not say whether the question was still ours."""
        self._to_strike: dict[str, Callable[[], Awaitable[None]] | None] = {}
        """Answered while the store was silent."""

    def outlives(self, question_id: str) -> bool:
        """Whether another finishes the question when this process ends."""
        return bool(question_id) and question_id not in self._here_alone

    async def keep(self, question_id: str, asked: Asked) -> bool:
        """Writes a question down; False when it was taken before. A store that does not answer costs only the safety."""
        unsafe = "a question is not written down, it would be lost if this process ended"
        ours = await _told(self._book.keep(question_id, msgspec.json.encode(asked)), unsafe)
        if ours is None:
            self._here_alone.add(question_id)
            self._unsure.add(question_id)
        return ours is not False

    async def first(self, delivery: str) -> bool:
        """Whether no replica took this click before; a store that does not answer leaves that to this one's memory."""
        ours = await _told(self._book.first(delivery), "whether another replica took a click cannot be known")
        return ours is not False

    async def shown(self, question_id: str, message_ts: str) -> bool:
        """Remembers its message; False when another has taken the question over, so that the message must go."""
        if not self.outlives(question_id):
            return True
        ours = await _told(self._book.shown(question_id, message_ts))
        if ours is None:
            self._unsure.add(question_id)
        return ours is not False

    async def finish(self, question_id: str, give_way: Callable[[], Awaitable[None]]) -> None:
        """It is answered. `give_way` is called, later if the store is silent now, when another has answered it, too, and may
        not know of our message.
        """
        unsure = question_id in self._unsure
        self._here_alone.discard(question_id)
        self._unsure.discard(question_id)
        ours = await _told(self._book.finish(question_id))
        if ours is None:
            self._to_strike[question_id] = give_way if unsure else None
        elif not ours and unsure:
            await give_way()

    async def again(self, question_id: str) -> None:
        """It could not be shown just now: somebody tries again in a while."""
        await _told(self._book.again(question_id))

    async def start(self, resume: Callable[[Lost], Awaitable[None]]) -> None:
        """Begins to look; `resume` begins a question that is taken over."""
        self._resume = resume
        self._looking = asyncio.create_task(self._look())

    def ends(self) -> None:
        """Takes over nothing more, but keeps what is in work until it is done."""
        self._ending = True

    async def let_go(self) -> None:
        """What is still in work when the process ends is others' to finish, at once."""
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await _told(self._book.release())

    async def _look(self) -> None:
        while True:
            try:
                for answered, give_way in tuple(self._to_strike.items()):
                    ours = await self._book.finish(answered)
                    del self._to_strike[answered]
                    if give_way and not ours:
                        await give_way()
                for taken in await self._book.lost(0 if self._ending else _AT_A_TIME):
                    await self._take_over(taken)
            except Exception as error:
                LOG.warning("cannot look for questions to take over: %s", _word(error))
            await asyncio.sleep(EVERY)

    async def _take_over(self, taken: Taken) -> None:
        with suppress(msgspec.MsgspecError):
            asked = msgspec.json.decode(taken.asked, type=Asked)
            lost = Lost(id=taken.id, asked=asked, message_ts=taken.message_ts, given_up=taken.given_up)
            LOG.info("taking over question %s", taken.id)
            count("taken_over")
            if self._resume:
                await self._resume(lost)


def resumed(lost: Lost) -> Place:
    """The place of a question that is taken over: its answer replaces the message that is there."""
    place = lost.asked.place
    return replace(place, ts=lost.message_ts or place.ts)


async def _told(work: Awaitable[T], trouble: str = "the store did not take a note") -> T | None:
    """What the store says; None, and the trouble in the log, where it does not answer in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await work
    except Exception as error:
        LOG.warning("%s: %s", trouble, _word(error))
        return None


def _word(error: Exception) -> str:
    return str(error) or type(error).__name__
