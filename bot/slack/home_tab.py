"""Who opens the Home tab, asks there, sets something there: acknowledged, looked up, published."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack.exchange import Exchange, Place, Refused, publish_home
from bot.slack.explain_this import Explaining
from bot.slack.floor import Floor, Part, Payload
from bot.slack.home import (
    ASK,
    EVERY_TEAM,
    LANGUAGE,
    REFRESH,
    TEAM,
    ClusterHome,
    LastChange,
    Look,
    Own,
    Tab,
    home_view,
)
from bot.slack.memory import Memory
from bot.slack.questions import Why, parse_command
from bot.slack.replies import worded
from bot.slack.services import Asker, Failed

_FRESH: Final = 30.0
"""Seconds for which a look at the clusters is shown again: everybody opens the tab when something is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What people set for themselves, the last changes, the languages with their names. May raise StoreUnavailable."""

    read: Callable[[str], Awaitable[Own]]
    keep: Callable[[str, Own], Awaitable[None]]
    changes: Callable[[], Awaitable[Sequence[LastChange]]]
    languages: Callable[[], Sequence[tuple[str, str]]]


class Home(Part):
    """The tab."""

    def __init__(self, services: Explaining, look: Look, choices: Choices) -> None:
        self._services, self._look, self._choices = services, look, choices
        self._floor: Floor
        self._seen: Memory[Sequence[ClusterHome]]

    def register(self, app: AsyncApp, floor: Floor) -> None:
        """The tab's event and what can be pressed in it; and from now on a person's own choice goes before Slack's."""
        self._floor, self._seen = floor, Memory(clock=floor.clock)
        floor.prefer = self._language
        app.event("app_home_opened")(self.on_opened)
        app.action(REFRESH)(self.on_refresh)
        app.action(ASK)(self.on_ask)
        app.action(LANGUAGE)(self.on_language)
        app.action(TEAM)(self.on_team)

    async def on_opened(self, event: Payload) -> None:
        """Somebody opens the tab (or the messages beside it)."""
        if event.get("tab", "home") == "home":
            await self._begin(event["user"])

    async def on_refresh(self, ack: AsyncAck, body: Payload) -> None:
        """ "Refresh"."""
        await ack()
        self._seen = Memory(clock=self._floor.clock)
        await self._begin(body["user"]["id"])

    async def on_language(self, ack: AsyncAck, body: Payload) -> None:
        """A person chooses a language."""
        await ack()
        user, picked = body["user"]["id"], str(body["actions"][0]["selected_option"]["value"])
        known = {code for code, _ in self._choices.languages()}
        own = await self._choices.read(user)
        await self._choices.keep(user, replace(own, language=picked if picked in known else ""))
        self._floor.forget_language(user)
        await self._begin(user)

    async def on_team(self, ack: AsyncAck, body: Payload) -> None:
        """A person chooses whose pods to see."""
        await ack()
        user, picked = body["user"]["id"], str(body["actions"][0]["selected_option"]["value"])
        own = await self._choices.read(user)
        await self._choices.keep(user, replace(own, team="" if picked == EVERY_TEAM else picked))
        await self._begin(user)

    async def _language(self, user: str) -> str:
        return (await self._choices.read(user)).language

    async def on_ask(self, ack: AsyncAck, body: Payload) -> None:
        """ "Why?" beside a workload; answered in the direct message, for a tab has no place for it."""
        await ack()
        user, asked = (
            body["user"]["id"],
            parse_command(str(body["actions"][0].get("value", "")), self._floor.custom.languages),
        )
        if isinstance(asked, Why):
            place = Place(channel=user, user=user)
            await self._floor.begin(place, lambda exchange: self._answer(exchange, asked))

    async def _begin(self, user: str) -> None:
        await self._floor.begin(Place(channel=user, user=user), lambda _: self._publish(user))

    async def _publish(self, user: str) -> None:
        floor = self._floor
        language = await floor.language_of(user)
        phrases, choices = floor.phrases(language), self._choices
        tab = Tab(
            clusters=None,
            changes=await choices.changes(),
            own=await choices.read(user),
            languages=choices.languages(),
        )
        seen = self._seen.get(language)
        if seen is None:
            await publish_home(floor.client, user, home_view(tab, phrases))
            looked = await floor.in_time(self._look(language))
            seen = [ClusterHome(name="", failure=str(looked.code))] if isinstance(looked, Failed) else looked
            if not any(one.failure for one in seen):
                self._seen.put(language, seen, seconds=_FRESH)
        await publish_home(floor.client, user, home_view(replace(tab, clusters=seen), phrases))

    async def _answer(self, exchange: Exchange, asked: Why) -> None:
        floor = self._floor
        question = replace(asked, language=await floor.language_of(exchange.user))
        phrases = floor.phrases(question.language)
        if await floor.may_ask(exchange, phrases):
            asker = Asker(user=exchange.user, channel=exchange.user)
            reply = await floor.in_time(self._services.why(question, asker))
            with suppress(Refused):
                await exchange.answer(worded(reply, question, phrases))
