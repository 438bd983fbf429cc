"""auth, conversations, users, usergroups, reactions, bots, team: who and what is there."""

from __future__ import annotations

from .chat import find_channel
from .hub import Hub
from .present import channel_json, message_json, user_json
from .state import Channel, Message, Workspace
from .wire import JsonObject, SlackRefusal, flag


def auth_test(hub: Hub, workspace: Workspace, _arguments: JsonObject) -> JsonObject:
    """auth.test."""
    return {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.name,
        "team_id": workspace.id,
        "user": hub.app.name,
        "user_id": workspace.bot_user,
        "bot_id": workspace.bot_id,
        "app_id": hub.app.id,
        "is_enterprise_install": False,
    }


def page(items: list[JsonObject], arguments: JsonObject, name: str, *, default: int = 100) -> JsonObject:
    """One page under ``name``, with the cursor of the next (apis/web-api/pagination)."""
    try:
        size, start = int(arguments.get("limit") or default), int(arguments.get("cursor") or 0)
    except ValueError:
        raise SlackRefusal("invalid_cursor", broken=True) from None
    following = str(start + size) if start + size < len(items) else ""
    return {
        name: items[start : start + size],
        "has_more": bool(following),
        "response_metadata": {"next_cursor": following},
    }


def conversations_info(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """conversations.info."""
    return {"channel": channel_json(workspace, find_channel(workspace, arguments.get("channel")))}


def conversations_list(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """conversations.list: public channels, and private ones and direct messages that the bot is in and asks for."""
    kinds = str(arguments.get("types") or "public_channel").split(",")
    shown = [
        channel_json(workspace, channel)
        for channel in workspace.channels.values()
        if _kind(channel) in kinds
        and (_kind(channel) == "public_channel" or workspace.bot_user in channel.members)
        and not (channel.is_archived and flag(arguments, "exclude_archived"))
    ]
    return page(shown, arguments, "channels")


def _kind(channel: Channel) -> str:
    return "im" if channel.is_im else "private_channel" if channel.is_private else "public_channel"


def conversations_members(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """conversations.members."""
    channel = find_channel(workspace, arguments.get("channel"))
    body = page([{"id": member} for member in sorted(channel.members)], arguments, "members")
    return {**body, "members": [member["id"] for member in body["members"]]}


def conversations_join(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """conversations.join: public channels only."""
    channel = find_channel(workspace, arguments.get("channel"))
    if channel.is_private or channel.is_im:
        raise SlackRefusal("method_not_supported_for_channel_type", broken=True)
    channel.members.add(workspace.bot_user)
    return {"channel": channel_json(workspace, channel)}


def conversations_history(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """conversations.history: newest first, replies left out."""
    channel = _readable(workspace, arguments)
    tops = [m for m in workspace.in_channel(channel.id) if not m.thread_ts or m.broadcast]
    return _messages(workspace, list(reversed(tops)), arguments)


def conversations_replies(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """conversations.replies: the parent first, then its replies, oldest first."""
    channel = _readable(workspace, arguments)
    parent = workspace.message(channel.id, str(arguments.get("ts")))
    if parent is None:
        raise SlackRefusal("thread_not_found")
    return _messages(workspace, [parent, *workspace.replies(channel.id, parent.ts)], arguments)


def _readable(workspace: Workspace, arguments: JsonObject) -> Channel:
    channel = find_channel(workspace, arguments.get("channel"))
    if workspace.bot_user not in channel.members:
        raise SlackRefusal("not_in_channel")
    return channel


def _messages(workspace: Workspace, messages: list[Message], arguments: JsonObject) -> JsonObject:
    oldest, latest = str(arguments.get("oldest") or "0"), str(arguments.get("latest") or "9" * 20)
    inclusive = flag(arguments, "inclusive")
    within = [
        m for m in messages if float(oldest) < float(m.ts) < float(latest) or (inclusive and m.ts in {oldest, latest})
    ]
    shown = [message_json(workspace, m) for m in within]
    if not flag(arguments, "include_all_metadata"):
        for body in shown:
            body.pop("metadata", None)
    return page(shown, arguments, "messages")


def users_info(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """users.info."""
    user = workspace.users.get(str(arguments.get("user")))
    if user is None:
        raise SlackRefusal("user_not_found")
    return {"user": user_json(user, locale=flag(arguments, "include_locale"))}


def usergroup_users(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """usergroups.users.list: paid plans only."""
    if workspace.plan == "free":
        raise SlackRefusal("plan_upgrade_required")
    group = workspace.groups.get(str(arguments.get("usergroup")))
    if group is None or (group.disabled and not flag(arguments, "include_disabled")):
        raise SlackRefusal("no_such_subteam")
    return {"users": list(group.users)}


def reaction_add(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """reactions.add."""
    users = _reacted(workspace, arguments).setdefault(str(arguments.get("name")), [])
    if workspace.bot_user in users:
        raise SlackRefusal("already_reacted")
    users.append(workspace.bot_user)
    return {}


def reaction_remove(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """reactions.remove."""
    reactions, name = _reacted(workspace, arguments), str(arguments.get("name"))
    if workspace.bot_user not in reactions.get(name, []):
        raise SlackRefusal("no_reaction")
    reactions[name].remove(workspace.bot_user)
    if not reactions[name]:
        del reactions[name]
    return {}


def _reacted(workspace: Workspace, arguments: JsonObject) -> dict[str, list[str]]:
    channel = find_channel(workspace, arguments.get("channel"))
    message = workspace.message(channel.id, str(arguments.get("timestamp")))
    if message is None:
        raise SlackRefusal("message_not_found")
    name = str(arguments.get("name") or "")
    if not name or ":" in name:
        raise SlackRefusal("invalid_name", broken=True)
    return message.reactions


def bots_info(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """bots.info: the bot itself, or a bot that wrote here."""
    bot = str(arguments.get("bot") or workspace.bot_id)
    if bot == workspace.bot_id:
        return {"bot": {"id": bot, "app_id": hub.app.id, "user_id": workspace.bot_user, "name": hub.app.name}}
    author = next((m for m in workspace.messages if m.bot_id == bot), None)
    if author is None:
        raise SlackRefusal("bot_not_found")
    return {"bot": {"id": bot, "app_id": author.app_id or "", "name": author.username or "", "deleted": False}}


def team_info(_hub: Hub, workspace: Workspace, _arguments: JsonObject) -> JsonObject:
    """team.info."""
    return {"team": {"id": workspace.id, "name": workspace.name, "domain": workspace.domain}}
