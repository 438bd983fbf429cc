"""What Slack sends -> acknowledged at once, understood, handed to the services, answered. Nothing here knows Kubernetes."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final, TypeAlias
from uuid import uuid4

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.playbooks import Phrases
from bot.slack.blocks import SHOW_EVIDENCE, WHY, Message, answer, error, help_message, progress
from bot.slack.dialogs import choice, note_modal, plain_modal
from bot.slack.evidence import evidence_modal
from bot.slack.exchange import BLOCKS_REFUSED, Exchange, Place, Refused, change_modal, locale_of, open_modal
from bot.slack.memory import Allowance, Clock, Memory, Seen
from bot.slack.questions import LANGUAGES, Help, NotUnderstood, Why, parse_command
from bot.slack.services import Answered, Choose, Failed, Reply, Services
from bot.slack.work import Work

# Slack's JSON, read in this file and nowhere behind it.
Payload: TypeAlias = dict[str, Any]

LOG: Final = logging.getLogger(__name__)
COMMAND: Final = "/karpenter"
"""What help names where the person typed no command."""
SCOPES: Final = frozenset({"app_mentions:read", "chat:write", "commands", "im:history", "users:read"})
"""The bot scopes without which something here does not work."""
EVENTS: Final = frozenset({"app_mention", "message.im"})
_ANYTHING: Final = re.compile(".*", re.DOTALL)
_LANGUAGE_KEPT: Final = 3600.0
_LANGUAGE_UNKNOWN: Final = 60.0
_LOOKUP: Final = 1.0
"""Seconds for a person's locale: a click's modal must be open within three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """How this bot answers. `seconds` for one answer, `at_once` answers in work."""

    language: str = "en"
    seconds: float = 25.0
    at_once: int = 4


