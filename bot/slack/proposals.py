"""The part of the bot that Slack's approval buttons belong to: ack, call, show. What may be is decided elsewhere."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Protocol

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.proposals import Person, Proposal
from bot.model.proposals import Place as Standing
from bot.playbooks import Phrases
from bot.slack.blocks import Message, error
from bot.slack.dialogs import note_modal
from bot.slack.exchange import AS_WRITTEN, Exchange, Place, Refused, called, change_modal, in_some_form, open_modal
from bot.slack.floor import Floor, Part, Payload, clicked, failure, logged
from bot.slack.proposal_blocks import (
    APPROVE,
    POST_THERE,
    PROPOSAL_VIEW,
    PROPOSE,
    PROPOSE_OTHER,
    REASON,
    REJECT,
    REJECTION_VIEW,
    UNDO,
    copy_modal,
    may_message,
    moved_message,
    proposal_message,
    proposal_modal,
    rejection_modal,
)
from bot.slack.services import Asker, Copy, Failed

LOG: Final = logging.getLogger(__name__)
_LOOK_UP: Final = 5.0
"""Seconds for who somebody is; whoever cannot be looked up may do nothing."""


class Changes(Protocol):
    """What stands behind the buttons. Failures of the store and of clusters come back as Failed."""

    async def propose(self, token: str, asker: Asker, language: str) -> Proposal | Copy | Failed: ...
    async def find(self, proposal: str) -> Proposal | None: ...
    async def placed(self, proposal: str, place: Standing) -> None: ...
    async def approve(self, proposal: str, user: str) -> Proposal | Failed: ...
    async def reject(self, proposal: str, user: str, reason: str) -> Proposal | Failed: ...
    async def undo(self, proposal: str, user: str) -> Proposal | Failed: ...
    def go_on(self, proposal: str) -> None: ...
    def begin(
        self,
        people: Callable[[str, Sequence[str]], Awaitable[Person]],
        changed: Callable[[Proposal], Awaitable[None]],
    ) -> None: ...
    async def end(self) -> None: ...


class Proposals(Part):
    """Buttons, modals and messages of proposals."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._showing: dict[str, asyncio.Lock] = {}

    def register(self, app: AsyncApp, floor: Floor) -> None:
        self._floor = floor
        app.action(PROPOSE)(self.on_propose)
        app.action(PROPOSE_OTHER)(self.on_propose)
        app.view(PROPOSAL_VIEW)(self.on_publish)
        app.action(APPROVE)(self.on_approve)
        app.action(REJECT)(self.on_reject)
        app.view(REJECTION_VIEW)(self.on_rejection)
        app.action(UNDO)(self.on_undo)
        app.action(POST_THERE)(self.on_post_there)

    async def start(self) -> None:
        self._changes.begin(self.look_up, self.show)

    async def close(self) -> None:
        await self._changes.end()

    # -- what Slack sends ----------------------------------------------------------------------------------------------

    async def on_propose(self, ack: AsyncAck, body: Payload) -> None:
        """A remedy's button, or a choice in the menu of the others."""
        await ack()
        action = body["actions"][0]
        token = str(action.get("value") or (action.get("selected_option") or {}).get("value") or "")
        place, trigger = _discreet(body), str(body["trigger_id"])
        ts = (body.get("message") or {}).get("ts", "")
        asker = Asker(user=place.user, channel=place.channel, thread_ts=place.thread_ts or ts)
        await self._floor.begin(place, lambda exchange: self._propose(exchange, token, asker, trigger))

    async def on_publish(self, ack: AsyncAck, body: Payload) -> None:
        """The modal was submitted: the proposal is posted, for whoever may approve."""
        await ack()
        proposal, user = str(body["view"]["private_metadata"]), str(body["user"]["id"])
        place = Place(channel=user, user=user)
        await self._floor.begin(place, lambda _: self._publish(proposal, user))

    async def on_approve(self, ack: AsyncAck, body: Payload) -> None:
        """Approve, or the second approval."""
        await ack()
        await self._decide(body, self._changes.approve)

    async def on_undo(self, ack: AsyncAck, body: Payload) -> None:
        """Undo."""
        await ack()
        await self._decide(body, self._changes.undo)

    async def on_post_there(self, ack: AsyncAck, body: Payload) -> None:
        """Post it in the channel where it was asked for."""
        await ack()
        proposal = str(body["actions"][0].get("value", ""))
        await self._floor.begin(_discreet(body), lambda exchange: self._post_there(exchange, proposal))

    async def on_reject(self, ack: AsyncAck, body: Payload) -> None:
        """Asks for a reason first."""
        await ack()
        place = _discreet(body)
        metadata = json.dumps([str(body["actions"][0].get("value", "")), place.channel, place.thread_ts])
        language = await self._floor.language_of(place.user)
        with suppress(Refused):
            view = rejection_modal(metadata, self._floor.phrases(language))
            await open_modal(self._floor.client, str(body["trigger_id"]), view)

    async def on_rejection(self, ack: AsyncAck, body: Payload) -> None:
        """Reject, with the reason."""
        await ack()
        view, user = body["view"], str(body["user"]["id"])
        try:
            proposal, channel, thread_ts = json.loads(view["private_metadata"])
            reason = str(view["state"]["values"][REASON][REASON]["value"] or "")[:500]
        except (ValueError, KeyError, TypeError):
            return
        place = Place(channel=channel, user=user, thread_ts=thread_ts)
        await self._floor.begin(place, lambda e: self._decided(e, lambda: self._changes.reject(proposal, user, reason)))

    # -- what is done about it -----------------------------------------------------------------------------------------

    async def _propose(self, exchange: Exchange, token: str, asker: Asker, trigger: str) -> None:
        client = self._floor.client
        language = await self._floor.language_of(exchange.user, asker.channel)
        phrases = self._floor.phrases(language)
        view_id = await open_modal(client, trigger, note_modal([phrases.line("approvals.loading")], phrases))
        found = await self._floor.in_time(self._changes.propose(token, asker, language))
        await change_modal(client, view_id, _modal(found, phrases))

    async def _publish(self, proposal: str, user: str) -> None:
        one = await self._changes.find(proposal)
        if one is None or one.place.ts or user != one.requester:
            return
        try:
            await self.show(one)
        except Refused as refused:
            LOG.info("the proposal goes to its requester alone: %s", refused)
            asked = one.place
            apart = Standing(channel=user, asked_in=asked.channel, asked_ts=asked.thread_ts)
            await self._changes.placed(one.id, apart)
            await self.show(one)

    async def _post_there(self, exchange: Exchange, proposal: str) -> None:
        """The bot was invited meanwhile: the proposal moves to where it was asked for, from then on it is kept there."""
        phrases = self._floor.phrases(await self._floor.language_of(exchange.user))
        async with self._turn(proposal):
            one = await self._changes.find(proposal)
            if one is None or not one.place.asked_in or exchange.user != one.requester:
                return
            apart, there = one.place, Standing(channel=one.place.asked_in, thread_ts=one.place.asked_ts)
            try:
                await self._show(replace(one, place=there))
            except Refused:
                await exchange.tell(error("approvals.post-there", phrases))
                return
            with suppress(Refused):
                await self._send("chat.update", moved_message(phrases, there.channel), apart, ts=apart.ts)

    async def _decide(self, body: Payload, decide: Callable[[str, str], Awaitable[Proposal | Failed]]) -> None:
        proposal, place = str(body["actions"][0].get("value", "")), _discreet(body)
        await self._floor.begin(
            place, lambda exchange: self._decided(exchange, lambda: decide(proposal, exchange.user))
        )

    async def _decided(self, exchange: Exchange, decide: Callable[[], Awaitable[Proposal | Failed]]) -> None:
        """A polite no for the clicker's eyes only, or the message brought up to date and the work begun."""
        found = await decide()
        if isinstance(found, Failed):
            phrases = self._floor.phrases(await self._floor.language_of(exchange.user))
            return await exchange.tell(_no(found, phrases))
        try:
            await self.show(found)
        finally:
            self._changes.go_on(found.id)

    async def show(self, one: Proposal) -> None:
        """Posts the proposal's message, or brings it up to date. Raises Refused."""
        async with self._turn(one.id):
            newest = await self._changes.find(one.id) or one
            await self._show(newest)

    def _turn(self, proposal: str) -> asyncio.Lock:
        """Of one message only one version is on its way at a time."""
        return self._showing.setdefault(proposal, asyncio.Lock())

    async def _show(self, one: Proposal) -> None:
        message = proposal_message(one, self._floor.phrases(one.language))
        if one.place.ts:
            await in_some_form(message, lambda version: self._send("chat.update", version, one.place, ts=one.place.ts))
            return
        if not one.place.channel:
            return
        channel = ts = ""

        async def post(version: Message) -> None:
            nonlocal channel, ts
            channel, ts = await self._send("chat.postMessage", version, one.place)

        await in_some_form(message, post)
        # a person's direct message has an id of its own, and only by that it can be changed
        await self._changes.placed(one.id, replace(one.place, channel=channel or one.place.channel, ts=ts))

    async def _send(self, method: str, message: Message, place: Standing, **more: str) -> tuple[str, str]:
        arguments: dict[str, object] = {"channel": place.channel, **message.as_json(), **AS_WRITTEN, **more}
        if place.thread_ts and "ts" not in more:
            arguments["thread_ts"] = place.thread_ts
        answer = await called(method, self._floor.client.api_call(method, json=arguments))
        return str(answer.get("channel", "")), str(answer.get("ts", ""))

    async def look_up(self, user: str, groups: Sequence[str]) -> Person:
        """Who this is right now, straight from Slack: nothing of it is kept, and what fails counts against them."""
        client, me = self._floor.client, self._floor.me
        try:
            async with asyncio.timeout(_LOOK_UP):
                account = (await called("users.info", client.users_info(user=user))).get("user") or {}
                standing = _standing(account, me.team_id)
                if standing:
                    return Person(user=user, standing=standing)
                return await _with_groups(client, user, groups)
        except (Refused, TimeoutError) as error:
            return Person(user=user, standing="unknown", unread=str(error) or "timeout")


