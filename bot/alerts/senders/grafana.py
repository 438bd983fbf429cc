"""Grafana Alerting's Slack contact point (grafana/alerting: receivers/slack, templates default.tmpl), and legacy alerts."""

import re
from typing import Final

from bot.alerts.alert import Status
from bot.alerts.labels import Labels
from bot.alerts.message import Message
from bot.alerts.senders.base import Reading, Sender, any_match, linked, named
from bot.alerts.statuses import is_green, status_in
from bot.alerts.titles import read_subject

_NAME: Final = re.compile(r"^grafana\b", re.IGNORECASE)
_OTHERS: Final = re.compile(r"alert-?manager|prometheus|vmalert", re.IGNORECASE)
"""Who calls itself so only links to a dashboard."""
_LINKS: Final = re.compile(
    r"/alerting/(?:list|silence|grafana)|grafana[^/]*/(?:d|alerting)/|[?&]matcher=|orgId=\d+", re.IGNORECASE
)
_FOOTER: Final = re.compile(r"^Grafana v\d", re.IGNORECASE)
_TITLE: Final = re.compile(
    r"\[\s*(?:FIRING|RESOLVED|Alerting|OK|No Data|Pending|Normal|Error)\b[^\]]*\]", re.IGNORECASE
)
_SECTION: Final = re.compile(r"^\*{1,2}(?:Firing|Resolved)\*{1,2}\s*$", re.MULTILINE)


def is_alert(message: Message) -> bool:
    """Its footer, name or links, and a status in the title (or its Firing/Resolved sections)."""
    own = named(message, _NAME) or any_match(_FOOTER, message.at("footer", "context")) is not None
    its = own or (linked(message, _LINKS) and not named(message, _OTHERS))
    shaped = any_match(_TITLE, message.headings) or any_match(_SECTION, message.at("body", "text"))
    return bool(its and shaped)


def read(message: Message, labels: Labels) -> Reading:
    """The rule's name may have spaces, and its folder follows it in the title: the label says where it ends."""
    subjects = [subject for heading in message.headings if (subject := read_subject(heading))]
    names = list(dict.fromkeys(value.strip("`'\" ") for value in labels.all("alertname")))
    status = status_in(message.headings) or (Status.RESOLVED if is_green(message) else Status.FIRING)
    if subjects:
        status = Status.FIRING if any(s.status == "firing" for s in subjects) else Status.RESOLVED
    placed = dict(subjects[0].values) if subjects else {}
    if len(names) > 1:
        return Reading(status=status, placed=placed, alternatives=True)
    name = names[0] if names else _of_title(message, labels)
    return Reading(alertname=name, status=status, placed=placed)


def _of_title(message: Message, labels: Labels) -> str:
    title = next((h for h in message.headings if _TITLE.search(h)), "")
    plain = re.sub(r"\([^()]*\)\s*$", "", _TITLE.sub("", title).split(" | ", 1)[0])
    name = " ".join(plain.split())
    folder = labels.first("grafana_folder")
    return name.removesuffix(folder).strip() if folder else name


SENDER: Final = Sender(name="grafana", is_alert=is_alert, read=read)
