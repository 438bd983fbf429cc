"""Every message of the corpus is read as it must be; nothing else is taken for an alert; no text breaks the reading."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts import recognise
from bot.alerts.titles import read_subject
from tests.alerts import firing
from tests.alerts.layouts import default_template, human, subject, webhook
from tests.alerts.recognition import GIVEN, corpus, wrong_fields

CORPUS = list(corpus())
BOT = Path(sys.executable).parent / "karpenter-bot"


def test_the_corpus_is_large_and_half_of_it_is_no_alert() -> None:
    alerts = sum(expected["recognised"] for _, _, expected, _ in CORPUS)
    assert len(CORPUS) >= 200
    assert len(CORPUS) - alerts >= 100


@pytest.mark.parametrize(("event", "expected", "also"), [c[1:] for c in CORPUS], ids=[c[0] for c in CORPUS])
def test_read_as_it_must_be(event: dict, expected: dict, also: dict) -> None:  # type: ignore[type-arg]
    assert wrong_fields(event, expected, also) == {}


def test_the_command_prints_the_contract() -> None:
    event = json.loads((GIVEN / "01-am-default-podnotready.json").read_text(encoding="utf-8"))
    for sent in (event, {"type": "event_callback", "event": event}):
        done = subprocess.run([BOT, "alert"], input=json.dumps(sent).encode(), capture_output=True, check=True)
        read = json.loads(done.stdout)
        assert (read["recognised"], read["sender"], read["pod"]) == (
            True,
            "alertmanager",
            "basket-writer-6d9f7c5b84-m2xkq",
        )
        assert read["question"] == "why-pod"


@pytest.mark.parametrize("text", [b"", b"[1]", b"0" * (2 << 20)], ids=["nothing", "a list", "2 MiB"])
def test_what_is_no_event_is_one_line_and_exit_2(text: bytes) -> None:
    done = subprocess.run([BOT, "alert"], input=text, capture_output=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.decode().strip().splitlines()) == 1


KEYS = ["text", "title", "fields", "blocks", "elements", "type", "value", "rows"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON, JSON, JSON)
def test_no_event_breaks_the_reading(text: object, attachments: object, blocks: object) -> None:
    recognise({"type": "message", "bot_id": "B1", "text": text, "attachments": attachments, "blocks": blocks})
    recognise({"type": "message", "text": text, "blocks": blocks})
    recognise({"type": "message", "subtype": "message_changed", "message": attachments})


NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


@given(NAME, st.sampled_from(["prod-eu-1", "osprey-prod", "skua-1"]), st.sampled_from(["2hqpl", "9zr7d"]))
def test_a_pod_is_found_by_its_position_whatever_else_is_there(namespace: str, cluster: str, end: str) -> None:
    labels = {**firing.POD, "namespace": namespace, "cluster": cluster, "pod": f"cart-7c9f6b5d48-{end}"}
    read = read_subject(subject([labels], ("alertname",)))
    assert read is not None
    assert read.values["pod"] == labels["pod"]
    assert read.alertname == "KubePodNotReady"


def test_hours_of_hostile_text_are_read_in_a_moment() -> None:
    """Linear in the text: no layout makes the patterns go back and forth."""
    for text in (
        "*a:" * 6_000,
        "`" * 20_000,
        "pod " * 5_000,
        "[FIRING:1] " + "a " * 9_000,
        "(" * 9_000,
        "a=b," * 5_000,
        "<" * 9_000,
    ):
        recognise(webhook("Alertmanager", {"title": "[FIRING:1] X " + text, "text": text, "fallback": text}))
        recognise(human(text))
    assert recognise(default_template([firing.POD])) is not None
