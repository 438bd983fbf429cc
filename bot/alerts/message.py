"""A Slack message event -> what a reader sees in it: passages in reading order, links, who sent it. Never raises."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_plus

LONGEST: Final = 20_000
"""Characters of one passage that are read; no sender writes more, and Slack cuts at 40,000."""
MOST_PASSAGES: Final = 400
DEEPEST: Final = 12

# docs.slack.dev, formatting message text: <https://url|label>, <!date^..|fallback>, <@U1>, <#C1|name>
_LINK: Final = re.compile(r"<([^<>|\n]*)(?:\|([^<>\n]*))?>")
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_EMOJI_CODE: Final = re.compile(r"(?<![\w:]):(?=[a-z0-9_+'-]*[a-z])[a-z0-9_+'-]{1,60}:(?:skin-tone-\d:)?")
_BARE_URL: Final = re.compile(r"https?://[^\s<>|`]+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the message. `place`: text, title, pretext, body, field, fallback, footer, header, context or code."""

    place: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is in a message, cleaned: entities undone, links reduced to their label, invisible marks gone."""

    by_bot: bool
    sender_name: str = ""
    app_id: str = ""
    passages: tuple[Passage, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    links: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    shared: bool = False

    def at(self, *places: str) -> tuple[str, ...]:
        """The texts of these places, in the order of the message."""
        return tuple(p.text for p in self.passages if p.place in places)

    @property
    def headings(self) -> tuple[str, ...]:
        """What stands at the top of it, most telling first: titles, headers, the text's first line, then fallbacks."""
        first = tuple(text.split("\n", 1)[0] for text in self.at("text"))
        return (*self.at("title", "header"), *self.at("pretext"), *first, *self.at("fallback"))

    @property
    def whole(self) -> str:
        """All that is said in it, once, without fallbacks (which repeat)."""
        said = [p.text for p in self.passages if p.place != "fallback"]
        said += [f"{name}: {value}" for name, value in self.fields]
        return "\n".join(dict.fromkeys(said))


@dataclass(slots=True)
class _Reader:
    passages: list[Passage] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)

    def add(self, place: str, value: Any, *, escaped: bool = True) -> None:  # noqa: ANN401 (Slack's JSON)
        """Takes a text of whatever kind."""
        text = self.cleaned(value, escaped=escaped)
        if text.strip() and len(self.passages) < MOST_PASSAGES:
            self.passages.append(Passage(place, text.strip()))

    def cleaned(self, value: Any, *, escaped: bool = True) -> str:  # noqa: ANN401
        """The text as it reads; its URLs go to the links."""
        text = value[:LONGEST] if isinstance(value, str) else ""
        if escaped:
            text = _LINK.sub(self._label, text)
            for entity, character in _ENTITIES:
                text = text.replace(entity, character)
        text = _BARE_URL.sub(self._url, text)
        return _EMOJI_CODE.sub(" ", visible(text))

    def link(self, value: Any) -> None:  # noqa: ANN401
        """Takes a URL, decoded."""
        if isinstance(value, str) and value:
            self.links.append(unquote_plus(value[:4_000].replace("&amp;", "&")))

    def _label(self, match: re.Match[str]) -> str:
        target, label = match.groups()
        if target.startswith(("http://", "https://", "mailto:")):
            self.link(target)
            return label if label and not label.startswith("http") else " "
        if target.startswith("!date"):
            return label or ""
        if target.startswith(("@", "!", "#")):
            return f" {label or ''} "
        return match[0]  # `<none>` of kubectl, not escaped by its sender

    def _url(self, match: re.Match[str]) -> str:
        self.link(match[0])
        return " "


def visible(text: str) -> str:
    """Without what cannot be seen: direction marks, joiners, variation selectors. Line ends and tabs stay."""
    kept = (
        c for c in text if c in "\n\t" or not (unicodedata.category(c) in ("Cf", "Cc") or "\ufe00" <= c <= "\ufe0f")
    )
    return "".join(kept).replace("\u00a0", " ")


