"""Bringing a payload to the bot until it is taken: one story for HTTP and for Socket Mode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from .clock import Clock, Timing
from .wire import JsonObject

Kind: TypeAlias = Literal["events_api", "slash_commands", "interactive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try. ``failure`` is Slack's retry reason (``http_timeout``, ``http_error``, ``connection_failed``) or None.

    ``final``: the bot asked for no retry.
    """

    number: int
    seconds: float
    failure: str | None = None
    status: int | None = None
    answer: JsonObject | None = None
    final: bool = False


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A payload on its way; ``settled`` once it was taken or given up."""

    kind: Kind
    payload: JsonObject
    attempts: list[Attempt] = field(default_factory=list)
    settled: bool = False

    @property
    def acked(self) -> bool:
        """True when the bot took it in time."""
        return bool(self.attempts) and self.attempts[-1].failure is None

    @property
    def answer(self) -> JsonObject | None:
        """What the bot sent back with its acknowledgement."""
        return self.attempts[-1].answer if self.acked else None

    @property
    def shown_error(self) -> str | None:
        """What the person sees when a command or click was not taken; events fail in silence."""
        if self.kind == "events_api" or self.acked or not self.attempts:
            return None
        return "operation_timeout" if self.attempts[-1].failure == "http_timeout" else "dispatch_failed"


class Transport(Protocol):
    """A way to the bot."""

    async def attempt(self, delivery: Delivery, number: int, reason: str | None) -> Attempt:
        """Send the payload once; ``number`` 0 is the first time, otherwise ``reason`` says why it is sent again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Courier:
    """Tries, and for events tries again at Slack's intervals; commands and interactions get one chance."""

    transport: Transport
    clock: Clock
    timing: Timing
    attempted: Callable[[Delivery, Attempt], None]

    async def try_first(self, delivery: Delivery) -> None:
        """The first attempt; the delivery may be settled after it."""
        await self._try(delivery, None)

    async def try_again(self, delivery: Delivery) -> None:
        """The retries of a delivery that is not settled, until it is."""
        for wait in self.timing.retries:
            if delivery.settled:
                return
            await self.clock.sleep(wait)
            await self._try(delivery, delivery.attempts[-1].failure)
        delivery.settled = True

    async def _try(self, delivery: Delivery, reason: str | None) -> None:
        attempt = await self.transport.attempt(delivery, len(delivery.attempts), reason)
        delivery.attempts.append(attempt)
        delivery.settled = attempt.failure is None or attempt.final or delivery.kind != "events_api"
        self.attempted(delivery, attempt)


async def timed(clock: Clock, seconds: float, number: int, send: Callable[[], Awaitable[Attempt]]) -> Attempt:
    """``send``'s attempt, or one that failed with ``http_timeout`` after ``seconds``."""
    began = clock.now()
    try:
        return await clock.within(seconds, send())
    except TimeoutError:
        return Attempt(number=number, seconds=clock.now() - began, failure="http_timeout")
