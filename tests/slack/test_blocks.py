"""Slack messages: what a person sees, and that nothing a cluster says can make Slack refuse, ping or link."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings

from bot.model.diagnosis import Diagnosis, PoolVerdict, Statement
from bot.model.world import Missing
from bot.playbooks import CAUSES, Line, Phrases, Span
from bot.playground.slack.mrkdwn import Markup, read_message, unescape
from bot.slack import blocks
from bot.slack.blocks import Message
from bot.slack.budget import MESSAGE, TEXT, as_plain, characters, fitting
from bot.slack.evidence import evidence_modal
from bot.terminal import columns, render_text
from tests.fakes.slack import check_message, check_view
from tests.playbooks import samples
from tests.playbooks.samples import (
    EFA_FACTS,
    LANGUAGES,
    blocked,
    cause,
    constraint,
    remedy,
    said,
    seed,
    shipped,
)
from tests.slack.hostile import ATTACKS, diagnoses

HOSTILE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SILENT = Markup()
LONG = "<&>" * 2_000  # each letter becomes four or five
WORST = replace(
    blocked(
        *(samples.example("unexplained", message=f"{n} {LONG}") for n in range(30)),
        remedies=(replace(remedy(), facts={"resource": LONG, "old": LONG, "new": LONG, "keeps": (LONG,)}),) * 40,
    ),
    karpenter_says=(Statement(source="log", time=None, message=LONG),) * 5,
    nodepools=(PoolVerdict(name=LONG, blocked_by=(), karpenter_message=LONG, offerings=1),) * 30,
    missing=(Missing(what=LONG, why=LONG),) * 30,
    notes=(LONG,) * 30,
)


def words(language: str = "en") -> Phrases:
    """The shipped sentences."""
    return shipped().phrases(language)


def kinds(message: Message) -> list[object]:
    """The types of a message's blocks."""
    return [block["type"] for block in message.blocks]


def shown(message: Message) -> str:
    """Every text of the blocks, as a reader sees it."""
    return unescape(json.dumps(message.as_json()["blocks"], ensure_ascii=False))


def sound(message: Message) -> None:
    """Slack takes it, in one piece; it pings nobody and links nowhere; `text` stands alone."""
    assert check_message(list(message.blocks)) is None
    assert sum(map(characters, message.blocks)) <= MESSAGE
    assert message.text.strip()
    assert len(message.text) <= TEXT
    assert read_message(message.text, list(message.blocks), names=True) == SILENT
    assert json.dumps(message.as_json(), ensure_ascii=False).encode()


# -- whatever the cluster says -------------------------------------------------------------------------------------


@HOSTILE
@given(diagnosis=diagnoses())
@example(diagnosis=WORST)
def test_no_diagnosis_makes_a_message_that_slack_refuses_or_that_reaches_out(diagnosis: Diagnosis) -> None:
    for language in LANGUAGES:
        rendered = said(diagnosis, language)
        for brief in (False, True):
            sound(blocks.answer(rendered, words(language), evidence="e" * 2_000, brief=brief))
        view = evidence_modal(rendered, words(language))
        assert check_view(view) is None
        linked = {link.url for link in read_message("", view["blocks"]).links}
        assert linked <= {link for one in rendered.causes for link in one.links}
        assert read_message("", view["blocks"]).pings == ()


@HOSTILE
@given(diagnosis=diagnoses())
@example(diagnosis=WORST)
def test_no_diagnosis_reaches_a_terminals_controls(diagnosis: Diagnosis) -> None:
    text = render_text(said(diagnosis), words())
    assert not [letter for letter in text if letter != "\n" and (ord(letter) < 32 or 127 <= ord(letter) < 160)]
    assert "\u202e" not in text
    assert text.encode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_terminals_rows_are_a_hundred_columns_at_most(language: str) -> None:
    """Hangul takes two columns; a word that is longer keeps a row of its own, so that it can be copied."""
    many = blocked(*(samples.example(name, language) for name in CAUSES), remedies=(remedy(target="x"),) * 12)
    wide = [row for row in render_text(said(many, language), words(language)).splitlines() if columns(row) > 100]
    assert [row for row in wide if " " in row.strip().removeprefix("- ")] == []


def test_a_terminal_shows_weight_only_where_it_is_wanted() -> None:
    plain_text, coloured = (render_text(said(seed()), words(), colour=colour) for colour in (False, True))
    assert "\x1b" not in plain_text
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain_text


def test_one_endless_value_pushes_nothing_out() -> None:
    message = blocks.answer(said(WORST), words(), evidence="ev_1")
    sound(message)
    assert "\nWhat would open a node\n1. " in message.text
    assert message.text.endswith(" more lines")
    for part in ("In the way as well", "What would open a node", "… and 35 more ways", "Karpenter says", "NodePools"):
        assert part in shown(message)
    modal = json.dumps(evidence_modal(said(WORST), words()), ensure_ascii=False)
    assert "Karpenter says" in modal
    assert "more causes" in modal


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_people_ask_is_no_markup_either(attack: str) -> None:
    for language in LANGUAGES:
        phrases = words(language)
        sound(blocks.progress(attack, phrases))
        sound(blocks.candidates(attack, [attack] * 12, phrases))
        sound(blocks.error("pod-not-found", phrases, asked=attack, near=(attack,) * 3))
        sound(blocks.error("cluster-unreachable", phrases, why=attack))
        sound(blocks.help_message("/karpenter", phrases))


def test_a_value_is_shown_letter_for_letter() -> None:
    strange = cause("unexplained", {"message": "a < b && c > `d` *e*"})
    message = blocks.answer(said(blocked(strange)), words())
    assert "a < b && c > 'd' *e*" in shown(message)  # inside code Slack has no backtick
    assert "a &lt; b &amp;&amp; c &gt;" in message.text