async def _with_groups(client: AsyncWebClient, user: str, groups: Sequence[str]) -> Person:
    """The person with those of the groups that have them; a group that cannot be read is named."""
    member: set[str] = set()
    unread: list[str] = []
    for group in groups:
        try:
            listed = await called("usergroups.users.list", client.usergroups_users_list(usergroup=group))
        except Refused as refused:
            unread.append(f"{group}: {refused}")
            continue
        if user in (listed.get("users") or ()):
            member.add(group)
    return Person(user=user, groups=frozenset(member), unread="; ".join(unread))


def _standing(account: dict[str, Any], team: str) -> str:
    """What somebody is who is no full, active member of this workspace; empty for a member."""
    if not account or account.get("deleted"):
        return "deactivated"
    if account.get("is_bot") or account.get("is_app_user"):
        return "bot"
    if account.get("is_restricted") or account.get("is_ultra_restricted") or account.get("is_stranger"):
        return "guest"
    return "guest" if team and account.get("team_id") not in (team, None) else ""


def _discreet(body: Payload) -> Place:
    """The place of a click whose troubles are for the clicker alone: the message itself only ever tells the proposal."""
    return replace(clicked(body), ts="", replaces=False, discreet=True)


def _modal(found: Proposal | Copy | Failed, phrases: Phrases) -> dict[str, Any]:
    match found:
        case Proposal():
            return proposal_modal(found, phrases)
        case Copy():
            return copy_modal(found, phrases)
        case Failed():
            key = f"error.{found.code}"
            if phrases.has(key):
                return note_modal(phrases.lines(key, **found.facts), phrases)
            return note_modal(phrases.lines("error.internal", reference=logged()), phrases)


def _no(found: Failed, phrases: Phrases) -> Message:
    told = failure(found, phrases)
    users, groups = found.facts.get("users"), found.facts.get("groups")
    if isinstance(users, tuple | list) and isinstance(groups, tuple | list):
        return may_message(told, users, groups, phrases)
    return told
