"""What every part of the Slack room stands on: tracked work, people's languages, errors that become answers."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, Final, Protocol, TypeAlias
from uuid import uuid4

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playbooks import Phrases
from bot.slack.blocks import Message, error
from bot.slack.exchange import Exchange, Place, Refused, TakenOver, locale_of
from bot.slack.handover import Handover
from bot.slack.memory import Allowance, Clock, Memory, Seen
from bot.slack.questions import LANGUAGES
from bot.slack.services import Failed
from bot.slack.work import Work
from bot.telemetry.measures import count, state, took
from bot.telemetry.requests import current, request
from bot.telemetry.tracing import span

# Slack's JSON, read in the listeners and nowhere behind them.
Payload: TypeAlias = dict[str, Any]

LOG: Final = logging.getLogger(__name__)
_LANGUAGE_KEPT: Final = 3600.0
_LANGUAGE_UNKNOWN: Final = 60.0
_ROOM_KEPT: Final = 15.0
"""Seconds after which what a channel has set, by way of another replica, too, is looked up again."""
_LOOKUP: Final = 1.0
"""Seconds for a person's locale: a click's modal must be open within three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """How this bot answers. `seconds` for one answer, `at_once` answers in work; `languages` that it has words in."""

    language: str = "en"
    seconds: float = 25.0
    at_once: int = 4
    languages: tuple[str, ...] = LANGUAGES


class Speaker(Protocol):
    """Who has the sentences."""

    def phrases(self, language: str) -> Phrases:
        """The sentences of a language, English where it lacks one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Self:
    """The bot's own identity in this workspace, as auth.test tells it; empty where it does not."""

    team_id: str = ""
    user_id: str = ""
    bot_id: str = ""


class Floor:
    """One workspace as the parts share it: the client, the work under way, who speaks what."""

    def __init__(
        self,
        client: AsyncWebClient,
        speaker: Speaker,
        custom: Custom,
        *,
        me: Self | None = None,
        clock: Clock = time.monotonic,
        handover: Handover | None = None,
    ) -> None:
        self.handover = handover
        self.client, self.custom, self.me, self.clock = client, custom, me or Self(), clock
        self.work = Work()
        self.seen = Seen(clock=clock)
        self.allowance = Allowance(clock=clock)
        self.languages: Memory[str] = Memory(clock=clock)
        self._rooms: Memory[str] = Memory(clock=clock)
        self.turns = asyncio.Semaphore(custom.at_once)
        self.prefer: Callable[[str], Awaitable[str]] | None = None
        """What a person chose for themselves ("" nothing); a part that keeps such choices sets it."""
        self.prefer_in: Callable[[str], Awaitable[str]] | None = None
        """What a channel has set ("" nothing); a part that keeps channels' settings sets it."""
        self._speaker = speaker

    def phrases(self, language: str = "") -> Phrases:
        """The sentences of a language, of the configured one where none is named."""
        return self._speaker.phrases(language or self.custom.language)

    async def begin(self, place: Place, work: Callable[[Exchange], Awaitable[None]], *, question_id: str = "") -> None:
        """Starts tracked work; when there is too much of it, says so. `question_id`: of one that is written down, which
        can stand in line; a click cannot, for its modal must be open within three seconds.
        """
        noted = partial(self.handover.shown, question_id) if self.handover and question_id else None
        exchange = Exchange(self.client, place, noted, question_id)
        started = self.work.start(self._guarded(exchange, work, question_id))
        state("working", len(self.work))
        if not started:
            count("failures", code="busy")
            with suppress(Refused):
                await exchange.tell(error("busy", self.phrases()))
            await self._done(question_id, exchange)

    async def language_of(self, user: str, channel: str = "") -> str:
        """The language that the channel has set (for what all of it reads), else the person's own where we speak it, else
        the configured one.
        """
        here = await self._language_in(channel) if channel else ""
        if here in self.custom.languages:
            return here
        known = self.languages.get(user)
        if known is not None:
            return known
        kept, language = _LANGUAGE_UNKNOWN, self.custom.language
        try:
            async with asyncio.timeout(_LOOKUP):
                spoken = await self.prefer(user) if self.prefer else ""
                spoken = spoken or (await locale_of(self.client, user)).partition("-")[0].lower()
            kept, language = _LANGUAGE_KEPT, spoken if spoken in self.custom.languages else language
        except Exception as error:  # a store or a Slack that does not answer costs the language, not the answer
            LOG.info("the language of a person is not known: %s", type(error).__name__)
        self.languages.put(user, language, seconds=kept)
        return language

    def forget_language(self, of: str) -> None:
        """The person, or somebody for the channel, chose anew: look again."""
        self.languages.put(of, "", seconds=0)
        self._rooms.put(of, "", seconds=0)

    async def _language_in(self, channel: str) -> str:
        """What the channel has set; "" where that is nothing, or cannot be told."""
        here = self._rooms.get(channel)
        if here is None and self.prefer_in:
            try:
                async with asyncio.timeout(_LOOKUP):
                    here = await self.prefer_in(channel)
            except Exception as error:  # a store that does not answer costs the language, not the answer
                LOG.info("the language of a channel is not known: %s", type(error).__name__)
            else:
                self._rooms.put(channel, here, seconds=_ROOM_KEPT)
        return here or ""

    async def may_ask(self, exchange: Exchange, phrases: Phrases) -> bool:
        """Whether the person has questions left; says when, where not."""
        wait = self.allowance.wait(exchange.user)
        if wait:
            await exchange.tell(error("too-many-questions", phrases, seconds=ceil(wait)))
        return not wait

    async def in_time(self, work: Awaitable[Any], *, own_turns: bool = False) -> Any:  # noqa: ANN401 (whatever it returns)
        """The work's result within an answer's time, waiting for a turn included; Failed where that is none.

        `own_turns`: the work waits for its own, as questions to clusters do, so that a dead one holds up nobody else.
        """
        try:
            async with asyncio.timeout(self.custom.seconds):
                if own_turns:
                    return await work
                async with self.turns:
                    return await work
        except TimeoutError:
            return Failed(code="timeout", facts={"seconds": ceil(self.custom.seconds)})
        except Exception:
            return Failed(code="internal", facts={"reference": logged()})

    async def _guarded(self, exchange: Exchange, work: Callable[[Exchange], Awaitable[None]], question_id: str) -> None:
        """Whatever goes wrong becomes an answer: a sentence and a reference, while the log has the rest."""
        with request(question_id[:8]), span("request"):
            outlives = bool(self.handover and self.handover.outlives(question_id))
            line = self.work.line if question_id else nullcontext()
            shown = await self._spoken(exchange, work, line, others_finish=outlives)
            if shown or not outlives or self.handover is None:
                await self._done(question_id, exchange)
            else:
                await self.handover.again(question_id)
        # this work still counts itself
        state("working", len(self.work) - 1)

    async def _done(self, question_id: str, exchange: Exchange) -> None:
        if self.handover and question_id:
            await self.handover.finish(question_id, exchange.give_way)

    async def _spoken(
        self,
        exchange: Exchange,
        work: Callable[[Exchange], Awaitable[None]],
        line: AbstractAsyncContextManager[None],
        *,
        others_finish: bool,
    ) -> bool:
        """Whether that is the end of it; False where Slack could not be told for the moment."""
        began = time.perf_counter()
        try:
            async with line:
                await work(exchange)
            took("answer_seconds", time.perf_counter() - began)
        except Refused as refused:
            LOG.warning("could not be shown: %s", refused)
            return not refused.passing
        except TakenOver:
            LOG.info("another replica answers it")
        except asyncio.CancelledError:
            if not others_finish:
                await self._last_words(exchange, "restarting")
            raise
        except Exception:
            await self._last_words(exchange, "internal", reference=logged())
        return True

    async def _last_words(self, exchange: Exchange, code: str, **facts: object) -> None:
        with suppress(Exception):
            await exchange.refuse(error(code, self.phrases(), **facts))


