"""Robusta's findings (robusta: integrations/slack/sender.py, classic and preview): `*Source:* `cluster``, `● label `value``."""

import re
from typing import Final

from bot.alerts.alert import Status
from bot.alerts.asking import is_shipped
from bot.alerts.labels import Labels
from bot.alerts.message import Message
from bot.alerts.names import CLUSTER, name_in
from bot.alerts.senders.base import Reading, Sender, any_match, linked, named
from bot.alerts.titles import alert_identifier

_NAME: Final = re.compile(r"^robusta\b", re.IGNORECASE)
_LINKS: Final = re.compile(r"platform\.robusta\.dev", re.IGNORECASE)
_LAYOUT: Final = re.compile(
    r"\*?Source:?\*?\s*`[^`]+`|Prometheus (?:Alert Firing|resolved)|K8s event detected|Alert (?:firing|resolved)|`(?:firing|resolved)`",
    re.IGNORECASE,
)
_SOURCE: Final = re.compile(r"\*?Source:?\*?\s*`(?P<cluster>[^`]+)`", re.IGNORECASE)
_RESOURCE: Final = re.compile(
    r"\b(?P<kind>Pod|Node|Job|NodeClaim|Deployment|StatefulSet|DaemonSet)/(?:(?P<namespace>[a-z0-9-]+)/)?(?P<name>[a-z0-9][-.a-z0-9]*)"
)
_RESOLVED: Final = re.compile(r"^\W*\[RESOLVED\]|Prometheus resolved|`resolved`|Alert resolved", re.IGNORECASE)
_KINDS: Final = {"Pod": "pod", "Node": "node", "Job": "job_name", "NodeClaim": "nodeclaim"}


def is_alert(message: Message) -> bool:
    """Its name or links, and a finding's source line or status line."""
    its = named(message, _NAME) or linked(message, _LINKS)
    return bool(its and any_match(_LAYOUT, (*message.at("body", "field", "header", "text", "context"),)))


def read(message: Message, labels: Labels) -> Reading:
    """The cluster behind "Source", the resource path, the status; a finding that is no Prometheus alert has no name."""
    texts = message.at("body", "field", "header", "text", "context", "title")
    source = any_match(_SOURCE, texts)
    path = any_match(_RESOURCE, texts)
    if path is not None:
        labels.add(_KINDS.get(path["kind"], path["kind"].lower()), path["name"])
        if path["namespace"]:
            labels.add("namespace", path["namespace"])
    ends = any_match(_RESOLVED, (*message.headings, *texts))
    prometheus = labels.only("alertname")
    identifier = next(filter(None, map(alert_identifier, message.headings)), "")
    name = prometheus or (identifier if is_shipped(identifier) or any_match(re.compile("Prometheus"), texts) else "")
    return Reading(
        alertname=name,
        status=Status.RESOLVED if ends else Status.FIRING,
        cluster=name_in(source["cluster"], CLUSTER) if source else "",
    )


SENDER: Final = Sender(name="robusta", is_alert=is_alert, read=read)
