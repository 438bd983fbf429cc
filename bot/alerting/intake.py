"""A message event -> an alert that waits in the store, once, before Slack is told that it arrived."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import msgspec

from bot.alerts import Alert, recognise, recognise_quoted
from bot.alerts.message import read_message
from bot.alerts.owners import fingerprint_of
from bot.slack.floor import Payload, Self
from bot.slack.questions import NotUnderstood, parse_command
from bot.store import Store, incidents

PASTE: Final = "human-paste"
LONGEST_PASTE: Final = 12_000


def heard(event: Payload, me: Self) -> tuple[str, str, dict[str, Any]] | None:
    """What to keep of an event: its id, its channel, its body; None for what is no alert to be answered.

    Never the bot's own words, never what bots reply in threads (two bots would talk for ever). Of what people say to the
    bot itself only pastes: commands are others' business.
    """
    changed = event.get("subtype") == "message_changed"
    message = event.get("message") if changed else event
    if not isinstance(message, Mapping) or _own(message, me):
        return None
    ts, thread = str(message.get("ts") or ""), str(message.get("thread_ts") or "")
    channel = str(event.get("channel") or "")
    in_thread = bool(thread) and thread != ts
    spoken = event.get("channel_type") == "im" or _addressed(message, me)
    if not ts or not channel or (spoken and (message.get("bot_id") or _understood(message))):
        return None
    alert = recognise_quoted(event) if spoken else recognise(event)
    if alert is None or alert.question is None:
        return None
    given = spoken or alert.sender == PASTE
    if changed if given else in_thread:
        return None
    body = body_of(alert, f"{channel}:{ts}")
    body |= {"thread_ts": thread if in_thread else ts, "changed": changed, "sent": _moment(ts)}
    if given:
        read = read_message(event)
        text = "\n".join(read.at("text"))[:LONGEST_PASTE] if read else ""
        body |= {"text": text or alert.alertname, "user": str(message.get("user") or "")}
        body["fingerprint"] = hashlib.sha256(f"given\0{channel}:{ts}".encode()).hexdigest()[:40]
    # an edit is another delivery only where it says something else
    version = hashlib.sha256(msgspec.json.encode(body["alert"])).hexdigest()[:16] if changed else "new"
    return f"{channel}:{ts}:{version}", channel, body


def _own(message: Mapping[str, Any], me: Self) -> bool:
    return bool(message.get("bot_id") and message.get("bot_id") == me.bot_id) or bool(
        message.get("user") and message.get("user") == me.user_id
    )


def _addressed(message: Mapping[str, Any], me: Self) -> bool:
    """Whether the bot is mentioned."""
    return bool(me.user_id) and f"<@{me.user_id}" in str(message.get("text") or "")


def _understood(message: Mapping[str, Any]) -> bool:
    """Whether it is a command, which the listeners answer."""
    return not isinstance(parse_command(str(message.get("text") or "")), NotUnderstood)


def body_of(alert: Alert, message: str) -> dict[str, Any]:
    """An alert as plain JSON."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(asdict(alert)))
    return {"alert": plain, "fingerprint": fingerprint_of(alert, message)}


def alert_of(body: Mapping[str, Any]) -> Alert:
    """The alert again."""
    return msgspec.convert(body["alert"], Alert)


def _moment(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        return 0.0


async def keep(store: Store, event: Payload, me: Self, now: datetime) -> bool:
    """Keeps the event's alert, if it is one; True when it is new. Raises StoreUnavailable."""
    found = heard(event, me)
    if found is None:
        return False
    item, channel, body = found
    return await incidents.put(store, item, channel, body, now)
