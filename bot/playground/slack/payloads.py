"""Slack's verdict on a whole message or view: shapes first, then what only shows over all of its blocks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import limits
from .schema import Items, Problem, Typed


@dataclass(frozen=True, slots=True)
class Refused:
    """The error that Slack answers, and what it says of each place."""

    error: str
    problems: tuple[Problem, ...] = ()

    def messages(self) -> tuple[str, ...]:
        """The lines of ``response_metadata.messages`` without their ``[ERROR]`` mark."""
        return tuple(map(str, self.problems))


def check_blocks(
    blocks: object, *, surface: str = "message", at: str = "/blocks", lacking: frozenset[str] = frozenset()
) -> Refused | None:
    """What Slack refuses about these blocks on this surface (``message``, ``modal``, ``home``), if anything.

    ``lacking`` names block types that the workspace does not have yet: new ones are rolled out in phases.
    """
    most = limits.MESSAGE_BLOCKS if surface == "message" else limits.VIEW_BLOCKS
    allowed = limits.SURFACES[surface] - lacking
    problems = list(Items(Typed("block", allowed), most).problems(blocks, at, limits.SHAPES))
    if not problems:
        found = [(block, f"{at}/{index}") for index, block in enumerate(_objects(blocks))]
        problems = [*_duplicates(found), *_totals(found, at)]
    if problems:
        return Refused("invalid_blocks", tuple(problems))
    return _too_much(_objects(blocks), at) if surface == "message" else None


def check_message(
    blocks: object, attachments: object = None, *, lacking: frozenset[str] = frozenset()
) -> Refused | None:
    """What Slack refuses about a message's blocks and attachments, if anything."""
    refused = check_blocks(blocks, lacking=lacking) if blocks else None
    if refused or not attachments:
        return refused
    if not isinstance(attachments, list) or not all(isinstance(item, dict) for item in attachments):
        return Refused("invalid_attachments")
    if len(attachments) > limits.ATTACHMENTS:
        return Refused("too_many_attachments")
    for index, attachment in enumerate(attachments):
        inner = attachment.get("blocks")
        refused = check_blocks(inner, at=f"/attachments/{index}/blocks", lacking=lacking) if inner else None
        if refused:
            return Refused("invalid_attachments", refused.problems)
    return None


def check_view(view: object, *, lacking: frozenset[str] = frozenset()) -> Refused | None:
    """What Slack refuses about a modal or Home tab, if anything (``invalid_arguments``, ``view_too_large``)."""
    problems = list(Typed("view").problems(view, "/view", limits.SHAPES))
    if not problems and isinstance(view, dict):
        refused = check_blocks(view["blocks"], surface=str(view["type"]), at="/view/blocks", lacking=lacking)
        problems = list(refused.problems) if refused else []
    if problems:
        return Refused("invalid_arguments", tuple(problems))
    if len(json.dumps(view).encode()) > limits.VIEW_BYTES:
        return Refused("view_too_large")
    return None


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def with_children(blocks: list[tuple[dict[str, object], str]]) -> Iterator[tuple[dict[str, object], str]]:
    """Each block and the blocks inside it (a container's children, a carousel's cards), with their pointers."""
    for block, at in blocks:
        yield block, at
        for name in ("child_blocks", "elements" if block.get("type") == "carousel" else "tasks"):
            yield from ((child, f"{at}/{name}/{index}") for index, child in enumerate(_objects(block.get(name))))


def elements_of(block: Mapping[str, object]) -> Iterator[tuple[dict[str, object], str]]:
    """The block's own interactive elements, with their pointers relative to the block."""
    for name in ("accessory", "element"):
        element = block.get(name)
        if isinstance(element, dict):
            yield element, f"/{name}"
    for name in ("elements", "actions"):
        yield from ((element, f"/{name}/{index}") for index, element in enumerate(_objects(block.get(name))))


def _duplicates(blocks: list[tuple[dict[str, object], str]]) -> Iterator[Problem]:
    """block_id is unique in the message or view, action_id in its block (blocks/*, block-elements/*)."""
    seen: set[object] = set()
    for block, at in with_children(blocks):
        block_id = block.get("block_id")
        if block_id and block_id in seen:
            yield Problem(f"block_id `{block_id}` already exists", f"{at}/block_id")
        seen.add(block_id)
        actions: set[object] = set()
        for element, below in elements_of(block):
            action_id = element.get("action_id")
            if action_id and action_id in actions:
                yield Problem(f"action_id `{action_id}` already exists", f"{at}{below}/action_id")
            actions.add(action_id)


def _totals(blocks: list[tuple[dict[str, object], str]], at: str) -> Iterator[Problem]:
    everything = [block for block, _ in with_children(blocks)]
    kinds = Counter(block["type"] for block in everything)
    markdown = sum(characters(block) for block in everything if block["type"] == "markdown")
    table = sum(characters(block) for block in everything if block["type"] == "table")
    data_table = sum(characters(block) for block in everything if block["type"] == "data_table")
    if markdown > limits.MARKDOWN_TEXT:
        yield Problem(f"markdown blocks must be less than {limits.MARKDOWN_TEXT + 1} characters together", at)
    if kinds["table"] <= limits.TABLES and table > limits.TABLE_TEXT:
        yield Problem(f"table must be less than {limits.TABLE_TEXT + 1} characters", at)
    if data_table > limits.DATA_TABLE_TEXT:
        yield Problem(f"data tables must be less than {limits.DATA_TABLE_TEXT + 1} characters together", at)
    if kinds["data_visualization"] > limits.CHARTS:
        yield Problem(f"no more than {limits.CHARTS} data_visualization blocks allowed", at)


def _too_much(blocks: list[dict[str, object]], at: str) -> Refused | None:
    everything = [block for block, _ in with_children([(block, "") for block in blocks])]
    if sum(block["type"] == "table" for block in everything) > limits.TABLES:
        return Refused("invalid_attachments", (Problem("only_one_table_allowed", at),))
    counted = [block for block in blocks if block["type"] not in {"data_table", "data_visualization"}]
    return Refused("msg_blocks_too_long") if sum(map(characters, counted)) > limits.BLOCKS_TEXT else None


def characters(value: object) -> int:
    """The characters of every ``text`` string at any depth."""
    if isinstance(value, dict):
        return sum(
            len(inner) if name == "text" and isinstance(inner, str) else characters(inner)
            for name, inner in value.items()
        )
    return sum(map(characters, value)) if isinstance(value, list) else 0
