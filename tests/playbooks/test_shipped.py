"""The shipped pages: complete in both languages, and true to grammar whatever the facts are."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.model.diagnosis import Change, Diagnosis, Edit, Fact, Opens, Remedy, Verdict
from bot.playbooks import CAUSES, check_playbooks, plain
from tests.playbooks.samples import (
    LANGUAGES,
    POD,
    blocked,
    cause,
    constraint,
    example,
    page_of,
    remedy,
    said,
    seed,
    shipped,
)


def test_nothing_is_wrong_with_them() -> None:
    assert [str(problem) for problem in check_playbooks(shipped())] == []


def _variants(given: Fact) -> tuple[Fact, ...]:
    if isinstance(given, bool):
        return (True, False)
    if isinstance(given, int | float):
        return (0, 1, 2, 5000)
    if isinstance(given, tuple):
        return ((), ("one",), ("one", "two"), tuple(f"value-{n}" for n in range(900)))
    return ("", "0", "one")


def _cases() -> Iterator[tuple[str, str, str, Fact]]:
    for name in CAUSES:
        for language in LANGUAGES:
            for fact, given in page_of(name, language).examples.items():
                yield from ((name, language, fact, value) for value in _variants(given))


def test_every_page_speaks_whatever_one_fact_is() -> None:
    wrong = []
    for name, language, fact, value in _cases():
        rendered = said(blocked(example(name, language, **{fact: value})), language)
        longest = max((len(plain(line)) for line in (rendered.headline, *rendered.because)), default=0)
        if rendered.problems or not rendered.summary or not rendered.because or longest > 1_000:
            wrong.append((name, language, fact, value, rendered.problems))
    assert wrong == []


# Each section of the page that the project began with, and the sentence that answers it.
SECTIONS = [
    (
        "gpu-count-exceeds-instance",
        "p4d.24xlarge has 8 GPUs, you asked for 16.",
        "p4d.24xlarge에는 GPU 8개뿐인데 16개를 요청했다.",
    ),
    (
        "efa-count-exceeds-instance",
        "g6e.8xlarge has 1 EFA interface, you asked for 8.",
        "g6e.8xlarge에는 EFA 인터페이스 1개뿐인데 8개를 요청했다.",
    ),
    (
        "efa-unsupported",
        "g5.2xlarge has no EFA, you asked for 1 EFA interface.",
        "g5.2xlarge에는 EFA가 없는데 EFA 인터페이스 1개를 요청했다.",
    ),
    (
        "zone-not-offered",
        "EC2 has no p5.48xlarge in `ap-northeast-2c`, only in `ap-northeast-2a`.",
        "`ap-northeast-2c`에는 p5.48xlarge 타입이 없다. 제공되는 곳은 `ap-northeast-2a`이다.",
    ),
    (
        "capacity-unavailable",
        "EC2 has no `spot` capacity for `p5.48xlarge` in `ap-northeast-2a` just now.",
        "지금 EC2에는 `ap-northeast-2a`의 `p5.48xlarge` `spot` 재고가 없다.",
    ),
    (
        "requirement-conflict",
        "The pod asks for `node.kubernetes.io/instance-type` `p5.48xlarge`, the NodePool allows `g5.2xlarge` or "
        "`g6e.8xlarge`.",
        "파드는 `node.kubernetes.io/instance-type` 값으로 `p5.48xlarge` 노드를 요구하는데 NodePool이 허용하는 값은 "
        "`g5.2xlarge`, `g6e.8xlarge`이다.",
    ),
]


@pytest.mark.parametrize(("name", "english", "korean"), SECTIONS, ids=[section[0] for section in SECTIONS])
def test_each_section_of_the_first_page_is_one_headline(name: str, english: str, korean: str) -> None:
    assert said(blocked(example(name))).summary == english
    assert said(blocked(example(name)), "ko").summary == korean


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_node_taken_from_a_training_job_shows_both_settings(language: str) -> None:
    check = "\n".join(plain(line) for line in said(blocked(example("node-disrupted")), language).causes[0].check)
    assert 'metadata:\n  annotations:\n    karpenter.sh/do-not-disrupt: "true"' in check
    assert "disruption:\n  consolidationPolicy: WhenEmpty\n  consolidateAfter: 10m" in check


@pytest.mark.parametrize(
    ("offered", "requested", "headline"),
    [
        (1, 2, "g6e.8xlarge has 1 GPU, you asked for 2."),
        (0, 1, "g6e.8xlarge has no GPUs, you asked for 1."),
        (8, 16, "g6e.8xlarge has 8 GPUs, you asked for 16."),
    ],
)
def test_english_counts(offered: int, requested: int, headline: str) -> None:
    given = example("gpu-count-exceeds-instance", offered=offered, requested=requested, instance_type="g6e.8xlarge")
    assert said(blocked(given)).summary == headline


def test_a_resource_without_a_name_in_the_language_is_shown_as_it_is() -> None:
    given = example("gpu-count-exceeds-instance", resource="example.com/fpga", offered=2)
    assert said(blocked(given)).summary == "p4d.24xlarge has 2 `example.com/fpga`, you asked for 16."


def test_the_seeds_remedy_in_both_languages() -> None:
    for language, summary, opens, where in (
        (
            "en",
            "Ask for 1 `vpc.amazonaws.com/efa` instead of 8 and keep `g6e.8xlarge`",
            "Would open 2 offerings, cheapest `g6e.8xlarge` spot in `ap-northeast-2a` at $2.01 an hour "
            "(price of 2025-12-28), on demand $5.53 an hour (price of 2025-12-01).",
            "Change it in `TrainJob default/llama-3-8b`.",
        ),
        (
            "ko",
            "`vpc.amazonaws.com/efa` 요청을 8개에서 1개로 줄인다 (`g6e.8xlarge` 유지)",
            "선택지(offering) 2개가 열린다. 가장 싼 것은 `ap-northeast-2a`의 `g6e.8xlarge` spot, 시간당 $2.01 "
            "(2025.12.28 기준), 온디맨드는 시간당 $5.53 (2025.12.01 기준).",
            "수정할 곳: `TrainJob default/llama-3-8b`",
        ),
    ):
        only = said(seed(), language).remedies[0]
        assert [plain(line) for line in (only.summary, only.opens, only.where) if line] == [summary, opens, where]
        assert only.cautions


def test_a_remedy_of_several_parts_is_one_sentence() -> None:
    pin = constraint("spec.nodeSelector", "topology.kubernetes.io/zone=ap-northeast-2a")
    edits = (
        _edit("nvidia.com/gpu", old="16", new="8"),
        Edit(
            constraint=pin,
            change=Change.REMOVE,
            object=POD,
            field="spec.nodeSelector",
            subject="topology.kubernetes.io/zone",
            old="ap-northeast-2a",
        ),
    )
    parts: tuple[tuple[str, dict[str, Fact]], ...] = (
        ("reduce-resource", {"resource": "nvidia.com/gpu", "old": "16", "new": "8", "keeps": ()}),
        ("drop-node-selector", {"key": "topology.kubernetes.io/zone", "old": "ap-northeast-2a"}),
    )
    both = _combined(parts, edits)
    assert plain(said(blocked(remedies=(both,))).remedies[0].summary) == (
        "Ask for 8 `nvidia.com/gpu` instead of 16, and drop the node selector "
        "`topology.kubernetes.io/zone: ap-northeast-2a`"
    )


def test_an_unknown_remedy_is_worded_by_its_edits() -> None:
    strange = _combined((), (_edit("nvidia.com/gpu", old="16", new="8"),))
    assert plain(said(blocked(remedies=(strange,))).remedies[0].summary) == (
        "Set `nvidia.com/gpu` in `spec.limits` of Pod default/llama-3-8b-node-0-1-z49j4 to `8` (now `16`)"
    )


def _edit(subject: str, *, old: str, new: str) -> Edit:
    return Edit(
        constraint=constraint(), change=Change.SET, object=POD, field="spec.limits", subject=subject, old=old, new=new
    )


def _combined(parts: tuple[tuple[str, dict[str, Fact]], ...], edits: tuple[Edit, ...]) -> Remedy:
    opens = Opens(offerings=0, instance_types=(), zones=())
    return Remedy(id="combined", relaxes=(), edits=edits, opens=opens, nodepool="gpu", parts=parts)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_without_a_cause_has_a_headline(verdict: Verdict, language: str) -> None:
    rendered = said(Diagnosis(pod=POD, uid="", verdict=verdict), language)
    assert POD.name in rendered.summary
    assert not rendered.problems


def test_long_lists_are_counted() -> None:
    many = tuple(f"g{n}.xlarge" for n in range(17))
    assert (
        "`g0.xlarge`, `g1.xlarge` and 15 more"
        in said(blocked(example("vcpu-quota-exceeded", instance_types=many))).summary
    )


def test_a_caution_or_note_that_is_no_known_id_is_shown_as_it_is() -> None:
    given = cause("no-nodepool", {"total": 0})
    rendered = said(Diagnosis(pod=POD, uid="", verdict=Verdict.BLOCKED, causes=(given,), notes=("as *it* is",)))
    assert plain(rendered.notes[0]) == "as *it* is"
    assert remedy().cautions == ()


def test_what_the_diagnosis_names_by_an_id_is_worded() -> None:
    other_gpu = replace(remedy(), cautions=("other-gpu",))
    for language in LANGUAGES:
        rendered = said(replace(blocked(remedies=(other_gpu,)), notes=("by-chance",)), language)
        assert not {"other-gpu", "by-chance"} & {plain(rendered.remedies[0].cautions[0]), plain(rendered.notes[0])}


def test_remedies_that_keep_a_node_do_not_claim_to_open_one() -> None:
    keeping = replace(
        remedy("add-do-not-disrupt", {"annotation": "karpenter.sh/do-not-disrupt", "value": "true"}),
        opens=Opens(offerings=0, instance_types=(), zones=()),
    )
    rendered = said(blocked(example("node-disrupted"), remedies=(keeping,)))
    assert plain(rendered.remedies_heading) == "What would keep the node"
    assert plain(rendered.remedies[0].opens) == "Holds off consolidation and drift as long as the pod runs."


def test_causes_that_say_the_same_are_told_once() -> None:
    limit = example("nodepool-limit-exceeded")
    rendered = said(blocked(example("taint-not-tolerated"), limit, limit, example("taint-not-tolerated")))
    assert [one.id for one in rendered.other_causes] == ["nodepool-limit-exceeded"]
    assert len(rendered.causes) == 4
