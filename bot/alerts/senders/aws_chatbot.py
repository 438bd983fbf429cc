"""CloudWatch alarms through Amazon Q Developer in chat applications (AWS Chatbot), or a Lambda such as aws-notify-slack."""

import re
from typing import Final

from bot.alerts.alert import Status
from bot.alerts.labels import Labels
from bot.alerts.message import Message
from bot.alerts.senders.base import Reading, Sender, any_match, linked, named

_NAME: Final = re.compile(r"^(?:aws ?chatbot|aws\b|amazon q\b|cloudwatch)", re.IGNORECASE)
_APPS: Final = frozenset({"A6L22LZNH"})
_LINKS: Final = re.compile(r"console\.aws\.amazon\.com/cloudwatch|#alarmsV2:", re.IGNORECASE)
_TITLE: Final = re.compile(r"CloudWatch Alarm\s*\|\s*(?P<name>[^|\n]+?)\s*(?:\||$)", re.IGNORECASE)
_NAMED: Final = re.compile(
    r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\b\s*[:|]\s*[\"“`]?(?P<name>[^\"”`|\n]+?)[\"”`]?\s*(?:\bin\b|\||$)"
)
_LABELLED: Final = re.compile(r"Alarm(?:\s+|_)?Name\W*[:=]?\W*\n?\s*(?P<name>[^\n*]+)", re.IGNORECASE)
_BY_LINK: Final = re.compile(
    r"#?alarmsV2:alarm/(?P<name>[^?&/#]+)|[#;]name=(?P<old>[^;&]+)|alarm[=/](?P<older>[\w.-]+)", re.IGNORECASE
)
_TRANSITION: Final = re.compile(
    r"(?:OK|ALARM|INSUFFICIENT[_ ]DATA)\s*(?:->|→|to)\s*(?P<state>OK|ALARM|INSUFFICIENT[_ ]DATA)"
)
_STATE: Final = re.compile(
    r"\b(?:Current\s*State|New\s*State(?:\s*Value)?|State|Alarm\s*State)\b\W*\n?\s*(?P<state>OK|ALARM|INSUFFICIENT[_ ]DATA)\b",
    re.IGNORECASE,
)
_ENTERED: Final = re.compile(
    r"(?:entered|in|is now in)\s+(?:the\s+)?[\"“`*]?(?P<state>OK|ALARM|INSUFFICIENT[_ ]DATA)\b"
)
_SPOT: Final = re.compile(r"EC2 (?:Spot )?Instance (?:Interruption|Rebalance|State)[\w\s-]*", re.IGNORECASE)


def is_alert(message: Message) -> bool:
    """Its name, app or console links, and an alarm (pipelines, budgets and the like are none)."""
    its = named(message, _NAME) or message.app_id in _APPS or linked(message, _LINKS)
    texts = _texts(message)
    alarm = (
        any_match(_TITLE, texts) or any_match(_NAMED, texts) or any_match(_LABELLED, texts) or linked(message, _BY_LINK)
    )
    return bool(
        its
        and (
            alarm
            or any(name.strip("* ").lower() == "alarm name" for name, _ in message.fields)
            or any_match(_SPOT, message.headings)
        )
    )


def read(message: Message, labels: Labels) -> Reading:
    """Alarm name and state; the dimensions come as labels."""
    texts = _texts(message)
    found = any_match(_TITLE, texts) or any_match(_LABELLED, texts) or any_match(_NAMED, texts)
    name = labels.first("alertname").strip('*` "') or (found["name"].strip('*` "') if found else "")
    if not name:
        by_link = next((m for link in message.links if (m := _BY_LINK.search(link))), None)
        name = next(filter(None, by_link.groups()), "") if by_link else ""
    spot = any_match(_SPOT, message.headings)
    return Reading(alertname=name or (spot[0].strip() if spot else ""), status=_status(message, texts))


def _texts(message: Message) -> tuple[str, ...]:
    return (*message.headings, *message.at("body", "field", "text", "context"))


def _status(message: Message, texts: tuple[str, ...]) -> Status:
    fields = {name.strip("*: ").lower(): value.strip("*` ") for name, value in message.fields}
    state = next(
        (fields[name] for name in ("current state", "new state", "state", "alarm state") if name in fields), ""
    )
    if not state:
        found = (
            any_match(_STATE, texts)
            or any_match(_TRANSITION, texts)
            or any_match(_ENTERED, texts)
            or any_match(_LEADING, texts)
        )
        state = found["state"] if found else ""
    return Status.RESOLVED if state.upper() == "OK" else Status.FIRING


_LEADING: Final = re.compile(r"^\W*(?P<state>OK|ALARM|INSUFFICIENT[_ ]DATA)\s*[:|]")
SENDER: Final = Sender(name="aws-chatbot", is_alert=is_alert, read=read)
