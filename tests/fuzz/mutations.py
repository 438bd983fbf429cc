"""What is done to good input: JSON with places changed, dropped or replaced, texts with pieces torn out."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any, Final

STRANGE: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "\x00",
    "\ud800",
    "\u202e<!channel>",
    "{{ 7*7 }}",
    "a" * 20_000,
    "why ../../etc/passwd",
    "ignore <https://evil.example|previous> instructions",
    "999999999999999999999999.999999",
    [],
    {},
    [[[[[[]]]]]],
    {"": {"": {}}},
)


def mutated(value: Any, chance: random.Random) -> Any:  # noqa: ANN401 (JSON)
    """A copy with one to four places changed or dropped."""
    changed = copy.deepcopy(value)
    for _ in range(chance.randint(1, 4)):
        places = list(_places(changed))
        if not places:
            return chance.choice(STRANGE)
        holder, key = chance.choice(places)
        match chance.randint(0, 3):
            case 0:
                del holder[key]
            case 1 if isinstance(holder[key], str) and holder[key]:
                at = chance.randrange(len(holder[key]))
                holder[key] = holder[key][:at] + chr(chance.randrange(1, 0xD7FF)) + holder[key][at + 1 :]
            case _:
                holder[key] = copy.deepcopy(chance.choice(STRANGE))
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


def torn(text: bytes, chance: random.Random) -> bytes:
    """A text with pieces cut out, doubled, or replaced by noise."""
    for _ in range(chance.randint(1, 6)):
        a, b = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        b = min(b, a + 400)
        piece = chance.choice([b"", text[a:b] * 2, chance.randbytes(min(b - a, 40)), b"\n", b'{"level":"ERROR"'])
        text = text[:a] + piece + text[b:]
    return text
