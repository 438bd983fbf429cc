"""What Slack sends -> acknowledged at once, understood, handed to the services, answered. Nothing here knows Kubernetes."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from math import ceil
from typing import Final
from uuid import uuid4

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.playbooks import Phrases
from bot.slack.blocks import SHOW_EVIDENCE, WHY, answer, error, help_message, progress
from bot.slack.dialogs import note_modal, plain_modal
from bot.slack.evidence import evidence_modal
from bot.slack.exchange import BLOCKS_REFUSED, Exchange, Place, Refused, change_modal, open_modal
from bot.slack.floor import Floor, Part, Payload, clicked, failure, logged
from bot.slack.handover import Asked, Lost, resumed
from bot.slack.payloads import well_formed
from bot.slack.questions import Ask, Help, NotUnderstood, Why, parse_command
from bot.slack.replies import worded
from bot.slack.services import Asker, Failed, Reply, Services, Verb
from bot.slack.work import Work
from bot.telemetry.measures import count, stage

LOG: Final = logging.getLogger(__name__)
COMMAND: Final = "/karpenter"
"""What help names where the person typed no command."""
SCOPES: Final = frozenset({"app_mentions:read", "chat:write", "commands", "im:history", "users:read"})
"""The bot scopes without which something here does not work."""
EVENTS: Final = frozenset({"app_mention", "message.im"})
_QUESTION: Final = "karpenter_bot_question"
"""Where a delivery's context has what it asks, and the id under which that is written down."""
_LOOK_FOR: Final = 5.0
_ANYTHING: Final = re.compile(".*", re.DOTALL)
_CLICKS: Final = frozenset({"block_actions", "message_action", "shortcut", "view_submission"})


