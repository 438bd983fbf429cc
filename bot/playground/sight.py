"""What one person sees of the fake Slack, as plain JSON for the page; everything in it is data, never markup."""

from collections.abc import Iterator
from typing import Any, Final

from bot.playground.alerts import SAMPLES
from bot.playground.slack import Channel, Message, View, scene
from bot.playground.stage import Stage

Seen = dict[str, Any]
PEOPLE: Final = (scene.ANNA, scene.MIN)
"""Whom one can be: somebody who reads English, somebody who reads Korean."""


def seen(stage: Stage, user: str) -> Seen:
    """Everything on one person's screen."""
    slack, workspace = stage.slack, stage.slack.workspace
    channels = [workspace.channels[scene.OPS], workspace.channels[scene.ALERTS], workspace.direct(user)]
    home = workspace.home(user)
    return {
        "workspace": workspace.name,
        "me": user,
        "people": {one.id: {"name": one.name, "locale": one.locale} for one in workspace.users.values()},
        "identities": list(PEOPLE),
        "bot": {"user": workspace.bot_user, "name": slack.app.name, "command": slack.app.command},
        "groups": {group.id: group.handle for group in workspace.groups.values()},
        "shortcuts": [{"id": callback, "name": name} for callback, name in slack.app.shortcuts.items()],
        "channels": [_channel(stage, channel, user) for channel in channels],
        "modals": [_view(view) for view in workspace.modals(user)],
        "home": _view(home) if home else None,
        "recordings": _clusters(stage),
        "recording": stage.now_on,
        "kind": stage.kind,
        "preview": stage.preview.seen(user),
        "changing": stage.changing,
        "alerts": list(SAMPLES),
    }


def _clusters(stage: Stage) -> list[Seen]:
    """What can be put on stage: a real cluster first, where there is one."""
    live = stage.setting.live
    found = [{"name": one.name, "about": one.about, "question": one.question} for one in stage.setting.recordings]
    return [*([{"name": live.name, "about": "", "question": ""}] if live else []), *found]


def _channel(stage: Stage, channel: Channel, user: str) -> Seen:
    return {
        "id": channel.id,
        "name": stage.slack.app.name if channel.is_im else channel.name,
        "direct": channel.is_im,
        "messages": [_message(stage, one) for one in _visible(stage, channel, user)],
    }


def _visible(stage: Stage, channel: Channel, user: str) -> Iterator[Message]:
    for message in stage.slack.workspace.messages:
        if message.channel == channel.id and not message.deleted and message.ephemeral_to in (None, user):
            yield message


def _message(stage: Stage, message: Message) -> Seen:
    workspace = stage.slack.workspace
    person = workspace.users.get(message.user or "")
    own = message.bot_id == workspace.bot_id
    return {
        "ts": message.ts,
        "channel": message.channel,
        "author": stage.slack.app.name if own else message.username or (person.name if person else "app"),
        "user": message.user,
        "app": bool(message.bot_id),
        "own": own,
        "text": message.text,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "thread": message.thread_ts if message.thread_ts != message.ts else None,
        "broadcast": message.broadcast,
        "ephemeral": bool(message.ephemeral_to),
        "edited": bool(message.edited),
        "reactions": {name: len(users) for name, users in message.reactions.items()},
        "files": [
            {"id": file, "name": workspace.files[file].name, "title": workspace.files[file].title}
            for file in message.files
        ],
    }


def _view(view: View) -> Seen:
    return {"id": view.id, "hash": view.hash, "content": view.content, "errors": view.errors}