def read_message(event: Mapping[str, Any]) -> Message | None:
    """The message that an event brings, of an edit the new version; None where it brings none (a deletion, a join)."""
    subtype = event.get("subtype")
    if subtype == "message_changed":
        inner = event.get("message")
        return read_message({**inner, "subtype": _kept(inner)}) if isinstance(inner, Mapping) else None
    if subtype not in (None, "", "bot_message", "thread_broadcast", "file_share", "me_message"):
        return None
    reader = _Reader()
    reader.add("text", event.get("text"))
    _blocks(reader, event.get("blocks"), 0, quoted=False)
    shared = False
    for attachment in _listed(event.get("attachments")):
        shared = shared or bool(attachment.get("is_msg_unfurl") or attachment.get("is_share"))
        _attachment(reader, attachment)
    profile = event.get("bot_profile")
    profile = profile if isinstance(profile, Mapping) else {}
    return Message(
        by_bot=bool(event.get("bot_id")) or subtype == "bot_message",
        sender_name=visible(str(event.get("username") or profile.get("name") or "")).strip(),
        app_id=str(event.get("app_id") or profile.get("app_id") or ""),
        passages=tuple(reader.passages),
        fields=tuple(reader.fields),
        links=tuple(dict.fromkeys(reader.links)),
        colours=tuple(reader.colours),
        shared=shared,
    )


def _kept(message: Mapping[str, Any]) -> str:
    return "bot_message" if message.get("subtype") == "bot_message" else str(message.get("subtype") or "")


def _listed(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    if isinstance(value, list):
        yield from (one for one in value[:100] if isinstance(one, Mapping))


def _attachment(reader: _Reader, attachment: Mapping[str, Any]) -> None:
    reader.colours.append(str(attachment.get("color") or "").lower().lstrip("#"))
    for name, place in (("pretext", "pretext"), ("author_name", "context"), ("title", "title"), ("text", "body")):
        reader.add(place, attachment.get(name))
    for one in _listed(attachment.get("fields")):
        name, value = reader.cleaned(one.get("title")).strip(), reader.cleaned(one.get("value")).strip()
        if len(reader.fields) < MOST_PASSAGES:
            reader.fields.append((name, value))
    _blocks(reader, attachment.get("blocks"), 0, quoted=True)
    fallback = attachment.get("fallback")
    if fallback != "[no preview available]":
        reader.add("fallback", fallback)
    reader.add("footer", attachment.get("footer"))
    for name in ("title_link", "from_url", "thumb_url", "author_link"):
        reader.link(attachment.get(name))
    for action in _listed(attachment.get("actions")):
        reader.link(action.get("url"))


def _blocks(reader: _Reader, blocks: Any, depth: int, *, quoted: bool) -> None:  # noqa: ANN401
    for block in _listed(blocks):
        kind = block.get("type")
        if kind == "header":
            reader.add("header", _text_of(block.get("text")))
        elif kind == "rich_text" and quoted:  # at the top it repeats the message's own text
            reader.add("body", "".join(_rich(block, reader, depth)), escaped=False)
        elif kind == "context":
            for element in _listed(block.get("elements")):
                reader.add("context", element.get("text"))
        elif kind in ("section", "markdown"):
            reader.add("body", _text_of(block.get("text")))
            for one in _listed(block.get("fields")):
                reader.add("field", one.get("text"))
        elif kind == "table":
            _table(reader, block, depth)
        elif kind == "container" and depth < DEEPEST:
            _blocks(reader, block.get("blocks") or block.get("elements"), depth + 1, quoted=quoted)
        for element in (*_listed(block.get("elements")), *_listed([block.get("accessory")])):
            reader.link(element.get("url"))


def _table(reader: _Reader, block: Mapping[str, Any], depth: int) -> None:
    rows = block.get("rows")
    for row in rows[:100] if isinstance(rows, list) else ():
        cells = ["".join(_rich(cell, reader, depth)).strip() for cell in _listed(row)]
        reader.add("body", (" = " if len(cells) == 2 else "  ").join(cells), escaped=False)


def _text_of(value: Any) -> Any:  # noqa: ANN401
    return value.get("text") if isinstance(value, Mapping) else value


def _rich(element: Mapping[str, Any], reader: _Reader, depth: int) -> Iterator[str]:
    """The words of a rich text: sections end with a line end, as they are shown."""
    kind = element.get("type")
    if kind == "link":
        reader.link(element.get("url"))
        yield str(element.get("text") or " ")
    elif isinstance(element.get("text"), str):
        yield str(element["text"])
    if depth < DEEPEST:
        for child in _listed(element.get("elements")):
            yield from _rich(child, reader, depth + 1)
    if kind in ("rich_text_section", "rich_text_preformatted", "rich_text_quote"):
        yield "\n"
