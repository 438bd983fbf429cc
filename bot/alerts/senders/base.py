"""What a sender's file says: how its messages are known, and how its headings are read. Everything else is common."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.alerts.alert import Status
from bot.alerts.labels import Labels
from bot.alerts.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a sender's headings say. `placed`: label values by position; `cluster`: where only the layout tells it."""

    alertname: str = ""
    status: Status | None = None
    placed: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    alternatives: bool = False
    """Several alerts in one message: no single name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One sender. `is_alert`: is this message one of its alerts; `read`: its headings, with the labels found so far."""

    name: str
    is_alert: Callable[[Message], bool]
    read: Callable[[Message, Labels], Reading]


def any_match(pattern: re.Pattern[str], texts: tuple[str, ...]) -> re.Match[str] | None:
    """The first text's match."""
    return next((found for text in texts if (found := pattern.search(text))), None)


def named(message: Message, pattern: re.Pattern[str]) -> bool:
    """Whether the sender calls itself so."""
    return bool(pattern.search(message.sender_name))


def linked(message: Message, pattern: re.Pattern[str]) -> bool:
    """Whether one of the message's links points there."""
    return any(pattern.search(link) for link in message.links)