class Part:
    """A feature of the bot in Slack: listeners, HTTP routes and work of its own. Override what it needs."""

    def register(self, app: AsyncApp, floor: Floor) -> None:
        """Gives its deliveries their listeners: actions, views, shortcuts, events other than `message` and mentions."""

    def routes(self, router: web.UrlDispatcher) -> None:
        """Adds paths to the bot's own HTTP server, which is there in both modes."""

    async def take(self, event: Payload, floor: Floor) -> None:
        """Every message event and mention before Slack is told that it arrived, redeliveries included: keep what must not be
        lost. A mention comes twice, as both.

        An exception makes Slack deliver it again.
        """

    def claims(self, event: Payload, floor: Floor) -> bool:  # noqa: ARG002 (for those who override it)
        """A word to the bot (a mention, a direct message): whether this part answers it, so that nobody else does."""
        return False

    async def on_message(self, event: Payload, floor: Floor) -> None:
        """Every message event that is no direct word to the bot, edits and other bots' included. Return soon."""

    async def start(self) -> None:
        """Begins its own work, once the door is open."""

    async def close(self) -> None:
        """Ends its own work; called before the door's port closes."""


class Working(Part):
    """A Part with one task of its own, from `start` to `close`: `work`, which goes on until it is cancelled."""

    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self.work())

    async def close(self) -> None:
        """Gives up what is under way; the next look, here or on another replica, finds the same."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def work(self) -> None:
        """Its rounds, without end."""
        raise NotImplementedError


def clicked(body: Payload) -> Place:
    """The place of a click on a message; one that only the clicker sees can only be changed through the click."""
    container, user = body["container"], body["user"]["id"]
    seen_by_all = not container.get("is_ephemeral")
    return Place(
        channel=container.get("channel_id") or body["channel"]["id"],
        user=user,
        thread_ts=(body.get("message") or {}).get("thread_ts", ""),
        ts=container["message_ts"] if seen_by_all else "",
        response_url=body.get("response_url", ""),
        replaces=True,
    )


def failure(failed: Failed, phrases: Phrases) -> Message:
    """What is said where there is no answer."""
    count("failures", code=failed.code)
    if phrases.has(f"error.{failed.code}"):
        return error(failed.code, phrases, **failed.facts)
    LOG.error("no sentence for the failure %r", failed.code)
    return error("internal", phrases, reference=failed.code)


def logged() -> str:
    """Logs the exception that is being handled; the request's id, by which it is found."""
    reference = current() or uuid4().hex[:8]
    LOG.exception("request %s failed", reference)
    return reference
