"""What Slack sends can be written down, whatever it spells."""

import json

from hypothesis import given
from hypothesis import strategies as st

from bot.slack.payloads import well_formed

# halves of characters among them, which JSON can spell
TEXTS = st.text(st.characters(codec=None, categories=None))
PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@given(PAYLOADS)
def test_all_of_it_can_be_written_and_what_could_before_is_as_it_was(payload: object) -> None:
    sound = well_formed(json.loads(json.dumps(payload)))
    json.dumps(sound, ensure_ascii=False).encode()
    try:
        json.dumps(payload, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        assert "\ufffd" in json.dumps(sound, ensure_ascii=False)
    else:
        assert sound == payload


def test_half_a_character_is_the_sign_for_none() -> None:
    sent = json.loads(r'{"channel": "\ud800", "event": ["C1\udc00", "\ud83d\ude00 노드", 1, null]}')
    assert well_formed(sent) == {"channel": "\ufffd", "event": ["C1\ufffd", "\U0001f600 노드", 1, None]}
