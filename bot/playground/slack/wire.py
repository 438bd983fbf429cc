"""What travels between Slack and a bot: JSON objects, call arguments, refusals."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from aiohttp import web

# The wire is untyped by nature: whatever a bot sends must reach the checks as it is. Nothing but this package reads it.
JsonObject: TypeAlias = dict[str, Any]

# Arguments that Slack documents as JSON-encoded strings when a call is sent as a form or a query, and what Slack
# answers when such a string is not JSON.
_ENCODED = {
    "attachments": "invalid_attachments",
    "blocks": "invalid_blocks_format",
    "files": "invalid_arguments",
    "metadata": "invalid_metadata_format",
    "view": "invalid_arguments",
}


class SlackRefusal(Exception):  # noqa: N818 - Slack's word for it is an error *answer*, not a failure of this program
    """Slack answers ``{"ok": false, "error": ...}``.

    ``messages`` become ``response_metadata.messages``; ``extra`` is merged into the answer (``needed``, ``provided``).
    ``broken`` says that the bot broke one of Slack's rules, and not that the workspace is in a state it may be in.
    """

    def __init__(
        self, error: str, *, messages: tuple[str, ...] = (), extra: JsonObject | None = None, broken: bool = False
    ) -> None:
        super().__init__(error)
        self.error = error
        self.messages = messages
        self.extra = extra or {}
        self.broken = broken

    def answer(self) -> JsonObject:
        """The body that Slack sends."""
        body: JsonObject = {"ok": False, "error": self.error, **self.extra}
        if self.messages:
            body["errors"] = list(self.messages)
            body["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in self.messages]}
        return body


async def read_arguments(request: web.Request) -> JsonObject:
    """The call's arguments from query, form and JSON body together, JSON-encoded ones decoded.

    Raises SlackRefusal (``invalid_json``, ``invalid_blocks_format``, ...) for what cannot be decoded.
    """
    arguments: JsonObject = dict(request.query)
    if request.method == "POST":
        if request.content_type == "application/json":
            arguments.update(_json_body(await request.text()))
        else:
            arguments.update(await request.post())
    for name, error in _ENCODED.items():
        if isinstance(arguments.get(name), str):
            arguments[name] = _decoded(arguments[name], error)
    return arguments


def _json_body(text: str) -> JsonObject:
    body = _decoded(text or "{}", "invalid_json")
    if not isinstance(body, dict):
        raise SlackRefusal("json_not_object", broken=True)
    return body


def _decoded(text: str, error: str) -> object:
    try:
        decoded: object = json.loads(text)
    except ValueError:
        raise SlackRefusal(error, broken=True) from None
    return decoded


def flag(arguments: JsonObject, name: str, *, default: bool = False) -> bool:
    """A boolean argument: JSON true, or "1"/"true" as forms and queries carry it."""
    value = arguments.get(name, default)
    return value if isinstance(value, bool) else str(value).lower() in {"1", "true"}
