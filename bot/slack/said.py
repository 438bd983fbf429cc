"""The words of a Slack message, whoever wrote it and however: text, blocks, attachments -> plain lines. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from typing import Any, Final

LONGEST: Final = 40_000
"""Characters that are read of one message; Slack takes no longer text."""
_LINK: Final = re.compile(r"<([^<>|\n]*)(?:\|([^<>\n]*))?>")
_TEXTS: Final = ("pretext", "title", "text", "fallback", "value", "footer")


def message_text(message: Mapping[str, Any]) -> str:
    """What a reader sees of the message, each part once, markup taken off. Never raises, whatever Slack sends."""
    parts = dict.fromkeys(part for part in map(_plain, _parts(message)) if part)
    whole = [part for part in parts if not any(part != other and part in other for other in parts)]
    return "\n".join(whole)[:LONGEST]


def _parts(message: Mapping[str, Any]) -> Iterator[str]:
    yield str(message.get("text") or "")
    yield from _blocks(message.get("blocks"))
    for attachment in _objects(message.get("attachments")):
        yield from (str(attachment.get(name) or "") for name in _TEXTS)
        yield from _blocks(attachment.get("blocks"))
        for field in _objects(attachment.get("fields")):
            yield f"{field.get('title') or ''}: {field.get('value') or ''}"


def _blocks(value: object) -> Iterator[str]:
    """Every text in blocks. Rich text comes in runs, of which a line is made."""
    for block in _objects(value):
        if block.get("type") == "rich_text":
            yield "\n".join("".join(_runs(section)) for section in _objects(block.get("elements")))
        else:
            yield from _texts(block)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "text" and isinstance(inner, str):
                yield inner
            elif name not in ("accessory", "actions"):
                yield from _texts(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _texts(inner)


def _runs(element: Mapping[str, Any]) -> Iterator[str]:
    """The runs of a piece of rich text; an item of a list begins a line."""
    for run in _objects(element.get("elements")):
        if run.get("type") == "rich_text_section":
            yield "\n"
            yield from _runs(run)
        else:
            yield str(run.get("text") or run.get("url") or "")


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from (one for one in value if isinstance(one, Mapping))


def _plain(text: str) -> str:
    """Links by their labels, mentions gone, entities undone (docs.slack.dev, formatting message text)."""

    def words(found: re.Match[str]) -> str:
        target, label = found.groups()
        return "" if target.startswith(("@", "!", "#")) else label or target

    return unescape(_LINK.sub(words, text)).replace("```", "").strip()
