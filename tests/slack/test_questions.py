"""What people type, as Slack and their keyboards deliver it, means what they meant."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.slack.questions import LONGEST, Help, NotUnderstood, Why, parse_command, question_text
from tests.slack.hostile import ATTACKS

TRAIN = Why(pod="train-0")
IN_ML = Why(pod="train-0", namespace="ml")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("why train-0", TRAIN),
        ("  Why   TRAIN-0  ", TRAIN),
        ("why ml/train-0", IN_ML),
        ("why train-0 -n ml", IN_ML),
        ("why -n ml train-0", IN_ML),
        ("-n ml why train-0", IN_ML),
        ("why train-0 --namespace=ml", IN_ML),
        ("why train-0 --namespace ML", IN_ML),
        ("why ml/train-0 -n other", IN_ML),
        ("why pod/train-0", TRAIN),
        ("why ml/pod/train-0", IN_ML),
        ("why pod/ml/train-0", IN_ML),
        ("why deployment.apps/web -n ml", Why(pod="web", namespace="ml")),
        ("why job train-0", TRAIN),
        ("why train-", Why(pod="train-")),
        ("why train-0...", TRAIN),
        ("why train-0 --cluster prod-eu", Why(pod="train-0", cluster="prod-eu")),
        (
            "why train-0 --context=arn:aws:eks:us-east-1:123456789012:cluster/Prod",
            Why(pod="train-0", cluster="arn:aws:eks:us-east-1:123456789012:cluster/Prod"),
        ),
        ("why train-0 --lang ko", Why(pod="train-0", language="ko")),
        ("why train-0 --lang=en-US", Why(pod="train-0", language="en")),
        # mentions, and what Slack makes of what was typed
        ("<@U0BOT> why train-0", TRAIN),
        ("<@U0BOT|karpenter-bot>: why train-0", TRAIN),
        ("<@U0BOT> `why ml/train-0`", IN_ML),
        ("why `ml/train-0`", IN_ML),
        ("```why ml/train-0```", IN_ML),
        ("why <http://train-0.ml|train-0.ml>", Why(pod="train-0.ml")),
        ("why <https://train-0.ml/>", Why(pod="train-0.ml")),
        ("why &lt;train-0&gt; -n ml", IN_ML),
        ("why <train-0>", TRAIN),
        ("why *train-0*", TRAIN),
        # keyboards
        ("why “train-0” —namespace ml", IN_ML),
        ("why ‘train-0’ –n ml", IN_ML),
        ("why train‑0 ––namespace=ml", IN_ML),
        ("why\u00a0train-0\u200b", TRAIN),
        ("ｗｈｙ train-0", TRAIN),
        # sentences
        ("why is train-0 pending?", TRAIN),
        ("why is the pod train-0 in namespace ml still not running?", IN_ML),
        ("why pending", Why(pod="pending")),
        ("왜 train-0", TRAIN),
        ("ml/train-0은 왜 안 떠?", IN_ML),
        ("train-0 왜 --언어 ko", NotUnderstood(code="unknown-option", text="--언어")),
        ("why train-0 --lang 한국어", Why(pod="train-0", language="ko")),
        # help
        ("", Help()),
        ("  ", Help()),
        ("<@U0BOT>", Help()),
        ("help", Help()),
        ("Help!", Help()),
        ("help why", Help(topic="why")),
        ("--help", Help()),
        ("why train-0 -h", Help()),
        ("도움말 --lang ko", Help(language="ko")),
        # what is no question, and what may have been meant
        ("why", NotUnderstood(code="missing-pod", text="why")),
        ("-n ml", NotUnderstood(code="missing-pod", text="-n ml")),
        ("whay train-0", NotUnderstood(code="bad-question", text="whay train-0", did_you_mean="why train-0")),
        ("hlep", NotUnderstood(code="bad-question", text="hlep", did_you_mean="help")),
        ("ml/train-0", NotUnderstood(code="bad-question", text="ml/train-0", did_you_mean="why ml/train-0")),
        ("why ml train-0", NotUnderstood(code="bad-question", text="why ml train-0", did_you_mean="why ml/train-0")),
        ("hello there", NotUnderstood(code="bad-question", text="hello there")),
        ("why train_0", NotUnderstood(code="bad-pod-name", text="train_0")),
        ("why a/b/c", NotUnderstood(code="bad-pod-name", text="b/c")),
        ("why /", NotUnderstood(code="missing-pod", text="why /")),
        ("why -- train-0 -n m_l", NotUnderstood(code="bad-namespace", text="m_l")),
        ("why train-0 -n", NotUnderstood(code="option-without-value", text="-n")),
        ("why train-0 -n --lang ko", NotUnderstood(code="option-without-value", text="-n")),
        ("why train-0 --lang fr", NotUnderstood(code="bad-language", text="fr")),
        ("why train-0 --clster x", NotUnderstood(code="unknown-option", text="--clster", did_you_mean="--cluster")),
        ("why train-0 --cluster a|b", NotUnderstood(code="bad-cluster", text="a|b")),
        ("why " + "a" * 254, NotUnderstood(code="bad-pod-name", text="a" * 200)),
    ],
)
def test_what_is_meant(typed: str, meant: object) -> None:
    assert parse_command(typed) == meant


WORDS = st.sampled_from(["why", "왜", "help", "in", "-n", "--cluster=", "-", "=", "/", "<", ">", "|", "&lt;", *ATTACKS])
NAMES = st.from_regex(r"\A[0-9a-z]([-.0-9a-z]{0,251}[-0-9a-z])?\Z")
NAMESPACES = st.just("") | st.from_regex(r"\A[0-9a-z]([-0-9a-z]{0,61}[0-9a-z])?\Z")
CLUSTERS = st.just("") | st.from_regex(r"\A[0-9A-Za-z_]([-.:/@0-9A-Za-z_]{0,251}[0-9A-Za-z_])?\Z")


@given(st.text() | st.lists(WORDS | st.text(max_size=5), max_size=8).map(" ".join))
def test_no_text_is_too_much(typed: str) -> None:
    """Whatever it is, it is understood or not; and no more of it goes on than a name or a line."""
    match parse_command(typed):
        case Why(pod=pod, namespace=namespace, cluster=cluster):
            assert 0 < len(pod) <= 253
            assert len(namespace) <= 63
            assert len(cluster) <= 253
        case NotUnderstood(text=text, did_you_mean=near):
            assert len(text) <= 200
            assert len(near) <= LONGEST
            assert isinstance(parse_command(near), Why | Help | NotUnderstood)
        case Help(topic=topic):
            assert topic in ("", "why", "help")


@given(st.builds(Why, pod=NAMES, namespace=NAMESPACES, cluster=CLUSTERS, language=st.sampled_from(["", "en", "ko"])))
@example(Why(pod="why", namespace="pod"))
@example(Why(pod="in", namespace="in", cluster="in"))
@example(Why(pod="xn--80ak6aa92e", language="ko"))
def test_a_question_survives_being_a_buttons_value(question: Why) -> None:
    assert parse_command(question_text(question)) == question
    assert len(question_text(question)) <= LONGEST
