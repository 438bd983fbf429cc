"""Texts pasted without a cluster: the right cause or an honest unknown, never a wrong one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import packaged
from bot.diagnosis.pasted import Explanation, explain_text
from bot.karpenter import Clause, LimitsExceeded, Reason
from bot.playbooks import need_lines, plain, render_explanation
from tests.pasted.build import TEXTS
from tests.pasted.cases import CASES, FOLDER, NOW, SEOUL, Outcome, PastedCase, facts_of
from tests.pasted.shapes import (
    ARCH,
    CAPACITY,
    NODEPOOL,
    TYPE,
    ZONE,
    launch_failed,
    line,
    listed,
    mismatch,
    pool,
    refusal,
    refused,
    taint,
    types,
    unknown_label,
)
from tests.pasted.texts_launches import QUOTA, no_capacity

SEED = FOLDER.parent / "cases" / "seed-efa-8-on-g6e-8xlarge"
PLAYBOOKS = packaged.load_playbooks()
EFA, GPU = "vpc.amazonaws.com/efa", "nvidia.com/gpu"


def ids(found: Explanation) -> list[str]:
    return [cause.id for cause in found.causes]


def explained(text: str, region: str = "") -> Explanation:
    return explain_text(text, facts_of(region), NOW)


# -- real cases ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_real_case_gets_its_cause_where_the_text_carries_it_and_no_wrong_one(case: PastedCase) -> None:
    found = case.explained()
    assert case.outcome is not Outcome.WRONG, ids(found)
    if case.enough:
        assert case.outcome is Outcome.RIGHT
    else:
        _assert_says_what_to_run(found)


COMMAND = re.compile(r"`(?:kubectl|aws|karpenter-bot) [^`]{8,}`")


def _assert_says_what_to_run(found: Explanation) -> None:
    """What is normal is said to be normal; for all else that proves nothing there is a command that shows more."""
    assert found.evidence in ("normal", "not-enough")
    if found.evidence == "not-enough":
        shown = render_explanation(found, PLAYBOOKS, "en")
        (leading,) = shown.causes
        assert "Not enough evidence" in plain(leading.because[0])
        sentences = [PLAYBOOKS.phrases("en").marked(f"need.{one.id}", **one.facts) for one in found.needs]
        assert any(COMMAND.search(str(one)) for one in sentences), sentences


def test_the_texts_are_those_that_the_builder_writes() -> None:
    written = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")}
    assert written == {name: text.rstrip("\n") + "\n" for name, text in TEXTS.items()}
    assert set(written) == {case.id for case in CASES}


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_answer_can_be_put_in_words(case: PastedCase, language: str) -> None:
    found = case.explained()
    rendered = render_explanation(found, PLAYBOOKS, language)
    assert not rendered.problems
    shown = [plain(one) for cause in rendered.causes for one in (cause.headline, *cause.because, *cause.check)]
    shown += map(plain, need_lines(found.needs, PLAYBOOKS.phrases(language)))
    for sentence in shown:
        assert sentence
        assert "``" not in sentence.replace("```", "")
        assert not re.match(r"(topic|need|explain)\.", sentence)


# -- the seed ------------------------------------------------------------------------------------------------------


def seed() -> str:
    return (SEED / "karpenter.log").read_text(encoding="utf-8")


def test_the_seed_s_line_with_ec2_s_facts_proves_the_efa_count() -> None:
    found = explained(seed(), SEOUL)
    assert ids(found) == ["efa-count-exceeds-instance"]
    facts = found.causes[0].facts
    assert (facts["requested"], facts["offered"], facts["instance_type"]) == (8, 1, "g6e.8xlarge")
    assert found.pods[0] == "default/llama-3-8b-node-0-1-z49j4"
    assert all("spec" not in one.field for one in found.causes[0].constraints)  # where it was read: the message


def test_without_ec2_s_facts_the_seed_s_line_proves_nothing_and_says_what_would() -> None:
    found = explained(seed())
    assert not found.causes
    assert "ec2-facts" in {need.id for need in found.needs}


def test_the_seed_s_example_names_the_type_that_is_pinned_and_not_the_whole_region() -> None:
    log = (FOLDER.parent / "cases" / "gpu-16-on-p4d" / "karpenter.log").read_text(encoding="utf-8")
    found = explained(log, SEOUL)
    assert ids(found) == ["gpu-count-exceeds-instance"]
    facts = found.causes[0].facts
    assert (facts["instance_type"], facts["offered"], facts["requested"]) == ("p4d.24xlarge", 8, 16)
    assert (facts["types_count"], facts["pinned"]) == (1, True)


# -- which NodePool is meant ---------------------------------------------------------------------------------------


def gpu_pool(resources: dict[str, str]) -> Clause:
    wanted = (listed(TYPE, "g4dn.2xlarge"), listed(NODEPOOL, "gpu"), listed("team", "ml"))
    return pool("gpu", types(Reason.RESOURCES_OF_PAIR, resources, *wanted))


@pytest.mark.parametrize(
    "noise",
    [
        pool("other", taint("dedicated", "ingress")),
        pool("other", unknown_label("team")),
        pool("other", mismatch(listed("team", "ml"), listed("team", "web"))),
    ],
)
@pytest.mark.parametrize("version", [(0, 37), (1, 4), (1, 8)])
def test_another_nodepool_s_refusal_is_noise(noise: Clause, version: tuple[int, int]) -> None:
    text = refused("ml/a", refusal(version, noise, gpu_pool({GPU: "2", "pods": "5"})))
    assert ids(explained(text, SEOUL)) == ["gpu-count-exceeds-instance"]


def test_a_taint_that_speaks_of_what_the_pod_asks_for_makes_it_open_which_nodepool_is_meant() -> None:
    general = pool("default", types(Reason.RESOURCES, {GPU: "1", "pods": "5"}, listed(NODEPOOL, "default")))
    text = refused("ml/a", refusal((1, 8), general, pool("gpu", taint(GPU, "true"))))
    assert not explained(text).causes


def test_a_nodepool_without_any_gpu_is_not_the_one_a_gpu_pod_is_meant_for() -> None:
    wanted = listed("karpenter.k8s.aws/instance-category", "c", "m", "r")
    general = pool("default", types(Reason.RESOURCES, {GPU: "1", "pods": "5"}, wanted, listed(NODEPOOL, "default")))
    text = refused("ml/a", refusal((1, 8), general, pool("gpu", taint(GPU, "true"))))
    assert ids(explained(text, SEOUL)) == ["taint-not-tolerated"]
    alone = refused("ml/a", refusal((1, 8), general))
    assert ids(explained(alone, SEOUL)) == ["gpu-count-exceeds-instance"]


def test_limits_beside_a_nodepool_that_took_the_pod_further_decide_nothing() -> None:
    limits = Clause(findings=(LimitsExceeded(nodepool="spot"),), nodepool="spot")
    text = refused("ml/a", refusal((1, 8), limits, gpu_pool({GPU: "2", "pods": "5"})))
    assert not explained(text, SEOUL).causes
    beside_a_taint = refused("ml/a", refusal((1, 8), limits, pool("x", taint("dedicated", "ingress"))))
    assert ids(explained(beside_a_taint)) == ["nodepool-limit-exceeded"]


def test_a_taint_and_a_label_of_two_nodepools_decide_nothing() -> None:
    text = refusal((1, 8), pool("a", taint("dedicated", "x")), pool("b", unknown_label("nodegroup")))
    assert not explained(refused("ml/a", text)).causes


# -- only what is certain ------------------------------------------------------------------------------------------


def test_values_that_are_not_printed_may_be_any() -> None:
    many = [f"g5.{size}xlarge" for size in (12, 16, 24, 2, 48, 4, 8)]
    asked = types(Reason.RESOURCES_OF_PAIR, {GPU: "9", "pods": "5"}, listed(TYPE, *many), listed(NODEPOOL, "gpu"))
    assert "and 2 others" in refusal((1, 8), pool("gpu", asked))
    found = explained(refused("ml/a", refusal((1, 8), pool("gpu", asked))), SEOUL)
    assert not any(one.subject == TYPE for cause in found.causes for one in cause.constraints)


def test_another_region_s_facts_prove_nothing_about_zones_but_hardware_is_hardware() -> None:
    zoned = types(
        Reason.OFFERING_OF_PAIR, {"cpu": "1", "pods": "3"}, listed(TYPE, "p4d.24xlarge"), listed(ZONE, "us-east-1a")
    )
    assert not explained(refused("ml/a", refusal((1, 8), pool("gpu", zoned))), SEOUL).causes
    counted = types(
        Reason.RESOURCES_OF_PAIR, {GPU: "16", "pods": "3"}, listed(TYPE, "p4d.24xlarge"), listed(ZONE, "us-east-1a")
    )
    found = explained(refused("ml/a", refusal((1, 8), pool("gpu", counted))), SEOUL)
    assert ids(found) == ["gpu-count-exceeds-instance"]


def test_karpenter_s_sentence_has_to_leave_room_for_the_cause() -> None:
    said = types(Reason.OFFERING_OF_PAIR, {GPU: "16", "pods": "3"}, listed(TYPE, "p4d.24xlarge"))
    assert not explained(refused("ml/a", refusal((1, 8), pool("gpu", said))), SEOUL).causes


def test_disk_and_pod_count_are_the_nodeclass_s_business() -> None:
    said = types(Reason.RESOURCES, {"ephemeral-storage": "900Gi", "pods": "3"}, listed(TYPE, "m5.large"))
    assert not explained(refused("a/b", refusal((1, 8), pool("x", said))), SEOUL).causes


def test_a_misspelt_well_known_label_is_wrong_whatever_the_other_nodepools_say() -> None:
    text = refusal(
        (1, 8), pool("a", taint("dedicated", "x")), pool("b", unknown_label("karpenter.sh/capcity-type", CAPACITY))
    )
    found = explained(refused("a/b", text))
    assert ids(found) == ["unknown-label"]
    assert found.causes[0].facts["did_you_mean"] == CAPACITY


def test_a_value_that_no_instance_type_has_needs_no_ec2() -> None:
    said = types(Reason.REQUIREMENTS, {"cpu": "1", "pods": "3"}, listed(ARCH, "x86_64"), listed(NODEPOOL, "a"))
    assert ids(explained(refused("a/b", refusal((1, 8), pool("a", said))))) == ["requirement-conflict"]


# -- roots and what follows from them ------------------------------------------------------------------------------

MARKED = line(
    "removing offering from offerings",
    level="DEBUG",
    **{
        "reason": "InsufficientInstanceCapacity",
        "instance-type": "p4d.24xlarge",
        "zone": "ap-northeast-2b",
        "capacity-type": "spot",
    },
)


def test_a_quota_explains_the_incompatibility_that_follows() -> None:
    launch = launch_failed(
        "gpu-a1b2c", "creating nodeclaim, creating instance, with fleet error(s), " + QUOTA.format(0)
    )
    said = types(
        Reason.OFFERING_OF_PAIR, {GPU: "8", "pods": "3"}, listed(TYPE, "p4d.24xlarge"), listed(NODEPOOL, "gpu")
    )
    after = refused("ml/a", refusal((1, 8), pool("gpu", said)))
    assert ids(explained(f"{launch}\n{MARKED}\n{after}", SEOUL))[0] == "vcpu-quota-exceeded"


def test_what_can_be_mended_comes_before_what_only_waiting_mends() -> None:
    both = f"{no_capacity('p4d.24xlarge', 'us-west-2a')}; {QUOTA.format(96)}"
    text = launch_failed("gpu-a1b2c", "creating nodeclaim, creating instance, with fleet error(s), " + both)
    found = explained(text)
    assert ids(found) == ["vcpu-quota-exceeded", "capacity-unavailable"]
    assert found.causes[1].facts["zones"] == ("us-west-2a",)


def test_a_nodepool_that_dropped_out_makes_the_others_refusals_doubtful() -> None:
    unready = line("ignoring nodepool, not ready", level="ERROR", NodePool={"name": "gpu"})
    other = refused("ml/a", refusal((1, 8), pool("default", unknown_label("nodeType"))))
    assert ids(explained(other)) == ["unknown-label"]
    assert not explained(f"{unready}\n{other}").causes
    assert ids(explained(unready)) == ["nodepool-not-ready"]


def test_a_pod_that_was_nominated_since_only_waits() -> None:
    before = refused("ml/a", refusal((1, 8), pool("default", taint("a", "b"))), at="2025-06-02T10:00:00.000Z")
    about = "Pod should schedule on: nodeclaim/default-a1b2c"
    found = explained(f"{before}\n3s   Normal   Nominated   pod/a   {about}")
    assert ids(found) == ["taint-not-tolerated"]  # another pod, by what the table says
    assert ids(explained(before)) == ["taint-not-tolerated"]
    described = f"Name: a\nNamespace: ml\nEvents:\n  Normal  Nominated  3s  karpenter  {about}"
    only_nominated = explained(described)
    assert (only_nominated.kind, ids(only_nominated)) == ("nominated", [])


# -- any text ------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from([case.text for case in CASES])


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=40)), max_size=4).map("\n".join)))
def test_no_text_is_too_strange(text: str) -> None:
    found = explained(text)
    assert found.recognised or not found.causes
    render_explanation(found, PLAYBOOKS, "ko")


LINES = [
    (case, text) for case in CASES for text in case.text.splitlines() if text.startswith("{") or "\tcontroller" in text
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(LINES), st.floats(0, 1))
def test_a_line_that_broke_off_proves_nothing_that_the_whole_line_does_not(
    picked: tuple[PastedCase, str], share: float
) -> None:
    case, whole = picked
    cut = whole[: int(len(whole) * share)]
    assert set(ids(case.explained(cut))) <= set(ids(case.explained(whole)))


def test_a_very_long_line_is_read_like_any_other() -> None:
    long = refused("ml/a", refusal((1, 8), pool("default", unknown_label("nodegroup")))).replace(
        '"commit":', '"padding":"' + "x" * 2_000_000 + '","commit":'
    )
    assert ids(explained(long)) == ["unknown-label"]


# -- the command ---------------------------------------------------------------------------------------------------


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "explain", *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def test_the_json_has_the_contract_s_fields() -> None:
    done = run("-", "--snapshot", str(SEED), "-o", "json", text=seed())
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["recognised"], answer["kind"]) == (0, True, "pod-refused")
    assert answer["pods"][0] == "default/llama-3-8b-node-0-1-z49j4"
    assert set(answer["causes"][0]) >= {"id", "playbook", "summary", "constraints", "facts", "evidence"}
    assert answer["causes"][0]["summary"] == "g6e.8xlarge has 1 EFA interface, you asked for 8."
    assert all(isinstance(need, str) for need in answer["needs"])
    assert answer["needs"]


def test_text_that_is_not_karpenter_s_is_an_answer_too() -> None:
    done = run("-o", "json", text="good morning")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["recognised"], answer["kind"], answer["causes"]) == (0, False, None, [])


def test_an_unreadable_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for missing in (str(tmp_path / "none.txt"), str(tmp_path)):
        done = run(missing)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "Traceback" not in done.stderr


def test_the_answer_is_in_korean_where_that_is_wanted() -> None:
    done = run("--lang", "ko", text=(FOLDER / "kc-1162.txt").read_text(encoding="utf-8"))
    assert "nodegroup" in done.stdout
    assert re.search("[가-힣]", done.stdout)
