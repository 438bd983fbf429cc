"""What Slack sends can be written down, whatever it spells."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.slack.payloads import well_formed

# halves of characters among them, which JSON can spell
TEXTS = st.text(st.characters(codec=None, categories=None))
PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


def texts(value: Any) -> Iterator[str]:  # noqa: ANN401 (JSON)
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from texts(inner)


def writable(value: object) -> bool:
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for text in texts(value) for char in text)


@given(PAYLOADS)
def test_all_of_it_can_be_written_and_what_could_before_is_as_it_was(payload: object) -> None:
    sound = well_formed(json.loads(json.dumps(payload)))
    assert writable(sound)
    if writable(payload):
        assert sound == payload


def test_what_no_database_takes_is_the_sign_for_none() -> None:
    sent = json.loads(r'{"channel": "\ud800", "event": ["C1\udc00\u0000", "\ud83d\ude00 노드", 1, null]}')
    assert well_formed(sent) == {"channel": "\ufffd", "event": ["C1\ufffd\ufffd", "\U0001f600 노드", 1, None]}
