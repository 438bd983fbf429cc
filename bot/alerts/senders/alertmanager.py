"""Alertmanager's Slack receiver: its default template, kube-prometheus-stack's, and whatever a team has written instead.

Layouts: alertmanager template/default.tmpl; kube-prometheus-stack values.yaml (commented example); prometheus.io,
notification examples; the templates of Monzo and of hodovi.cc. Custom templates share only the labels and the links.
"""

import re
from typing import Final

from bot.alerts.alert import Status
from bot.alerts.asking import is_shipped
from bot.alerts.labels import Labels
from bot.alerts.message import Message
from bot.alerts.senders.base import Reading, Sender, any_match, linked, named
from bot.alerts.statuses import is_green, status_in, status_word
from bot.alerts.titles import STATUS_BRACKET, Subject, alert_identifier, read_subject

_NAMES: Final = re.compile(r"alert-?manager|prometheus|알림|알람|경보|アラート|告警|alert", re.IGNORECASE)
_LINKS: Final = re.compile(r"/#/(?:alerts|silences)|/graph\?g0\.expr|/api/v2/alerts|alertmanager", re.IGNORECASE)
_HEADING: Final = re.compile(r"^\W*(?:\w+\W+)?(?:FIRING|RESOLVED)\b", re.IGNORECASE)
_BRACKETED: Final = re.compile(r"\[[^\]]{1,40}\]")
_OTHERS: Final = re.compile(
    r"^(?:git(?:hub|lab|ea)|bitbucket|jira|confluence|linear|notion|asana|trello|jenkins|circleci|argo ?cd|flux|renovate|dependabot"
    r"|atlantis|terraform|spinnaker|sentry|statuspage|slackbot|geekbot|polly|zoom|google|karpenter-bot)\b",
    re.IGNORECASE,
)
"""Bots that quote alerts in titles of their own and send none."""
_LABELLED: Final = re.compile(r"^\W*alert ?name\W*[:=]", re.IGNORECASE | re.MULTILINE)


def is_alert(message: Message) -> bool:
    """A bracketed status; else two of: its name, its links, a status, an alert's name."""
    headings = message.headings
    if named(message, _OTHERS):
        return False
    if any_match(STATUS_BRACKET, headings) or any_match(STATUS_BRACKET, message.at("body", "context")):
        return True
    signs = (
        named(message, _NAMES),
        linked(message, _LINKS),
        bool(any_match(_HEADING, headings))
        or (bool(any_match(_BRACKETED, headings)) and status_in(headings) is not None),
        any(is_shipped(alert_identifier(heading)) for heading in headings),
        bool(any_match(_LABELLED, message.at("text", "body", "field"))),
    )
    return sum(signs) >= 2 and (any(signs[2:]) or linked(message, _LINKS))


def read(message: Message, labels: Labels) -> Reading:
    """Name, status and positions out of the title; labels with names go before."""
    subjects = [subject for heading in message.headings if (subject := read_subject(heading))]
    said = _status(message, labels, subjects)
    names = _names(labels)
    if len(names) > 1 and not (subjects and subjects[0].alertname in names):
        return Reading(status=said, placed=_placed(subjects), alternatives=True)
    name = names[0] if len(names) == 1 else next((s.alertname for s in subjects if s.alertname), "")
    name = name or next(filter(None, map(alert_identifier, message.headings)), "") or _shipped(message)
    name = name or _free_name(message)
    name = name or next(filter(None, map(alert_identifier, labels.all("alert"))), "")
    return Reading(alertname=name, status=said, placed=_placed(subjects))


def _shipped(message: Message) -> str:
    """A shipped alert's name that stands in the text alone."""
    lines = (line for text in message.at("text", "body", "field") for line in text.split("\n")[:100])
    return next((name for name in map(alert_identifier, lines) if is_shipped(name)), "")


def _names(labels: Labels) -> list[str]:
    named = [value.strip("`'\" ") for value in labels.all("alertname")]
    return list(dict.fromkeys(named)) or list(dict.fromkeys(n for n in labels.all("link:alertname") if n))[:1]


def _placed(subjects: list[Subject]) -> dict[str, str]:
    placed: dict[str, str] = {}
    for subject in reversed(subjects):  # the title goes before the fallback, which may have more
        placed |= subject.values
    return placed


def _status(message: Message, labels: Labels, subjects: list[Subject]) -> Status | None:
    brackets = {subject.status for subject in subjects}
    if brackets:
        return Status.FIRING if "firing" in brackets else Status.RESOLVED
    said = status_in(message.headings) or next(filter(None, map(status_word, labels.all("status"))), None)
    if said is None:
        inner = any_match(STATUS_BRACKET, message.at("body"))
        said = Status(inner["status"].lower()) if inner else None
    if said is None or (said is Status.FIRING and _only_resolved(message)):
        return Status.RESOLVED if is_green(message) else Status.FIRING
    return said


def _only_resolved(message: Message) -> bool:
    """A heading such as "Alert resolved" begins with a word for firing."""
    return is_green(message) and any("resolv" in heading.lower() for heading in message.headings)


def _free_name(message: Message) -> str:
    """A title in somebody's own words, without status, emoji and what stands in parentheses."""
    title = next(iter(message.at("title", "header")), "") or next(iter(message.headings), "")
    plain = _BRACKETED.sub(" ", title.split(" | ", 1)[0])
    plain = re.sub(r"(?i)^\W*(?:firing|resolved|alert)\b\W*(?:\d+\b)?", " ", plain)
    plain = re.sub(r"\([^()]*\)\s*$", " ", plain)
    return " ".join(plain.strip(" \t:|-–—🔥🚨✅⚠️").split())[:200]


SENDER: Final = Sender(name="alertmanager", is_alert=is_alert, read=read)
