"""Datadog's monitor notifications: `[Triggered on {tag:value,...}] Monitor name`, tags as a list (docs: monitors/notify)."""

import re
from typing import Final

from bot.alerts.alert import Status
from bot.alerts.labels import Labels, add_tags
from bot.alerts.message import Message
from bot.alerts.senders.base import Reading, Sender, any_match, linked, named

_NAME: Final = re.compile(r"^datadog\b", re.IGNORECASE)
_LINKS: Final = re.compile(r"(?:datadoghq\.(?:com|eu)|ddog-gov\.com)/(?:monitors|event|dashboard)", re.IGNORECASE)
_FIRES: Final = r"(?:re-?)?triggered|re-?notify|renotified|warn(?:ing)?|no data|alert"
_ENDS: Final = r"(?:re)?covered|recovered|resolved|ok|back to normal"
_TITLE: Final = re.compile(
    rf"^\W*(?:\[?P[1-5]\]?\s*)?(?:\[Monitor Alert\]\s*)?(?:\[TEST\]\s*)?\[?\s*(?:(?P<fires>{_FIRES})|(?P<ends>{_ENDS}))\b"
    r"(?:\s+on\s+(?P<scope>\{[^}]*\}?|[^\]:]+))?\s*(?:\]|:)\s*(?P<name>.*)$",
    re.IGNORECASE,
)
_SCOPE_AT_END: Final = re.compile(r"\s+(?:on|for)\s+(?:\{[^}]*\}?|\w+:[\w.,:/ -]+)\s*$")
_PRIORITY: Final = re.compile(r"^\[?P[1-5]\]?\s+")


def is_alert(message: Message) -> bool:
    """Its name or a link to a monitor, and a title with a transition in it."""
    return (named(message, _NAME) or linked(message, _LINKS)) and any_match(_TITLE, message.headings) is not None


def read(message: Message, labels: Labels) -> Reading:
    """The transition, the monitor's name, the tags of the group."""
    found = any_match(_TITLE, message.headings)
    if found is None:
        return Reading()
    at_end = _SCOPE_AT_END.search(found["name"])
    add_tags(labels, f"{found['scope'] or ''} {at_end[0] if at_end else ''}")
    name = _PRIORITY.sub("", _SCOPE_AT_END.sub("", found["name"].strip()).strip("[] "))
    name = re.sub(r"^\[(?:TEST|P[1-5])\]\s*", "", name)
    return Reading(alertname=name, status=Status.RESOLVED if found["ends"] else Status.FIRING)


SENDER: Final = Sender(name="datadog", is_alert=is_alert, read=read)
