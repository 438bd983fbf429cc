"""What a message is to say: checked against Slack's limits and read for pings and links."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from . import limits
from .hub import Hub
from .mrkdwn import Markup, read_message
from .payloads import check_message, elements_of, with_children
from .state import Workspace
from .wire import JsonObject, SlackRefusal, flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An accepted message's words; every block has its block_id and every element its action_id, as Slack gives."""

    text: str
    blocks: list[JsonObject]
    attachments: list[JsonObject]
    markup: Markup


def accept_content(hub: Hub, workspace: Workspace, method: str, arguments: JsonObject) -> Content:
    """The content of a call, or SlackRefusal (``no_text``, ``invalid_blocks``, ``msg_blocks_too_long``, ...)."""
    text = _text(hub, method, arguments)
    blocks, attachments = arguments.get("blocks") or [], arguments.get("attachments") or []
    refused = check_message(blocks, attachments)
    if refused:
        raise SlackRefusal(refused.error, messages=refused.messages(), broken=True)
    behind = check_message(blocks, attachments, lacking=workspace.lacking_blocks)
    if behind:  # the workspace's fault, not the bot's
        raise SlackRefusal(behind.error, messages=behind.messages())
    if blocks and not text:
        hub.warn(method, "missing_text_in_message")  # screen readers and notifications read `text`, not the blocks
    if len(text) > limits.BEST_TEXT:
        hub.warn(method, "text_longer_than_best")
    blocks = with_ids(hub, blocks)
    # chat.update parses names unless told `none`; the other methods only when asked (methods/chat.update, parse)
    parse = str(arguments.get("parse", "client" if method == "chat.update" else "none"))
    names = parse != "none" or flag(arguments, "link_names")
    return Content(
        text=text, blocks=blocks, attachments=attachments, markup=read_message(text, blocks, attachments, names=names)
    )


def _text(hub: Hub, method: str, arguments: JsonObject) -> str:
    given = arguments.get("markdown_text")
    text = str(arguments.get("text") or "")
    if given:
        if text or arguments.get("blocks"):
            raise SlackRefusal("markdown_text_conflict", broken=True)
        if len(str(given)) > limits.MARKDOWN_TEXT:
            raise SlackRefusal("msg_too_long", broken=True)
        return str(given)
    if not text and not arguments.get("blocks") and not arguments.get("attachments"):
        raise SlackRefusal("no_text", broken=True)
    if method == "chat.update" and len(text) > limits.UPDATE_TEXT:
        raise SlackRefusal("msg_too_long", broken=True)
    if len(text) > limits.POST_TEXT:
        hub.record_refusal(method, SlackRefusal("message_truncated", broken=True))
    return text[: limits.POST_TEXT]


def with_ids(hub: Hub, blocks: list[JsonObject]) -> list[JsonObject]:
    """A copy with Slack's own ids where the bot gave none; without them a click could not be told from another."""
    copied = copy.deepcopy(blocks)
    for block, _ in with_children([(block, "") for block in copied]):
        if block.get("type") != "markdown":  # blocks/markdown-block: block_id is ignored
            block.setdefault("block_id", hub.serial("b"))
        for element, _ in elements_of(block):
            if element.get("type") in limits.INTERACTIVE:
                element.setdefault("action_id", hub.serial("a"))
    return copied