# -- what a person sees --------------------------------------------------------------------------------------------


def test_the_seeds_answer_in_slack() -> None:
    message = blocks.answer(said(seed()), words(), evidence="ev_1")
    assert kinds(message) == [
        "section",
        "context",
        "section",
        "section",
        "section",
        "context",
        "context",
        "context",
        "actions",
    ]
    assert message.blocks[0]["text"] == {
        "type": "mrkdwn",
        "text": "*g6e.8xlarge has 1 EFA interface, you asked for 8.*",
        "verbatim": True,
    }
    assert message.text.splitlines() == [
        "g6e.8xlarge has 1 EFA interface, you asked for 8.",
        "`default/llama-3-8b-node-0-1-z49j4` · blocked · cluster training · Karpenter 1.8.1",
        "Because `llama-3-8b-node-0-1-z49j4` asks one node for 8 `vpc.amazonaws.com/efa` and `g6e.8xlarge`, the type it is "
        "pinned to, has 1, no node can hold it.",
        "What would open a node",
        "1. Ask for 1 `vpc.amazonaws.com/efa` instead of 8 and keep `g6e.8xlarge`",
        "Would open 2 offerings, cheapest `g6e.8xlarge` spot in `ap-northeast-2a` at $2.01 an hour (price of 2025-12-28), "
        "on demand $5.53 an hour (price of 2025-12-01).",
        "Change it in `TrainJob default/llama-3-8b`.",
        "Fewer EFA interfaces mean less bandwidth between nodes; start the job's processes to match.",
        '"Show evidence" below has the fields, the EC2 data and Karpenter\'s own lines.',
        "Could not read",
        "spot prices: not permitted",
    ]
    button = message.blocks[-1]["elements"]
    assert button == [
        {
            "type": "button",
            "action_id": blocks.SHOW_EVIDENCE,
            "text": {"type": "plain_text", "text": "Show evidence", "emoji": False},
            "accessibility_label": "Show evidence",
            "value": "ev_1",
        }
    ]


def test_an_alerts_answer_is_the_headline_and_the_first_remedy() -> None:
    diagnosis = replace(seed(), remedies=(remedy(), remedy("drop-node-selector", {"key": "zone", "old": "a"})))
    message = blocks.answer(said(diagnosis), words(), evidence="ev_1", brief=True)
    assert kinds(message) == ["section", "context", "section", "section", "context", "actions"]
    assert "Ask for 1 `vpc.amazonaws.com/efa`" in shown(message)
    assert "Drop the node selector" not in shown(message)
    assert "… and 1 more way" in shown(message)


@pytest.mark.parametrize(("language", "more"), [("en", "… and 35 more ways"), ("ko", "… 외 방법 35가지")])
def test_more_remedies_than_fit_are_counted(language: str, more: str) -> None:
    message = blocks.answer(said(blocked(remedies=(remedy(),) * 40), language), words(language))
    sound(message)
    assert more in shown(message)
    assert more in message.text


def test_other_causes_are_named() -> None:
    both = blocked(cause("efa-count-exceeds-instance", EFA_FACTS), samples.example("taint-not-tolerated"))
    message = blocks.answer(said(both), words())
    assert "• The pod does not tolerate `nvidia.com/gpu=true:NoSchedule` of NodePool `gpu`." in shown(message)
    assert "The pod does not tolerate" in message.text


def test_without_a_remedy_the_page_says_what_to_check() -> None:
    message = blocks.answer(said(blocked(samples.example("node-disrupted"))), words())
    assert "consolidationPolicy: WhenEmpty\\n  consolidateAfter: 10m" in shown(message)
    assert "consolidateAfter: 10m" in message.text


def test_korean_particles_do_not_undo_the_marks() -> None:
    """Slack takes a mark only at a word's border; a particle follows without a blank."""
    message = blocks.answer(said(blocked(samples.example("zone-not-offered", "ko")), "ko"), words("ko"))
    assert "`ap-northeast-2c`\u200b에는" in shown(message)
    assert "\u200b" not in message.text


def test_the_evidence_is_word_for_word() -> None:
    hostile = replace(cause("efa-count-exceeds-instance", EFA_FACTS), evidence=("<!channel> https://evil.example *x*",))
    view = evidence_modal(said(blocked(hostile)), words())
    written = json.dumps(view, ensure_ascii=False)
    assert constraint().value in written
    assert "<!channel> https://evil.example *x*" in written  # rich text: Slack parses nothing in it
    assert read_message("", view["blocks"]).pings == ()


def test_many_candidates_are_ten_buttons_and_a_count() -> None:
    pods = [f"default/train-{n}" for n in range(10_000)]
    message = blocks.candidates("train", pods, words())
    sound(message)
    buttons = [block["accessory"] for block in message.blocks if "accessory" in block]
    assert [button["value"] for button in buttons if isinstance(button, dict)] == pods[:10]
    assert "… and 9,990 more pods" in shown(message)


def test_a_button_refuses_a_value_that_slack_would() -> None:
    with pytest.raises(ValueError, match="2000"):
        blocks.answer(said(seed()), words(), evidence="e" * 2_001)


def test_nothing_is_cut_where_everything_fits() -> None:
    long = Line((Span("a" * 300),))
    assert fitting([long, Line((Span("b"),))], lambda n: Line((Span(f"{n} more"),)), 900, as_plain) == ["a" * 300, "b"]
    cut_short = fitting([long] * 4, lambda n: Line((Span(f"{n} more"),)), 900, as_plain)
    assert max(map(len, cut_short)) <= 225
