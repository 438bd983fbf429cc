"""Whom a text would ping and where its links lead, as Slack reads ``text``, blocks and attachments.

Rules: docs.slack.dev, messaging/formatting-message-text and the pages of the blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Ping:
    """A notification that a message sends: ``kind`` is user, usergroup, here, channel or everyone."""

    kind: str
    target: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link that a reader can follow; ``bare`` when Slack made it of a plain URL in the text."""

    url: str
    label: str
    pointer: str
    bare: bool = False

    @property
    def forged(self) -> bool:
        """True when the label shows the reader another host than the one it leads to."""
        shown = re.search(r"(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,})", self.label.lower())
        return bool(shown) and (urlsplit(self.url).hostname or "").removeprefix("www.") != (
            shown.group(1).removeprefix("www.") if shown else ""
        )


@dataclass(frozen=True, slots=True)
class Markup:
    """Everything in one message that reaches beyond its text."""

    pings: tuple[Ping, ...] = ()
    links: tuple[Link, ...] = ()


_CONTROL = re.compile(r"<([^<>\n]+)>")
_BARE = re.compile(r"https?://[^\s<>|`*_~\"']+")
_AT_NAME = re.compile(r"(?<![\w@<!])@(here|channel|everyone)\b")
_MARKDOWN_LINK = re.compile(r"\[([^\]]*)\]\((https?://[^)\s]+)\)")
_TEXTS = ("text", "pretext", "title", "fallback", "footer", "author_name", "value")


def read_message(text: str, blocks: object = None, attachments: object = None, *, names: bool = False) -> Markup:
    """What a message pings and links. ``names``: Slack was asked to turn plain ``@here`` and the like into pings."""
    found = [*_mrkdwn(text, "/text", names=names), *_walk(blocks, "/blocks")]
    for index, attachment in enumerate(attachments if isinstance(attachments, list) else []):
        found += _attachment(attachment, f"/attachments/{index}")
    return Markup(
        tuple(item for item in found if isinstance(item, Ping)),
        tuple(item for item in found if isinstance(item, Link)),
    )


def _attachment(attachment: dict[str, object], at: str) -> Iterator[Ping | Link]:
    yield from _walk(attachment.get("blocks"), f"{at}/blocks")
    for name in _TEXTS:
        yield from _mrkdwn(attachment.get(name), f"{at}/{name}")
    fields = attachment.get("fields")
    for index, field in enumerate(fields if isinstance(fields, list) else []):
        for name in ("title", "value"):
            yield from _mrkdwn(field.get(name), f"{at}/fields/{index}/{name}")
    if isinstance(attachment.get("title_link"), str):
        yield Link(str(attachment["title_link"]), str(attachment.get("title", "")), f"{at}/title_link")


def _walk(value: object, at: str) -> Iterator[Ping | Link]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{at}/{index}")
    elif isinstance(value, dict):
        yield from _typed(value, at)
        for name, inner in value.items():
            if isinstance(inner, dict | list):
                yield from _walk(inner, f"{at}/{name}")


def _typed(value: dict[str, object], at: str) -> Iterator[Ping | Link]:
    match value:
        case {"type": "mrkdwn", "text": text}:
            yield from _mrkdwn(text, f"{at}/text", verbatim=value.get("verbatim") is True)
        case {"type": "markdown", "text": text}:
            yield from _mrkdwn(_MARKDOWN_LINK.sub("", str(text)), f"{at}/text")
            yield from (Link(found[2], found[1], f"{at}/text") for found in _MARKDOWN_LINK.finditer(str(text)))
        case {"type": "user", "user_id": target}:
            yield Ping("user", str(target), at)
        case {"type": "usergroup", "usergroup_id": target}:
            yield Ping("usergroup", str(target), at)
        case {"type": "broadcast", "range": target}:
            yield Ping(str(target), "", at)
        case {"type": "link", "url": url}:
            yield Link(str(url), str(value.get("text", url)), at)
        case {"type": "button", "url": str(url), "text": {"text": label}}:
            yield Link(url, str(label), at)


def _mrkdwn(text: object, at: str, *, verbatim: bool = False, names: bool = False) -> Iterator[Ping | Link]:
    if not isinstance(text, str):
        return
    for found in _CONTROL.finditer(text):
        yield from _control(found[1], at)
    if not verbatim:
        plain = _CONTROL.sub(" ", text)
        yield from (Link(found[0], found[0], at, bare=True) for found in _BARE.finditer(plain))
    if names:
        yield from (Ping(found[1], "", at) for found in _AT_NAME.finditer(_CONTROL.sub(" ", text)))


def _control(inside: str, at: str) -> Iterator[Ping | Link]:
    body, _, label = inside.partition("|")
    match body[:1]:
        case "@":
            yield Ping("user", body[1:], at)
        case "!":
            command, _, target = body[1:].partition("^")
            if command == "subteam":
                yield Ping("usergroup", target, at)
            elif command == "date" and target.count("^") == 2:
                yield Link(target.rsplit("^", 1)[1], label, at)
            elif command in {"here", "channel", "everyone", "group"}:
                yield Ping("channel" if command == "group" else command, "", at)
        case "#":
            return
        case _:
            yield Link(body, label or body, at)


def unescape(text: str) -> str:
    """The characters that a reader sees for ``&amp;``, ``&lt;`` and ``&gt;``."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escape(text: str) -> str:
    """Slack's escaping of text that people type."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
