"""Opsgenie's and Jira Service Management's alert messages: `New alert: "..." #55`, `Alert closed: ...`."""

import re
from typing import Final

from bot.alerts.alert import Status
from bot.alerts.labels import Labels
from bot.alerts.message import Message
from bot.alerts.senders.base import Reading, Sender, any_match, linked, named
from bot.alerts.titles import alert_identifier, read_subject

_NAME: Final = re.compile(r"^(?:opsgenie|jira service management|jsm\b)", re.IGNORECASE)
_LINKS: Final = re.compile(r"opsgenie\.com/alert|opsg\.in/|atlassian\.net/\S*alert", re.IGNORECASE)
_FIRES: Final = (
    r"new alert|alert (?:created|opened|acknowledged|snoozed|escalated|assigned|updated)|created alert|acknowledged|ack'?ed|snoozed"
    r"|escalated|assigned|un-?acknowledged|added (?:a )?(?:note|tag)|\bopen\b"
)
_ENDS: Final = (
    r"alert (?:is |was |has been )?(?:closed|resolved|auto-?closed)|closed alert|(?:auto-?)?closed|\bresolved\b"
)
_ACTION: Final = re.compile(rf"(?:(?P<ends>{_ENDS})|(?P<fires>{_FIRES}))", re.IGNORECASE)
_PREFIX: Final = re.compile(r"^\s*(?:#\d+\s+)?(?P<rest>.*?)\W*(?:#\d+)?\W*$")
_INTEGRATION: Final = re.compile(r"^\[[^\]:]{1,60}\]\s*:\s*")
_QUOTED: Final = re.compile(r"[\"“](?P<title>[^\"”]+)[\"”]")


def is_alert(message: Message) -> bool:
    """Its name or links, and what happened to an alert."""
    if not (named(message, _NAME) or linked(message, _LINKS)):
        return False
    return (
        any_match(_ACTION, (*message.at("text", "pretext", "title", "header", "fallback"), *message.at("body")))
        is not None
    )


def read(message: Message, labels: Labels) -> Reading:
    """What Opsgenie did goes before what its title says, which is that of the alert's beginning."""
    title = _title(message)
    acted = any_match(_ACTION, tuple(t.replace(title, " ") if title else t for t in _told(message)))
    status = Status.RESOLVED if acted and acted["ends"] else Status.FIRING
    subject = read_subject(title)
    if subject is not None:
        if acted is None and subject.status == "resolved":
            status = Status.RESOLVED
        name = labels.only("alertname") or subject.alertname or re.sub(r"\([^()]*\)\s*$", "", subject.rest).strip()
        return Reading(alertname=name, status=status, placed=subject.values)
    return Reading(alertname=labels.only("alertname") or alert_identifier(title) or title, status=status)


def _told(message: Message) -> tuple[str, ...]:
    return (*message.at("pretext", "text", "header"), *message.at("title", "fallback"), *message.at("body", "context"))


def _title(message: Message) -> str:
    for text in (*message.at("title"), *message.at("fallback", "text", "pretext", "header", "body")):
        quoted = _QUOTED.search(text)
        line = quoted["title"] if quoted else text.split("\n", 1)[0]
        if not quoted and text not in message.at("title", "header"):
            continue
        plain = _PREFIX.match(line)
        found = (plain["rest"] if plain else line).strip()
        if "(" in found and found.count("(") > found.count(")"):
            found += ")"  # the prefix pattern ends before punctuation
        if found:
            return _INTEGRATION.sub("", found)
    return ""


SENDER: Final = Sender(name="opsgenie", is_alert=is_alert, read=read)
