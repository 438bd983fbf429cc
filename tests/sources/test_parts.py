"""The pure parts of the sources: Karpenter's own set-up, its log's tail, selectors, broken text, redaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.kubernetes import LabelSelector, NodeSelectorRequirement, Pod
from bot.model.objects import ObjectMeta, decode
from bot.model.world import Missing, Settings
from bot.sources.controller import Controller, ControllerPod, parse_controller, parse_image_version, parse_settings
from bot.sources.documents import parse_json, parse_yaml, read_documents
from bot.sources.errors import SnapshotError
from bot.sources.logs import KEPT_LINES, LONGEST_LINE, LogTail
from bot.sources.neighbours import selector_text
from bot.sources.pod_search import PodQuestion
from bot.sources.redaction import redact
from tests.fakes.kube import labels_match
from tests.sources.manifests import karpenter_pod


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("public.ecr.aws/karpenter/controller:1.8.2@sha256:0a1b", "1.8.2"),
        ("registry:5000/karpenter/controller:v0.37.1", "0.37.1"),
        ("registry:5000/karpenter/controller", ""),
        ("controller:latest", ""),
        ("controller@sha256:0a1b", ""),
        ("controller:1.9.0-rc.1", "1.9.0-rc.1"),
    ],
)
def test_the_version_is_the_images_tag(image: str, version: str) -> None:
    assert parse_image_version(image) == version


def controller(container: dict[str, Any], labels: dict[str, str] | None = None) -> Controller:
    manifest = {"metadata": {"labels": labels or {}}, "spec": {"containers": [{"name": "proxy"}, container]}}
    return parse_controller([decode(manifest, ControllerPod)])


def test_flags_win_over_the_environment_and_the_label_stands_in_for_the_tag() -> None:
    found = controller(
        {
            "name": "controller",
            "image": "mirror/karpenter@sha256:0a",
            "args": ["--reserved-enis=2", "--min-values-policy", "BestEffort", "--log-level=debug"],
            "env": [{"name": "RESERVED_ENIS", "value": "1"}, {"name": "VM_MEMORY_OVERHEAD_PERCENT", "value": "0.1"}],
        },
        {"app.kubernetes.io/version": "1.5.0"},
    )
    assert found.version == "1.5.0"
    assert found.settings == Settings(
        reserved_enis=2,
        min_values_policy="BestEffort",
        vm_memory_overhead_percent=0.1,
        reserved_capacity=False,  # off by default before v1.6
    )


def test_what_karpenter_would_not_accept_counts_as_not_set() -> None:
    wrong = {
        "PREFERENCE_POLICY": "respect",
        "RESERVED_ENIS": "one",
        "IGNORE_DRA_REQUESTS": "no",
        "FEATURE_GATES": "x,=,",
    }
    assert parse_settings(wrong) == Settings()
    assert parse_settings({"IGNORE_DRA_REQUESTS": "False", "FEATURE_GATES": "ReservedCapacity=F"}) == Settings(
        ignore_dra_requests=False, reserved_capacity=False
    )


def test_options_kept_elsewhere_are_named() -> None:
    reference = {"configMapKeyRef": {"name": "c", "key": "k"}}
    found = controller(
        {
            "name": "controller",
            "env": [
                {"name": "PREFERENCE_POLICY", "valueFrom": reference},
                {"name": "MEMORY_LIMIT", "valueFrom": reference},
                {"name": "SCHEDULER_CONFIG", "value": "podTopologySpread: {}"},
            ],
        }
    )
    assert found.missing == (
        Missing(
            what="Karpenter's PREFERENCE_POLICY", why="its value lies in another object, which the bot does not read"
        ),
        Missing(what="Karpenter's SCHEDULER_CONFIG", why="default spread constraints are not simulated"),
    )


def test_in_a_rolling_update_the_newest_controller_speaks() -> None:
    pods = [karpenter_pod("old", "controller:1.7.0"), karpenter_pod("new", "controller:1.8.2")]
    pods[1]["metadata"]["creationTimestamp"] = "2025-12-28T05:30:00Z"
    for order in (pods, pods[::-1]):
        assert parse_controller(decode(p, ControllerPod) for p in order).version == "1.8.2"


async def chunked(text: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(text), size):
        yield text[at : at + size]


@given(st.binary(max_size=200), st.integers(1, 50))
async def test_a_log_reads_the_same_however_it_is_cut_into_chunks(text: bytes, size: int) -> None:
    whole, pieces = LogTail(()), LogTail(())
    await whole.read(chunked(text, len(text) or 1))
    await pieces.read(chunked(text, size))
    assert list(whole) == list(pieces) == [one for one in text.decode(errors="replace").split("\n") if one.strip()]
    assert whole.seen == pieces.seen


async def test_a_log_of_any_length_stays_within_bounds() -> None:
    tail = LogTail.about(Pod(metadata=ObjectMeta(name="mine", generate_name="mi")))
    refusal = b'{"message":"could not schedule pod","Pod":{"name":"theirs"}}\n'
    await tail.read(chunked(refusal * 50_000 + b"x" * (6 << 20) + b"\n" + b"news\n" * (KEPT_LINES - 1), 1 << 16))
    lines = list(tail)
    assert len(lines) == KEPT_LINES
    assert len(lines[0]) == LONGEST_LINE
    assert not tail.names_pod
    assert not any("theirs" in line for line in lines)
    tail.take('could not schedule pod "mine"')
    assert tail.names_pod


KEYS: Final = st.sampled_from(["app", "example.org/tier", "zone"])
WORDS: Final = st.sampled_from(["a", "b", "c"])
EXPRESSIONS: Final = st.one_of(
    st.builds(
        NodeSelectorRequirement,
        key=KEYS,
        operator=st.sampled_from(["In", "NotIn"]),
        values=st.lists(WORDS, min_size=1, max_size=2).map(tuple),
    ),
    st.builds(NodeSelectorRequirement, key=KEYS, operator=st.sampled_from(["Exists", "DoesNotExist"])),
)


@given(
    st.builds(
        LabelSelector,
        match_labels=st.dictionaries(KEYS, WORDS, max_size=2),
        match_expressions=st.lists(EXPRESSIONS, max_size=3).map(tuple),
    ),
    st.dictionaries(KEYS, WORDS),
)
def test_a_selectors_text_selects_what_the_selector_does(selector: LabelSelector, labels: dict[str, str]) -> None:
    wanted = all(labels.get(k) == v for k, v in selector.match_labels.items())
    for one in selector.match_expressions:
        met = {
            "In": labels.get(one.key) in one.values,
            "NotIn": labels.get(one.key) not in one.values,
            "Exists": one.key in labels,
            "DoesNotExist": one.key not in labels,
        }
        wanted = wanted and met[one.operator]
    assert labels_match({"metadata": {"labels": labels}}, selector_text(selector)) is wanted


@given(st.text(max_size=60) | st.from_regex(r"[\[\]{}:,&*!|>'\"%@`#\- \n\ta1]{0,40}", fullmatch=True))
def test_no_text_breaks_the_readers(text: str) -> None:
    said: list[str] = []
    for read in (parse_yaml, parse_json):
        try:
            read(text, "any.yaml")
        except SnapshotError as error:
            said.append(str(error))
    assert all(line.startswith("any.yaml:") and "\n" not in line for line in said)


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(["spec", "env", "args", "labels", "annotations", "token", "x"]), JSON, max_size=4)
)
def test_redacting_is_idempotent_and_never_fails(manifest: dict[str, Any]) -> None:
    once = redact(manifest)
    assert redact(once) == once


def test_redacting_leaves_what_a_diagnosis_rests_on() -> None:
    spec = {
        "nodeSelector": {"token": "gpu"},
        "volumes": [
            {
                "name": "t",
                "secret": {"secretName": "s"},
                "projected": {"sources": [{"serviceAccountToken": {"path": "p"}}]},
            }
        ],
        "tolerations": [{"key": "secret-pool", "operator": "Exists"}],
        "containers": [{"resources": {"requests": {"cpu": "1"}}, "args": ["--epochs", "3", "--tokenizer=llama"]}],
        "serviceAccountName": "train",
    }
    manifest = {
        "kind": "Pod",
        "metadata": {"labels": {"secret": "kept"}, "annotations": {"a/token-path": "/x"}},
        "spec": spec,
    }
    kept = redact(manifest)
    kept["spec"]["containers"][0]["args"][2] = "--tokenizer=llama"
    assert kept == manifest


def test_a_question_is_read_as_people_write_it() -> None:
    cases = {
        "web": ("", "web"),
        "shop/web": ("shop", "web"),
        "pod/web": ("", "web"),
        "shop/deployment/web": ("shop", "web"),
        " shop/web/ ": ("shop", "web"),
    }
    for text, (namespace, name) in cases.items():
        assert PodQuestion.parse(text) == PodQuestion(name=name, namespace=namespace), text
    assert PodQuestion.parse("web", "default") == PodQuestion(name="web", namespace="default")
    assert PodQuestion.parse("shop/web", "default").namespace == "shop"


def test_a_file_too_far_gone_is_an_error_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"^gone\.yaml: No such file"):
        list(read_documents(tmp_path / "gone.yaml", "gone.yaml"))
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    with pytest.raises(SnapshotError, match=r"^deep\.json:1: broken JSON"):
        list(read_documents(deep, "deep.json"))
    for text in ("[" * 100_000, "- " * 100_000, "? " * 100_000, "a: [\n" * 100_000):
        with pytest.raises(SnapshotError, match=r"^deep\.yaml:\d+: broken YAML: nested too deeply"):
            parse_yaml(text, "deep.yaml")
    assert parse_yaml("a: '" + "[" * 5000 + "'\nb: [" + "[1]," * 5000 + "]", "fine.yaml")