class Listeners:
    """All that this bot hears and does in one workspace."""

    def __init__(
        self, client: AsyncWebClient, services: Services, custom: Custom, *, clock: Clock = time.monotonic
    ) -> None:
        self._client, self._services, self._custom = client, services, custom
        self.work = Work()
        self.seen = Seen(clock=clock)
        self.allowance = Allowance(clock=clock)
        self.languages: Memory[str] = Memory(clock=clock)
        self._turns = asyncio.Semaphore(custom.at_once)

    def register(self, app: AsyncApp) -> None:
        """Gives every kind of delivery its listener; what nobody wants is taken too, for Slack repeats what is not."""
        app.middleware(self.once)
        app.command(_ANYTHING)(self.on_command)
        app.event("app_mention")(self.on_mention)
        app.event("message")(self.on_message)
        app.action(WHY)(self.on_pick)
        app.action(SHOW_EVIDENCE)(self.on_evidence)
        app.event(_ANYTHING)(self.on_other_event)
        for kind in (app.action, app.view_submission, app.view_closed, app.shortcut, app.options):
            kind(_ANYTHING)(self.on_other)

    # -- what Slack sends ----------------------------------------------------------------------------------------------

    async def once(self, body: Payload, next: Callable[[], Awaitable[None]]) -> BoltResponse | None:  # noqa: A002 (bolt's name)
        """Before all listeners: what was taken before is acknowledged again, and no more."""
        key = body.get("event_id") or body.get("trigger_id")
        if key and self.seen.again(str(key)):
            return BoltResponse(status=200)
        await next()
        return None

    async def on_command(self, ack: AsyncAck, command: Payload) -> None:
        """`/karpenter ...`."""
        await ack()
        place = Place(
            channel=command["channel_id"],
            user=command["user_id"],
            response_url=command.get("response_url", ""),
            discreet=True,
        )
        await self._begin(place, lambda exchange: self._hear(exchange, command.get("text", ""), command["command"]))

    async def on_mention(self, event: Payload) -> None:
        """`@bot ...` in a channel; answered in the thread."""
        await self._spoken_to(event)

    async def on_message(self, event: Payload) -> None:
        """A message: for us when it is a person's in a direct message. A mention's twin arrives here too."""
        if event.get("channel_type") == "im" and "subtype" not in event:
            await self._spoken_to(event)

    async def on_pick(self, ack: AsyncAck, body: Payload) -> None:
        """ "Why?" beside one of several pods."""
        await ack()
        value, place = str(body["actions"][0].get("value", "")), _clicked(body)
        await self._begin(place, lambda exchange: self._pick(exchange, value, body["container"]["message_ts"]))

    async def on_evidence(self, ack: AsyncAck, body: Payload) -> None:
        """ "Show evidence" below an answer."""
        await ack()
        value, trigger = str(body["actions"][0].get("value", "")), str(body["trigger_id"])
        await self._begin(_clicked(body), lambda exchange: self._evidence(exchange, value, trigger))

    async def on_other_event(self) -> None:
        """Events that later parts of the bot may want."""

    async def on_other(self, ack: AsyncAck) -> None:
        """Clicks and submissions on what an older version of the bot has left behind."""
        await ack()

    # -- what is done about it -----------------------------------------------------------------------------------------

    async def _spoken_to(self, event: Payload) -> None:
        channel, ts, user = event["channel"], event["ts"], event.get("user")
        if not user or "bot_id" in event or self.seen.again(channel, ts):
            return
        direct = event.get("channel_type") == "im"
        place = Place(channel=channel, user=user, thread_ts=event.get("thread_ts") or ("" if direct else ts))
        await self._begin(place, lambda exchange: self._hear(exchange, event.get("text") or "", COMMAND))

    async def _begin(self, place: Place, work: Callable[[Exchange], Awaitable[None]]) -> None:
        """Starts tracked work; when there is too much of it, says so."""
        exchange = Exchange(self._client, place)
        if not self.work.start(self._guarded(exchange, work)):
            with suppress(Refused):
                await exchange.tell(error("busy", self._services.phrases(self._custom.language)))

    async def _guarded(self, exchange: Exchange, work: Callable[[Exchange], Awaitable[None]]) -> None:
        """Whatever goes wrong becomes an answer: a sentence and a reference, while the log has the rest."""
        try:
            await work(exchange)
        except Refused as refused:
            LOG.warning("could not be shown: %s", refused)
        except asyncio.CancelledError:
            await self._last_words(exchange, "restarting")
            raise
        except Exception:
            await self._last_words(exchange, "internal", reference=_logged())

    async def _last_words(self, exchange: Exchange, code: str, **facts: object) -> None:
        with suppress(Exception):
            await exchange.refuse(error(code, self._services.phrases(self._custom.language), **facts))

    async def _hear(self, exchange: Exchange, text: str, command: str) -> None:
        heard = parse_command(text)
        language = heard.language or await self._language_of(exchange.user)
        phrases = self._services.phrases(language)
        match heard:
            case Help():
                await exchange.refuse(help_message(command, phrases))
            case NotUnderstood(code=code, text=wrong, did_you_mean=near):
                facts = {"asked": wrong or "…", "command": command, "suggestion": near}
                await exchange.refuse(error(code, phrases, **facts))
            case Why():
                question = replace(heard, language=language)
                if await self._may_ask(exchange, phrases):
                    await self._why(exchange, question, phrases)

    async def _pick(self, exchange: Exchange, value: str, ts: str) -> None:
        picked = parse_command(value)
        phrases = self._services.phrases(picked.language or self._custom.language)
        if not isinstance(picked, Why) or not await self._may_ask(exchange, phrases):
            return
        if not self.seen.again("pick", ts):
            language = picked.language or self._custom.language
            await self._why(exchange, replace(picked, language=language), phrases)

    async def _may_ask(self, exchange: Exchange, phrases: Phrases) -> bool:
        wait = self.allowance.wait(exchange.user)
        if wait:
            await exchange.tell(error("too-many-questions", phrases, seconds=ceil(wait)))
        return not wait

    async def _why(self, exchange: Exchange, question: Why, phrases: Phrases) -> None:
        await exchange.progress(progress(question.asked, phrases))
        reply = await self._reply(question)
        match reply:
            case Failed():
                await exchange.refuse(_failure(reply, phrases))
            case _:
                await exchange.answer(_worded(reply, question, phrases))

    async def _reply(self, question: Why) -> Reply:
        """The services' answer within its time, waiting for a turn included."""
        try:
            async with asyncio.timeout(self._custom.seconds), self._turns:
                return await self._services.why(question)
        except TimeoutError:
            return Failed(code="timeout", facts={"seconds": ceil(self._custom.seconds)})
        except Exception:
            return Failed(code="internal", facts={"reference": _logged()})

    async def _evidence(self, exchange: Exchange, answer_id: str, trigger_id: str) -> None:
        language = await self._language_of(exchange.user)
        phrases = self._services.phrases(language)
        view_id = await open_modal(self._client, trigger_id, note_modal([phrases.line("slack.loading")], phrases))
        try:
            async with asyncio.timeout(self._custom.seconds):
                rendered = await self._services.evidence(answer_id, language)
        except TimeoutError:
            return await self._modal_error(view_id, phrases, "timeout", seconds=ceil(self._custom.seconds))
        except Exception:
            return await self._modal_error(view_id, phrases, "internal", reference=_logged())
        if rendered is None:
            return await self._modal_error(view_id, phrases, "evidence-gone")
        try:
            await change_modal(self._client, view_id, evidence_modal(rendered, phrases))
        except Refused as refused:
            if refused.code not in BLOCKS_REFUSED:
                raise
            await change_modal(self._client, view_id, plain_modal(answer(rendered, phrases).text, phrases))

    async def _modal_error(self, view_id: str, phrases: Phrases, code: str, **facts: object) -> None:
        await change_modal(self._client, view_id, note_modal(phrases.lines(f"error.{code}", **facts), phrases))

    async def _language_of(self, user: str) -> str:
        """The person's own language where we speak it, else the configured one."""
        known = self.languages.get(user)
        if known is not None:
            return known
        kept, language = _LANGUAGE_UNKNOWN, self._custom.language
        with suppress(Refused, TimeoutError):
            async with asyncio.timeout(_LOOKUP):
                locale = await locale_of(self._client, user)
            spoken = locale.partition("-")[0].lower()
            kept, language = _LANGUAGE_KEPT, spoken if spoken in LANGUAGES else language
        self.languages.put(user, language, seconds=kept)
        return language


def _clicked(body: Payload) -> Place:
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


def _worded(reply: Answered | Choose, question: Why, phrases: Phrases) -> Message:
    match reply:
        case Answered(answer_id=answer_id, rendered=rendered):
            return answer(rendered, phrases, evidence=answer_id)
        case Choose():
            return choice(reply, question, phrases)


def _failure(failed: Failed, phrases: Phrases) -> Message:
    if phrases.has(f"error.{failed.code}"):
        return error(failed.code, phrases, **failed.facts)
    LOG.error("no sentence for the failure %r", failed.code)
    return error("internal", phrases, reference=failed.code)


def _logged() -> str:
    """Logs the exception that is being handled under a new reference."""
    reference = uuid4().hex[:8]
    LOG.exception("request %s failed", reference)
    return reference