class Listeners:
    """All that this bot hears and does in one workspace: questions here, everything else in its parts."""

    def __init__(
        self, floor: Floor, services: Services, *, verbs: Mapping[str, Verb] | None = None, parts: Sequence[Part] = ()
    ) -> None:
        self.floor, self._services = floor, services
        self._verbs, self._parts = verbs or {}, parts

    @property
    def work(self) -> Work:
        """What is under way."""
        return self.floor.work

    def register(self, app: AsyncApp) -> None:
        """Gives every kind of delivery its listener; what nobody wants is taken too, for Slack repeats what is not.

        Bolt calls the first listener that fits, so the catch-alls come last.
        """
        app.middleware(self.once)
        app.command(_ANYTHING)(self.on_command)
        app.event("app_mention")(self.on_mention)
        app.event("message")(self.on_message)
        app.action(WHY)(self.on_pick)
        app.action(SHOW_EVIDENCE)(self.on_evidence)
        for part in self._parts:
            part.register(app, self.floor)
        app.event(_ANYTHING)(self.on_other_event)
        for kind in (app.action, app.view_submission, app.view_closed, app.shortcut, app.options):
            kind(_ANYTHING)(self.on_other)

    # -- what Slack sends ----------------------------------------------------------------------------------------------

    async def once(
        self,
        req: AsyncBoltRequest,
        context: AsyncBoltContext,
        next: Callable[[], Awaitable[None]],  # noqa: A002 (bolt's name)
    ) -> BoltResponse | None:
        """Before all listeners: what was taken before is acknowledged again, and no more.

        What must not be lost is kept here, for bolt acknowledges events before it calls their listeners.
        """
        try:
            body: Payload = well_formed(req.body)
        except RecursionError:  # nested as deep as no message of Slack's
            return BoltResponse(status=400)
        req.body = body
        event = body.get("event") or {}
        if event.get("type") in ("message", "app_mention"):
            try:
                for part in self._parts:
                    await part.take(event, self.floor)
            except Exception:
                logged()
                return BoltResponse(status=503)  # Slack delivers it again
        key = str(body.get("event_id") or body.get("trigger_id") or "")
        if key and (self.floor.seen.again(key) or not await self._first(body, key)):
            count("repeated_deliveries")
            return BoltResponse(status=200)
        asked = self._spoken_to(event)
        if asked is not None and not any(part.claims(event, self.floor) for part in self._parts):
            context[_QUESTION] = asked, await self._written(asked, f"{event['channel']} {event['ts']}")
        await next()
        return None

    async def _first(self, body: Payload, key: str) -> bool:
        """Whether no other replica took this click. What asks is claimed when it is written down, an alert when it is kept."""
        kind = str(body.get("type"))
        if self.floor.handover is None or kind not in _CLICKS:
            return True
        return await self.floor.handover.first(f"{kind} {key}")

    async def on_command(self, ack: AsyncAck, command: Payload) -> None:
        """`/karpenter ...`; written down before it is acknowledged, for Slack brings no command twice."""
        asked = Asked(
            channel=command["channel_id"],
            user=command["user_id"],
            text=command.get("text", ""),
            command=command["command"],
            response_url=command.get("response_url", ""),
            discreet=True,
        )
        question_id = await self._written(asked, str(command.get("trigger_id") or uuid4()))
        await ack()
        if question_id is not None:
            await self._begin(asked, asked.place, question_id)

    async def on_mention(self, context: AsyncBoltContext) -> None:
        """`@bot ...` in a channel; answered in the thread."""
        await self._answer_event(context)

    async def on_message(self, event: Payload, context: AsyncBoltContext) -> None:
        """A message: for us when it is a person's in a direct message, else for the parts. A mention's twin is here too."""
        if event.get("channel_type") == "im" and "subtype" not in event:
            await self._answer_event(context)
            return
        for part in self._parts:
            await part.on_message(event, self.floor)

    async def on_pick(self, ack: AsyncAck, body: Payload) -> None:
        """ "Why?" beside one of several pods."""
        await ack()
        value, place = str(body["actions"][0].get("value", "")), clicked(body)
        ts = body["container"]["message_ts"]
        await self.floor.begin(place, lambda exchange: self._pick(exchange, place, value, ts))

    async def on_evidence(self, ack: AsyncAck, body: Payload) -> None:
        """ "Show evidence" below an answer."""
        await ack()
        value, trigger = str(body["actions"][0].get("value", "")), str(body["trigger_id"])
        await self.floor.begin(clicked(body), lambda exchange: self._evidence(exchange, value, trigger))

    async def on_other_event(self) -> None:
        """Events that later parts of the bot may want."""

    async def on_other(self, ack: AsyncAck) -> None:
        """Clicks and submissions on what an older version of the bot has left behind."""
        await ack()

    # -- what is done about it -----------------------------------------------------------------------------------------

    def _spoken_to(self, event: Payload) -> Asked | None:
        """What an event asks the bot: a person's mention, or a direct message of theirs."""
        direct = event.get("channel_type") == "im"
        if event.get("type") != "app_mention" and not (
            event.get("type") == "message" and direct and "subtype" not in event
        ):
            return None
        channel, ts, user = event["channel"], event["ts"], event.get("user")
        if not user or "bot_id" in event or self.floor.seen.again(channel, ts):
            return None
        thread_ts = event.get("thread_ts") or ("" if direct else ts)
        text = event.get("text")
        return Asked(
            channel=channel,
            user=user,
            text=text if isinstance(text, str) else "",
            command=COMMAND,
            thread_ts=thread_ts,
        )

    async def _answer_event(self, context: AsyncBoltContext) -> None:
        asked, question_id = context.get(_QUESTION) or (None, None)
        if asked is not None and question_id is not None:
            await self._begin(asked, asked.place, question_id)

    async def _written(self, asked: Asked, delivery: str) -> str | None:
        """The question's id once it is written down; "" where nothing is, None where another replica has it."""
        if self.floor.handover is None:
            return ""
        question_id = sha256(f"{self.floor.me.team_id} {delivery}".encode()).hexdigest()[:32]
        if await self.floor.handover.keep(question_id, asked):
            return question_id
        count("repeated_deliveries")
        return None

    async def resume(self, lost: Lost) -> None:
        """Finishes a question whose process ended; its answer takes the place of what is shown for it."""
        place = resumed(lost)
        if not place.ts:
            posted = await self._posted_already(place, lost.id)
            if posted is None and not lost.given_up and self.floor.handover:
                await self.floor.handover.again(lost.id)
                return
            place = replace(place, ts=posted or "")
        if lost.given_up:
            await self.floor.begin(place, self._give_up)
        else:
            await self._begin(lost.asked, place, lost.id)

    async def _give_up(self, exchange: Exchange) -> None:
        """A question that was tried too often, or for too long: its message does not stay as if somebody were at work."""
        await exchange.answer(error("restarting", self.floor.phrases(await self.floor.language_of(exchange.user))))

    async def _posted_already(self, place: Place, question_id: str) -> str | None:
        """The message of a process that ended before it could note it down; "" where there is none, or none that the bot may
        look for; None where Slack does not tell just now.
        """
        try:
            async with asyncio.timeout(_LOOK_FOR):
                return await Exchange(self.floor.client, place, mark=question_id).posted()
        except (Refused, TimeoutError) as trouble:
            LOG.info("what is shown for a question cannot be looked for: %s", str(trouble) or type(trouble).__name__)
            return "" if isinstance(trouble, Refused) and not trouble.passing else None

    async def _begin(self, asked: Asked, place: Place, question_id: str, *, counted: bool = False) -> None:
        await self.floor.begin(
            place, lambda exchange: self._hear(exchange, place, asked, counted=counted), question_id=question_id
        )

    async def _hear(self, exchange: Exchange, place: Place, asked: Asked, *, counted: bool) -> None:
        """Understands and answers. `counted`: the person's allowance was looked at."""
        heard, command = parse_command(asked.text, self.floor.custom.languages), asked.command
        language = heard.language or await self.floor.language_of(exchange.user, place.channel)
        phrases = self.floor.phrases(language)
        asker = Asker(user=place.user, channel=place.channel, thread_ts=place.thread_ts)
        match heard:
            case Help():
                await exchange.refuse(help_message(command, phrases))
            case NotUnderstood(code=code, text=wrong, did_you_mean=near):
                facts = {"asked": wrong or "…", "command": command, "suggestion": near}
                await exchange.refuse(error(code, phrases, **facts))
            case Why():
                question = replace(heard, language=language)
                if counted or await self.floor.may_ask(exchange, phrases):
                    await self._why(exchange, question, asker, phrases)
            case Ask():
                if await self.floor.may_ask(exchange, phrases):
                    await self._ask(exchange, replace(heard, language=language), asker, phrases)

    async def _pick(self, exchange: Exchange, place: Place, value: str, ts: str) -> None:
        picked = parse_command(value, self.floor.custom.languages)
        phrases = self.floor.phrases(picked.language)
        if not isinstance(picked, Why) or not await self.floor.may_ask(exchange, phrases):
            return
        if self.floor.seen.again("pick", ts):
            return
        asked = Asked(
            channel=place.channel,
            user=place.user,
            text=value,
            command=COMMAND,
            thread_ts=place.thread_ts,
            response_url=place.response_url,
            ts=place.ts,
            replaces=place.replaces,
        )
        question_id = await self._written(asked, f"pick {place.channel} {ts}")
        if question_id is not None:
            await self._begin(asked, place, question_id, counted=True)

    async def _why(self, exchange: Exchange, question: Why, asker: Asker, phrases: Phrases) -> None:
        await exchange.progress(progress(question.asked, phrases))
        reply: Reply = await self.floor.in_time(self._services.why(question, asker), own_turns=True)
        match reply:
            case Failed():
                await exchange.refuse(failure(reply, phrases))
            case _:
                with stage("show"):
                    await exchange.answer(worded(reply, question, phrases))

    async def _ask(self, exchange: Exchange, ask: Ask, asker: Asker, phrases: Phrases) -> None:
        await exchange.progress(progress(" ".join((ask.verb, *ask.words)), phrases))
        reply = await self.floor.in_time(self._verbs[ask.verb](ask, asker))
        if isinstance(reply, Failed):
            await exchange.refuse(failure(reply, phrases))
        elif reply.discreet:
            await exchange.refuse(reply.message)
        else:
            await exchange.answer(reply.message)

    async def _evidence(self, exchange: Exchange, answer_id: str, trigger_id: str) -> None:
        client = self.floor.client
        language = await self.floor.language_of(exchange.user)
        phrases = self.floor.phrases(language)
        view_id = await open_modal(client, trigger_id, note_modal([phrases.line("slack.loading")], phrases))
        seconds = self.floor.custom.seconds
        try:
            async with asyncio.timeout(seconds):
                rendered = await self._services.evidence(answer_id, language)
        except TimeoutError:
            return await self._modal_error(view_id, phrases, "timeout", seconds=ceil(seconds))
        except Exception:
            return await self._modal_error(view_id, phrases, "internal", reference=logged())
        if rendered is None:
            return await self._modal_error(view_id, phrases, "evidence-gone")
        try:
            await change_modal(client, view_id, evidence_modal(rendered, phrases))
        except Refused as refused:
            if refused.code not in BLOCKS_REFUSED:
                raise
            await change_modal(client, view_id, plain_modal(answer(rendered, phrases).text, phrases))

    async def _modal_error(self, view_id: str, phrases: Phrases, code: str, **facts: object) -> None:
        await change_modal(self.floor.client, view_id, note_modal(phrases.lines(f"error.{code}", **facts), phrases))
