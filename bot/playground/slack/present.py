"""Slack's JSON for what is in its memory."""

from __future__ import annotations

from .state import Channel, Message, User, View, Workspace
from .wire import JsonObject


def message_json(workspace: Workspace, message: Message) -> JsonObject:
    """A message as history, events and interactions carry it."""
    body: JsonObject = {"type": "message", "ts": message.ts, "text": message.text, "team": workspace.id}
    optional: JsonObject = {
        "user": message.user,
        "bot_id": message.bot_id,
        "app_id": message.app_id,
        "username": message.username,
        "subtype": message.subtype,
        "thread_ts": message.thread_ts,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "metadata": message.metadata,
        "files": [{"id": file, "name": workspace.files[file].name} for file in message.files],
        "edited": message.edited and {"user": message.user, "ts": message.edited},
        "reactions": [{"name": name, "users": users, "count": len(users)} for name, users in message.reactions.items()],
    }
    body.update({name: value for name, value in optional.items() if value})
    if message.bot_id and message.bot_id == workspace.bot_id:
        body["bot_profile"] = {"id": message.bot_id, "app_id": message.app_id, "team_id": workspace.id}
    replies = workspace.replies(message.channel, message.ts) if not message.thread_ts else []
    if replies:
        body |= {"thread_ts": message.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
    return body


def user_json(user: User, *, locale: bool) -> JsonObject:
    """A person as users.info answers; the locale only when it was asked for."""
    body: JsonObject = {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "real_name": user.real_name or user.name,
        "deleted": user.deleted,
        "is_bot": user.is_bot,
        "is_admin": user.is_admin,
        "is_restricted": user.is_restricted,
        "tz_offset": user.tz_offset,
        "profile": {"display_name": user.name, "real_name": user.real_name or user.name},
    }
    return {**body, "locale": user.locale} if locale else body


def channel_json(workspace: Workspace, channel: Channel) -> JsonObject:
    """A channel as conversations.info answers."""
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": not channel.is_im and not channel.is_private,
        "is_group": channel.is_private,
        "is_im": channel.is_im,
        "is_private": channel.is_private or channel.is_im,
        "is_archived": channel.is_archived,
        "is_ext_shared": channel.is_ext_shared,
        "is_member": workspace.bot_user in channel.members,
        "num_members": len(channel.members),
        "context_team_id": workspace.id,
    }


def view_json(workspace: Workspace, view: View, app_id: str, values: JsonObject | None = None) -> JsonObject:
    """A view as views.* answer and interactions carry it; ``values`` is what the person filled in."""
    filled: JsonObject = {
        "private_metadata": "",
        "callback_id": "",
        "external_id": "",
        "submit": None,
        "close": None,
        "clear_on_close": False,
        "notify_on_close": False,
        **view.content,
    }
    return {
        **filled,
        "id": view.id,
        "hash": view.hash,
        "team_id": workspace.id,
        "app_id": app_id,
        "bot_id": workspace.bot_id,
        "root_view_id": view.root_id,
        "previous_view_id": view.previous_id,
        "state": {"values": values or {}},
    }
