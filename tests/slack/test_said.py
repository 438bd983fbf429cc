"""A message's words, however they were put into it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.said import message_text


def rich(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(runs)}]}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"text": "why is <@U0BOT> my-pod pending?"}, "why is  my-pod pending?"),
        (
            {"text": "a &lt; b &amp;&amp; <https://example.com|the page> <https://example.com>"},
            "a < b && the page https://example.com",
        ),
        ({"text": "```\ncould not schedule pod\n```"}, "could not schedule pod"),
        (
            {
                "text": "same words",
                "blocks": [rich({"type": "text", "text": "same "}, {"type": "text", "text": "words"})],
            },
            "same words",
        ),
        ({"text": "", "attachments": [{"title": "[FIRING:1] X", "text": "pod ml/a"}]}, "[FIRING:1] X\npod ml/a"),
        ({"text": "", "attachments": [{"fields": [{"title": "pod", "value": "ml/a"}]}]}, "pod: ml/a"),
        (
            {
                "blocks": [
                    {
                        "type": "section",
                        "text": {"type": "mrkdwn", "text": "*x*"},
                        "accessory": {"text": {"text": "no"}},
                    }
                ]
            },
            "*x*",
        ),
        ({"blocks": [{"type": "context", "elements": [{"type": "plain_text", "text": "small"}]}]}, "small"),
        ({"text": None, "blocks": "nonsense", "attachments": [None, 3]}, ""),
        ({}, ""),
    ],
)
def test_every_part_once_without_markup(message: dict[str, Any], text: str) -> None:
    assert message_text(message) == text


flat = st.none() | st.booleans() | st.integers() | st.text()
json = st.recursive(flat, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(st.dictionaries(st.sampled_from(["text", "blocks", "attachments", "elements"]), json))
def test_nothing_that_slack_could_send_raises(message: dict[str, Any]) -> None:
    assert isinstance(message_text(message), str)
