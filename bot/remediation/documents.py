"""Plain JSON documents: reading and changing by pointer, and the JSON Patch between two versions of one.

Nothing is changed in place: `put` and `cut` return a new document that shares what stayed the same. A pointer is a tuple
of tokens; in a list the token is the index as text. Absent and `null` are the same, as they are in the Kubernetes API.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final

from bot.model.diagnosis import Json

Pointer = tuple[str, ...]
Operation = dict[str, Json]

_TOKEN: Final = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def parse_field(field: str) -> Pointer:
    """A field as people write it: `spec.nodeSelector[topology.kubernetes.io/zone]`, `spec.containers[0].resources`."""
    return tuple(bracketed or plain for bracketed, plain in _TOKEN.findall(field))


def places(field: str) -> list[int]:
    """The indexes in a field. Of two edits in one list the later is made first, for both count from before all edits."""
    return [int(token) for token in parse_field(field) if token.isdecimal()]


def pointer_text(pointer: Pointer) -> str:
    """The JSON pointer: `~` and `/` within a token are escaped (RFC 6901, section 3)."""
    return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in pointer)


def at(document: Json, pointer: Pointer) -> Json:
    """What is there; None when nothing is."""
    for token in pointer:
        if isinstance(document, dict):
            document = document.get(token)
        elif isinstance(document, list) and token.isdecimal() and int(token) < len(document):
            document = document[int(token)]
        else:
            return None
    return document


def items(document: Json, pointer: Pointer) -> list[Json]:
    """The list that is there; empty when none is."""
    found = at(document, pointer)
    return found if isinstance(found, list) else []


def text(document: Json, *pointer: str) -> str:
    """The text that is there; empty when none is."""
    found = at(document, pointer)
    return found if isinstance(found, str) else ""


def put(document: Json, pointer: Pointer, value: Json) -> Json:
    """The document with this value there. Maps that lack on the way are made; a list's next index appends."""
    if not pointer:
        return value
    token, rest = pointer[0], pointer[1:]
    if isinstance(document, list):
        index = int(token)
        return [*document[:index], put(at(document, (token,)), rest, value), *document[index + 1 :]]
    members = document if isinstance(document, dict) else {}
    return {**members, token: put(members.get(token), rest, value)}


def cut(document: Json, pointer: Pointer, *, keep: int = 0) -> Json:
    """The document without what is there, nor the parents that this leaves empty, but for the first `keep` tokens."""
    parent = pointer[:-1]
    held = at(document, parent)
    left: Json
    if isinstance(held, dict):
        left = {key: value for key, value in held.items() if key != pointer[-1]}
    elif isinstance(held, list):
        left = [value for index, value in enumerate(held) if str(index) != pointer[-1]]
    else:
        return document
    return cut(document, parent, keep=keep) if not left and len(parent) > keep else put(document, parent, left)


def operations(old: Json, new: Json, where: Pointer = ()) -> list[Operation]:
    """The JSON Patch (RFC 6902) from `old` to `new`; each value that goes is tested first, so a changed object refuses."""
    return list(_operations(old, new, where))


def _operations(old: Json, new: Json, where: Pointer) -> Iterator[Operation]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key in new:
                yield from _operations(old[key], new[key], (*where, key))
            else:
                yield from _gone(old[key], (*where, key))
        for key in new:
            if key not in old:
                yield _operation("add", (*where, key), new[key])
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(old, new, where)
    else:
        yield _operation("test", where, old)
        yield _operation("replace", where, new)


def _of_lists(old: list[Json], new: list[Json], where: Pointer) -> Iterator[Operation]:
    """Only the items between the common beginning and the common end differ."""
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    for index, (left, right) in enumerate(zip(before, after, strict=False), start):
        yield from _operations(left, right, (*where, str(index)))
    for index in range(len(before) - 1, len(after) - 1, -1):
        yield from _gone(before[index], (*where, str(start + index)))
    for index in range(len(before), len(after)):
        yield _operation("add", (*where, str(start + index)), after[index])


def _common(old: Sequence[Json], new: Sequence[Json]) -> int:
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))))


def _gone(value: Json, where: Pointer) -> Iterator[Operation]:
    yield _operation("test", where, value)
    yield {"op": "remove", "path": pointer_text(where)}


def _operation(name: str, where: Pointer, value: Json) -> Operation:
    return {"op": name, "path": pointer_text(where), "value": value}
