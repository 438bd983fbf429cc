"""The Web API's methods: what each needs, how often it may be called, and who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import chat, directory, files, views
from .hub import Hub
from .state import Workspace
from .wire import JsonObject, SlackRefusal


@dataclass(frozen=True, slots=True)
class Method:
    """``scopes``: any one of them is enough; none: the method needs no scope. ``tier``: apis/web-api/rate-limits."""

    answer: Callable[[Hub, Workspace, JsonObject], JsonObject]
    tier: int
    scopes: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


_READ = ("channels:read", "groups:read", "im:read")
_HISTORY = ("channels:history", "groups:history", "im:history")

METHODS: Mapping[str, Method] = {
    "auth.test": Method(directory.auth_test, 4),
    "bots.info": Method(directory.bots_info, 3, ("users:read",)),
    "chat.delete": Method(chat.delete, 3, ("chat:write",), ("channel", "ts")),
    "chat.getPermalink": Method(chat.permalink, 4, (), ("channel", "message_ts")),
    "chat.postEphemeral": Method(chat.post_ephemeral, 4, ("chat:write",), ("channel", "user")),
    "chat.postMessage": Method(chat.post_message, 4, ("chat:write",), ("channel",)),
    "chat.update": Method(chat.update, 3, ("chat:write",), ("channel", "ts")),
    "conversations.history": Method(directory.conversations_history, 3, _HISTORY, ("channel",)),
    "conversations.info": Method(directory.conversations_info, 3, _READ, ("channel",)),
    "conversations.join": Method(directory.conversations_join, 3, ("channels:join",), ("channel",)),
    "conversations.list": Method(directory.conversations_list, 2, _READ),
    "conversations.members": Method(directory.conversations_members, 4, _READ, ("channel",)),
    "conversations.replies": Method(directory.conversations_replies, 3, _HISTORY, ("channel", "ts")),
    "files.completeUploadExternal": Method(files.complete, 4, ("files:write",), ("files",)),
    "files.getUploadURLExternal": Method(files.upload_url, 4, ("files:write",), ("filename", "length")),
    "reactions.add": Method(directory.reaction_add, 3, ("reactions:write",), ("channel", "name", "timestamp")),
    "reactions.remove": Method(directory.reaction_remove, 2, ("reactions:write",), ("channel", "name", "timestamp")),
    "team.info": Method(directory.team_info, 3, ("team:read",)),
    "usergroups.users.list": Method(directory.usergroup_users, 2, ("usergroups:read",), ("usergroup",)),
    "users.info": Method(directory.users_info, 4, ("users:read",), ("user",)),
    "views.open": Method(views.open_view, 4, (), ("trigger_id", "view")),
    "views.publish": Method(views.publish_view, 4, (), ("user_id", "view")),
    "views.push": Method(views.push_view, 4, (), ("trigger_id", "view")),
    "views.update": Method(views.update_view, 4, (), ("view",)),
}


def call(hub: Hub, workspace: Workspace, name: str, arguments: JsonObject) -> JsonObject:
    """The method's answer without ``ok``. Raises SlackRefusal."""
    method = METHODS.get(name)
    if method is None:
        raise SlackRefusal("unknown_method", broken=True)
    if method.scopes and not workspace.scopes.intersection(method.scopes):
        provided = ",".join(sorted(workspace.scopes))
        raise SlackRefusal("missing_scope", extra={"needed": method.scopes[0], "provided": provided})
    missing = [argument for argument in method.required if not arguments.get(argument)]
    if missing:
        lines = tuple(f"missing required field: {argument}" for argument in missing)
        raise SlackRefusal("invalid_arguments", messages=lines, broken=True)
    return method.answer(hub, workspace, arguments)
