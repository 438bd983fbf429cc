"""Is this Slack message an alert, whose, about what, and which question does it ask? Pure; never raises on any event.

`senders/` has one file a sender; `message` reads Slack's layouts, `labels` and `titles` the values in them, `subjects`
leaves the exporter's own names out, `asking` has the table of questions, `pasted` what people paste.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.alerts.alert import Alert, Question, Status, Subject, as_json
from bot.alerts.asking import question_of
from bot.alerts.labels import Labels, counted_pods, read_labels, read_sentences
from bot.alerts.message import Message, read_message
from bot.alerts.names import canonical
from bot.alerts.pasted import recognise_paste
from bot.alerts.senders import SENDERS, Reading, Sender
from bot.alerts.subjects import Sources, subject_of

__all__ = ["Alert", "Question", "Status", "Subject", "as_json", "of_labels", "recognise", "recognise_quoted"]

_MENTION = re.compile(r"<@[A-Z0-9]+(?:\|[^<>]*)?>")
_LONGEST_VALUE = 500
_LONGEST_TEXT = 4_000


def recognise(event: Mapping[str, Any]) -> Alert | None:
    """The alert in a message event, None for every other message."""
    message = read_message(event)
    if message is None or message.shared:
        return None
    if not message.by_bot:
        return recognise_paste(message)
    return next((_alert(sender, message) for sender in SENDERS if sender.is_alert(message)), None)


def recognise_quoted(event: Mapping[str, Any]) -> Alert | None:
    """The alert in what a person gives to the bot: a paste, the text of an alert, a message that was shared."""
    text = _MENTION.sub(" ", str(event.get("text") or "")).strip()
    first, _, rest = text.partition("\n")
    shared = event.get("attachments")
    attachments = [
        {name: value for name, value in one.items() if name not in ("is_msg_unfurl", "is_share")}
        for one in (shared if isinstance(shared, list) else ())
        if isinstance(one, Mapping)
    ]
    told = {"title": first.strip("` "), "text": rest, "fallback": first.strip("` ")} if text else {}
    as_sent = {"type": "message", "bot_id": "quoted", "attachments": [told, *attachments]}
    return recognise({**event, "text": text}) or recognise(as_sent)


def of_labels(labels: Mapping[str, str], annotations: Mapping[str, str], status: Status) -> Alert:
    """An alert that comes with its labels by name, as Alertmanager's webhook sends it."""
    read = Labels()
    for name, value in labels.items():
        if known := canonical(name):
            read.add(known, value[:_LONGEST_VALUE])
    told = tuple(value[:_LONGEST_TEXT] for value in annotations.values())
    name = labels.get("alertname", "")[:_LONGEST_VALUE]
    question = question_of(name, "\n".join(told))
    sources = Sources(labelled=read, said=read_sentences(told), alertname=name)
    subject = subject_of(sources, question)
    if question is Question.NODEPOOL and subject.nodeclaim:
        question, subject = Question.WHY_NODE, subject_of(sources, Question.WHY_NODE)
    return Alert(sender="alertmanager", subject=subject, alertname=name, status=status, question=question)


def _alert(sender: Sender, message: Message) -> Alert:
    labels = read_labels(message, firing=False)
    reading = sender.read(message, labels)
    if reading.status is Status.FIRING:  # what is resolved in a mixed message is no part of what fires
        labels = read_labels(message, firing=True)
        reading = sender.read(message, labels)
    said = read_sentences(_sentences(message))
    question = _question(message, reading, labels)
    sources = Sources(labelled=labels, said=said, placed=reading.placed, alertname=reading.alertname)
    subject = subject_of(sources, question)
    if question is Question.NODEPOOL and subject.nodeclaim:
        question = Question.WHY_NODE  # a NodeClaim that does not come is a node's story
        subject = subject_of(sources, question)
    if reading.cluster and not subject.cluster:
        subject = replace(subject, cluster=reading.cluster)
    return Alert(
        sender=sender.name,
        subject=subject,
        alertname=reading.alertname,
        status=reading.status,
        question=question,
        count=counted_pods((*message.headings, *message.at("body", "text", "field"))),
    )


def _question(message: Message, reading: Reading, labels: Labels) -> Question | None:
    said = "\n".join((*message.headings, message.whole))
    names = labels.all("alertname") if reading.alternatives else [reading.alertname or labels.first("finding")]
    asked = {question_of(name, said if len(names) == 1 else "") for name in names}
    return next((question for question in Question if question in asked), None)


def _sentences(message: Message) -> tuple[str, ...]:
    """Where sentences stand: all but titles in Alertmanager's form, whose values have positions instead."""
    return (
        *message.at("text", "header", "title", "pretext", "body", "field", "context"),
        *(v for _, v in message.fields),
    )
