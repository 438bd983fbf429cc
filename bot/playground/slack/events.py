"""Slack's payloads: what a bot gets when people act (reference/events, interactivity)."""

from __future__ import annotations

from collections.abc import Iterator

from .hub import App
from .payloads import elements_of, with_children
from .present import message_json, view_json
from .state import Channel, Message, User, View, Workspace
from .wire import JsonObject


def event_callback(app: App, workspace: Workspace, event: JsonObject, event_id: str, now: float) -> JsonObject:
    """The wrapper of every event. ``event_id`` stays the same in retries."""
    return {
        "token": "verification-token",
        "team_id": workspace.id,
        "api_app_id": app.id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(now),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": workspace.id,
                "user_id": workspace.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }


def subscription(event: JsonObject) -> str:
    """The manifest's name for what this event needs."""
    if event.get("type") != "message":
        return str(event.get("type"))
    kinds = {"channel": "message.channels", "group": "message.groups", "im": "message.im", "mpim": "message.mpim"}
    return kinds.get(str(event.get("channel_type", "channel")), "message.channels")


def message_event(workspace: Workspace, channel: Channel, message: Message) -> JsonObject:
    """A message event."""
    body = message_json(workspace, message)
    return {**body, "channel": channel.id, "channel_type": channel.type, "event_ts": message.ts}


def mention_event(workspace: Workspace, channel: Channel, message: Message) -> JsonObject:
    """An app_mention event: the same message, another type, and no channel_type."""
    body = message_event(workspace, channel, message)
    del body["channel_type"]
    return {**body, "type": "app_mention"}


def changed_event(workspace: Workspace, message: Message, before: JsonObject, ts: str) -> JsonObject:
    """A message_changed event; the changed message's ts is inside."""
    channel = workspace.channels[message.channel]
    return {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "channel": channel.id,
        "channel_type": channel.type,
        "ts": ts,
        "event_ts": ts,
        "message": message_json(workspace, message),
        "previous_message": before,
    }


def deleted_event(workspace: Workspace, message: Message, ts: str) -> JsonObject:
    """A message_deleted event."""
    channel = workspace.channels[message.channel]
    return {
        "type": "message",
        "subtype": "message_deleted",
        "hidden": True,
        "channel": channel.id,
        "channel_type": channel.type,
        "ts": ts,
        "event_ts": ts,
        "deleted_ts": message.ts,
        "previous_message": message_json(workspace, message),
    }


def _who(workspace: Workspace, user: User) -> JsonObject:
    return {"id": user.id, "name": user.name, "username": user.name, "team_id": user.team_id or workspace.id}


def interaction(app: App, workspace: Workspace, kind: str, user: User) -> JsonObject:
    """What every interaction carries."""
    return {
        "type": kind,
        "team": {"id": workspace.id, "domain": workspace.domain},
        "user": _who(workspace, user),
        "api_app_id": app.id,
        "token": "verification-token",
        "is_enterprise_install": False,
        "enterprise": None,
    }


def from_message(workspace: Workspace, message: Message, response_url: str) -> JsonObject:
    """What an interaction adds when it happened on a message."""
    channel = workspace.channels[message.channel]
    return {
        "channel": {"id": channel.id, "name": "directmessage" if channel.is_im else channel.name},
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": bool(message.ephemeral_to),
        },
        "message": message_json(workspace, message),
        "response_url": response_url,
    }


def from_view(app: App, workspace: Workspace, view: View, values: JsonObject | None = None) -> JsonObject:
    """What an interaction adds when it happened in a modal or Home tab."""
    return {
        "container": {"type": "view", "view_id": view.id},
        "view": view_json(workspace, view, app.id, values),
    }


def elements(blocks: list[JsonObject]) -> Iterator[tuple[JsonObject, JsonObject]]:
    """Every interactive element with its block, containers and cards included."""
    for block, _ in with_children([(block, "") for block in blocks]):
        for element, _ in elements_of(block):
            if element.get("action_id"):
                yield block, element


def action(block: JsonObject, element: JsonObject, now: float, choice: str | None) -> JsonObject:
    """One entry of ``actions``: what the person pressed or chose."""
    body: JsonObject = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block.get("block_id", ""),
        "action_ts": f"{now:.6f}",
    }
    match element["type"]:
        case "feedback_buttons":
            chosen = element["negative_button" if choice == "negative" else "positive_button"]
            return {**body, "text": chosen["text"], "value": chosen["value"]}
        case "button" | "icon_button":
            return {**body, "text": element["text"], "value": element.get("value", "")}
        case _:
            return {**body, **selection(element, choice)}


def selection(element: JsonObject, choice: str | None) -> JsonObject:
    """What a menu, picker or input holds once the person has chosen ``choice`` (an option's value, an id, a text)."""
    kind = element["type"]
    if kind in {"static_select", "external_select", "overflow", "radio_buttons"}:
        return {"selected_option": _option(element, choice)}
    if kind in {"checkboxes", "multi_static_select", "multi_external_select"}:
        return {"selected_options": [_option(element, value) for value in (choice or "").split(",") if value]}
    if kind.startswith("multi_"):
        what = kind.removeprefix("multi_").removesuffix("_select")
        return {f"selected_{what}": [value for value in (choice or "").split(",") if value]}
    pickers = {"users_select": "selected_user", "conversations_select": "selected_conversation"}
    pickers |= {"channels_select": "selected_channel", "datepicker": "selected_date", "timepicker": "selected_time"}
    return {pickers.get(kind, "value"): choice}


def _option(element: JsonObject, value: str | None) -> JsonObject | None:
    if value is None:
        return None
    groups = element.get("option_groups") or [{"options": element.get("options", [])}]
    options = [option for group in groups for option in group["options"]]
    for option in options:
        if option["value"] == value:
            chosen: JsonObject = option
            return chosen
    if element["type"].endswith("external_select"):
        return {"text": {"type": "plain_text", "text": value}, "value": value}
    raise LookupError(f"no option {value!r} among {[option['value'] for option in options]}")
