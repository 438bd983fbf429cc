"""PagerDuty's incident messages (support.pagerduty.com, Slack user guide): `Triggered: #123 <title of the incident>`.

The title is whatever the integration sent: often Alertmanager's subject line, or Datadog's.
"""

import re
from typing import Final

from bot.alerts.alert import Status
from bot.alerts.labels import Labels, add_tags
from bot.alerts.message import Message
from bot.alerts.senders.base import Reading, Sender, any_match, linked, named
from bot.alerts.titles import alert_identifier, read_subject

_NAME: Final = re.compile(r"^pager ?duty\b", re.IGNORECASE)
_LINKS: Final = re.compile(r"pagerduty\.com/(?:incidents|alerts)/", re.IGNORECASE)
_STATE: Final = re.compile(
    r"\b(?:(?P<ends>resolved|auto-resolved)|(?P<fires>triggered|acknowledged|unacknowledged|re-?opened|escalated|reassigned|delegated|snoozed|open))\b",
    re.IGNORECASE,
)
_INCIDENT: Final = re.compile(
    r"(?:#|\bincident\s+#?)(?P<number>\d+)\*?(?:\s|[|:*>\-–\]])+"
    r"(?:(?:was |has been )?(?:triggered|acknowledged|resolved|escalated|reassigned|snoozed)(?: by [^:\n]{1,60})?:\s*)?(?P<title>[^\n]+)",
    re.IGNORECASE,
)
_INNER: Final = re.compile(
    r"^\W*\[?\s*(?:triggered|recovered|warn|no data|alerting|ok)\b(?:\s+on\s+\{[^}]*\})?\s*[\]:]\s*", re.IGNORECASE
)


def is_alert(message: Message) -> bool:
    """Its name or a link to an incident, an incident's number, and a state."""
    if not (named(message, _NAME) or linked(message, _LINKS)):
        return False
    texts = (*message.headings, *message.at("body"))
    return any_match(_STATE, texts) is not None and _title(message) != ""


def read(message: Message, labels: Labels) -> Reading:
    """PagerDuty's own state goes before the one in the incident's title, which is that of its beginning."""
    title = _title(message)
    texts = [text.replace(title, " ") for text in (*message.headings, *message.at("body", "field", "context"))]
    state = any_match(_STATE, tuple(texts))
    status = Status.RESOLVED if state and state["ends"] else Status.FIRING
    subject = read_subject(title)
    if subject is not None:
        name = labels.only("alertname") or subject.alertname or re.sub(r"\([^()]*\)\s*$", "", subject.rest).strip()
        return Reading(alertname=name, status=status, placed=subject.values)
    add_tags(labels, title if "{" in title else "")
    plain = _INNER.sub("", title).strip()
    return Reading(alertname=labels.only("alertname") or alert_identifier(plain) or plain, status=status)


def _title(message: Message) -> str:
    found = any_match(_INCIDENT, (*message.headings, *message.at("body")))
    if found is not None:
        return str(found["title"]).strip(" *|")
    return next((h for h in (*message.headings, *message.at("body")) if read_subject(h)), "")


SENDER: Final = Sender(name="pagerduty", is_alert=is_alert, read=read)
