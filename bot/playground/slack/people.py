"""What people and other bots do in Slack, and what the bot is told of it."""

from __future__ import annotations

import asyncio

from . import events
from .chat import respond_with
from .deliveries import Delivery, Kind
from .hub import Hub
from .present import message_json, view_json
from .scene import ANNA, OPS
from .state import Channel, Message, User, View, Workspace
from .submissions import state_values, take_submission
from .wire import JsonObject


class People(Hub):
    """Senders. Each returns once the bot has taken what was sent, or has missed its first chance to."""

    async def deliver(self, kind: Kind, payload: JsonObject) -> Delivery:
        """Bring a payload to the bot."""
        raise NotImplementedError

    def listening(self) -> bool:
        """False until a bot was there for the first time; before that events have nobody to wait for."""
        raise NotImplementedError

    # -- events --------------------------------------------------------------------------------------------------
    async def send_event(self, workspace: Workspace, event: JsonObject) -> Delivery | None:
        """An event, if the app is subscribed to its kind and, for messages, the bot is in the channel."""
        channel = workspace.channels.get(str(event.get("channel")))
        absent = channel is not None and workspace.bot_user not in channel.members
        if events.subscription(event) not in self.app.events or absent or not self.listening():
            return None
        payload = events.event_callback(self.app, workspace, event, self.serial("Ev"), self.clock.now())
        return await self.deliver("events_api", payload)

    async def message(
        self, text: str, *, channel: str = OPS, user: str = ANNA, thread_ts: str | None = None
    ) -> Message:
        """A person writes. A text that names the bot reaches it twice: as a message and as a mention."""
        workspace, place = self.place(channel)
        message = workspace.add_message(
            Message(
                channel=place.id,
                ts=workspace.next_ts(self.clock.now()),
                text=text,
                user=user,
                thread_ts=thread_ts,
            )
        )
        self.changed()
        sent = [self.send_event(workspace, events.message_event(workspace, place, message))]
        if f"<@{workspace.bot_user}>" in text and not place.is_im:
            sent.append(self.send_event(workspace, events.mention_event(workspace, place, message)))
        await asyncio.gather(*sent)
        return message

    async def mention(
        self, text: str, *, channel: str = OPS, user: str = ANNA, thread_ts: str | None = None
    ) -> Message:
        """A person writes to the bot by name."""
        bot = self.place(channel)[0].bot_user
        return await self.message(f"<@{bot}> {text}", channel=channel, user=user, thread_ts=thread_ts)

    async def direct_message(self, text: str, *, user: str = ANNA) -> Message:
        """A person writes to the bot alone."""
        return await self.message(text, channel=self.workspace.direct(user).id, user=user)

    async def bot_message(self, event: JsonObject, *, channel: str | None = None) -> Message:
        """Another app writes: a recorded message event, whose channel is opened when there is none such.

        The recorded ts is kept unless it is taken. Slack's marks of an edit are delivered as they were recorded.
        """
        reference = str(channel or event.get("channel") or OPS)
        try:
            workspace, place = self.place(reference)
        except KeyError:
            workspace = self.workspace
            place = workspace.add_channel(Channel(id=reference, name=reference.lower()))
        ts = str(event.get("ts") or "")
        if not ts or workspace.message(place.id, ts):
            ts = workspace.next_ts(self.clock.now())
        inner = event.get("message", event)
        message = Message(channel=place.id, ts=str(event["message"]["ts"]) if "message" in event else ts)
        for name in ("text", "user", "bot_id", "app_id", "username", "subtype", "thread_ts", "attachments", "blocks"):
            if inner.get(name):
                setattr(message, name, inner[name])
        workspace.add_message(message)
        self.changed()
        sent = {**event, "type": "message", "channel": place.id, "channel_type": place.type, "ts": ts, "event_ts": ts}
        await self.send_event(workspace, sent)
        return message

    async def edit(
        self, message: Message, *, text: str | None = None, attachments: list[JsonObject] | None = None
    ) -> Delivery | None:
        """The author changes a message (or Slack adds a preview: an edit that changes nothing)."""
        workspace, _ = self.place(message.channel)
        before = message_json(workspace, message)
        message.revise(
            message.text if text is None else text,
            message.blocks,
            message.attachments if attachments is None else attachments,
            message.markup,
        )
        ts = workspace.next_ts(self.clock.now())
        message.edited = ts
        self.changed()
        return await self.send_event(workspace, events.changed_event(workspace, message, before, ts))

    async def erase(self, message: Message) -> Delivery | None:
        """Somebody deletes a message."""
        workspace, _ = self.place(message.channel)
        event = events.deleted_event(workspace, message, workspace.next_ts(self.clock.now()))
        message.deleted = True
        self.changed()
        return await self.send_event(workspace, event)

    async def open_home(self, user: str = ANNA) -> Delivery | None:
        """A person opens the bot's Home tab."""
        workspace = self.workspace
        event: JsonObject = {
            "type": "app_home_opened",
            "user": user,
            "channel": workspace.direct(user).id,
            "tab": "home",
            "event_ts": workspace.next_ts(self.clock.now()),
        }
        view = workspace.home(user)
        if view:
            event["view"] = view_json(workspace, view, self.app.id)
        return await self.send_event(workspace, event)

    # -- commands and interactions ---------------------------------------------------------------------------------
    async def slash_command(
        self, text: str, *, channel: str = OPS, user: str = ANNA, command: str | None = None
    ) -> Delivery:
        """A person types the command; what the bot puts into its acknowledgement is shown."""
        workspace, place = self.place(channel)
        person = self._person(workspace, user)
        payload: JsonObject = {
            "token": "verification-token",
            "team_id": workspace.id,
            "team_domain": workspace.domain,
            "channel_id": place.id,
            "channel_name": "directmessage" if place.is_im else place.name,
            "user_id": user,
            "user_name": person.name,
            "command": command or self.app.command,
            "text": text,
            "api_app_id": self.app.id,
            "is_enterprise_install": "false",
            "response_url": self.issue_response_url(workspace, channel=place.id, user=user),
            "trigger_id": self.issue_trigger(user),
        }
        delivery = await self.deliver("slash_commands", payload)
        if delivery.answer:
            respond_with(self, self.response_urls[payload["response_url"].rsplit("/", 1)[1]], delivery.answer)
            self.changed()
        return delivery

    async def click(
        self,
        action_id: str,
        on: Message | View,
        *,
        user: str = ANNA,
        choice: str | None = None,
        block_id: str = "",
    ) -> Delivery:
        """A person presses a button or chooses ``choice`` in a menu of a message, modal or Home tab.

        ``block_id`` tells which, where several blocks have such an element; else it is the first. Raises LookupError
        when there is no such element to click.
        """
        workspace = self._home_of(on)
        person = self._person(workspace, user)
        block, element = self.element(action_id, on, block_id)
        payload = events.interaction(self.app, workspace, "block_actions", person)
        payload["actions"] = [events.action(block, element, self.clock.now(), choice)]
        payload["trigger_id"] = self.issue_trigger(user, on.id if isinstance(on, View) else None)
        if isinstance(on, View):
            payload |= events.from_view(self.app, workspace, on, state_values(on, {}))
        else:
            url = self.issue_response_url(workspace, channel=on.channel, user=user, message_ts=on.ts)
            payload |= events.from_message(workspace, on, url) | {"state": {"values": {}}}
        return await self.deliver("interactive", payload)

    def element(self, action_id: str, on: Message | View, block_id: str = "") -> tuple[JsonObject, JsonObject]:
        """The block and the element of this action_id. Raises LookupError naming those that are there."""
        blocks = on.content["blocks"] if isinstance(on, View) else on.blocks
        for block, element in events.elements(blocks):
            if element["action_id"] == action_id and block_id in ("", block.get("block_id")):
                return block, element
        there = [element["action_id"] for _, element in events.elements(blocks)]
        raise LookupError(f"nothing to click with action_id {action_id!r}; there are {there}")

    async def submit(self, view: View, values: dict[str, str] | None = None) -> Delivery:
        """A person fills in a modal (by action_id) and submits it; what the bot answers happens to the modal.

        Raises LookupError when Slack would not let the person submit: no submit button, a required input empty.
        """
        workspace = self._home_of(view)
        payload = events.interaction(self.app, workspace, "view_submission", self._person(workspace, view.user))
        payload |= events.from_view(self.app, workspace, view, state_values(view, values or {}, complete=True))
        payload |= {"trigger_id": self.issue_trigger(view.user, view.id), "response_urls": []}
        delivery = await self.deliver("interactive", payload)
        if delivery.acked:
            take_submission(self, workspace, view, delivery.answer or {})
            self.changed()
        return delivery

    async def close(self, view: View) -> Delivery | None:
        """A person closes a modal; the bot hears of it when it asked to."""
        workspace = self._home_of(view)
        view.open = False
        self.changed()
        if not view.content.get("notify_on_close"):
            return None
        payload = events.interaction(self.app, workspace, "view_closed", self._person(workspace, view.user))
        payload |= events.from_view(self.app, workspace, view) | {"is_cleared": False}
        return await self.deliver("interactive", payload)

    async def message_shortcut(self, callback_id: str, message: Message, *, user: str = ANNA) -> Delivery:
        """A person picks the app's shortcut in a message's menu."""
        workspace, _ = self.place(message.channel)
        payload = events.interaction(self.app, workspace, "message_action", self._person(workspace, user))
        url = self.issue_response_url(workspace, channel=message.channel, user=user)
        payload |= events.from_message(workspace, message, url)
        del payload["container"]
        payload |= {
            "callback_id": callback_id,
            "trigger_id": self.issue_trigger(user),
            "message_ts": message.ts,
            "action_ts": f"{self.clock.now():.6f}",
        }
        return await self.deliver("interactive", payload)

    async def suggest(self, action_id: str, on: Message | View, typed: str, *, user: str = ANNA) -> Delivery:
        """A person types into an external select; the options are in the delivery's ``answer``."""
        workspace = self._home_of(on)
        block, _ = self.element(action_id, on)
        payload = events.interaction(self.app, workspace, "block_suggestion", self._person(workspace, user))
        payload |= {"action_id": action_id, "block_id": block.get("block_id", ""), "value": typed}
        if isinstance(on, View):
            payload |= events.from_view(self.app, workspace, on)
        return await self.deliver("interactive", payload)

    def _home_of(self, thing: Message | View) -> Workspace:
        if isinstance(thing, View):
            return next(w for w in self.workspaces.values() if w.views.get(thing.id) is thing)
        return self.place(thing.channel)[0]

    @staticmethod
    def _person(workspace: Workspace, user: str) -> User:
        return workspace.users[user]
