"""YAML and JSON files -> plain data, with the line of what is broken."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
import yaml

from bot.sources.errors import SnapshotError

LARGEST_FILE: Final = 256 << 20
_DEEPEST: Final = 1000
"""Collections in each other: libyaml's constructor recurses in C and would end the process over a hostile file."""
_STAIRS: Final = re.compile(r"(?:[-?:] ){200}")
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.CSafeLoader):
    """Dates stay text, as in the API's JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_text(file: Path, shown: str) -> str:
    """A file's text in whatever Unicode a shell's redirection wrote it. Raises SnapshotError."""
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise SnapshotError(f"{shown}: larger than {LARGEST_FILE >> 20} MiB")
        raw = file.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{shown}: {error.strerror or error}") from error
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return raw.decode(encoding, errors="replace")


def read_documents(file: Path, shown: str) -> Iterator[object]:
    """Every document of a YAML or JSON file; `shown` is its name in messages. Raises SnapshotError(`file:line: ...`)."""
    text = read_text(file, shown)
    if file.suffix == ".json":
        yield parse_json(text, shown)
    else:
        yield from parse_yaml(text, shown)


def parse_json(text: str, shown: str) -> object:
    """One JSON document. Raises SnapshotError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not text.strip():
            raise SnapshotError(f"{shown}:1: empty file") from error
        raise SnapshotError(f"{shown}:{error.lineno}: broken JSON: {_reason(error)}") from error


def _reason(error: json.JSONDecodeError) -> str:
    return f"{error.msg} (column {error.colno})"


def parse_yaml(text: str, shown: str) -> list[object]:
    """Every document of a YAML text. Raises SnapshotError."""
    try:
        _refuse_depth(text, shown)
        return [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SnapshotError(f"{shown}:{line}: broken YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = _line_of(text, error)
        raise SnapshotError(f"{shown}:{line}: broken YAML: {' '.join(str(error).split())[:200]}") from error


def _refuse_depth(text: str, shown: str) -> None:
    """Counting brackets is cheap and sees some in quoted text; only where they could nest too deeply YAML is parsed for it."""
    if max(text.count("["), text.count("{")) <= _DEEPEST and not _STAIRS.search(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise SnapshotError(f"{shown}:{line}: broken YAML: nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line_of(text: str, error: Exception) -> int:
    """A character that YAML does not allow carries its position only."""
    position = getattr(error, "position", 0)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
