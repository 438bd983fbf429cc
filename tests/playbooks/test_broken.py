"""Playbooks with faults: each is found with file, line and remedy; at run time the answer still goes out."""

from dataclasses import replace

import pytest

from bot.playbooks import Playbooks, Problem, check_playbooks, plain, read_playbooks, render
from tests.playbooks.samples import blocked, example, seed, texts

PAGE = """---
id: efa-unsupported
title: No EFA
for: [efa-unsupported]
severity: blocked
facts:
  instance_type: {is: the type, example: g5.2xlarge}
  requested: {is: how many, example: 1}
links: [https://karpenter.sh/docs/]
---
{% block headline %}*{{ facts.instance_type }} has no EFA, you asked for {{ facts.requested }}.*{% endblock %}
{% block because %}
No node of `{{ cause.nodepools[0] }}` takes `{{ pod.name }}`.
{% endblock %}
"""
FILE = "mine/en/efa-unsupported.md.j2"


def problems(page: str, file: str = FILE) -> list[Problem]:
    """What is wrong with one page of an operator's, who has a Korean one too."""
    catalogues = {path: text for path, text in texts().items() if path.endswith(".yaml")}
    own = {file: page, FILE.replace("/en/", "/ko/"): PAGE}
    return [problem for problem in check_playbooks(read_playbooks(catalogues, own)) if problem.file == file]


def test_the_example_itself_is_sound() -> None:
    assert [problem.message for problem in problems(PAGE)] == []


BROKEN = {
    "no front matter": ("id: x\n", 1, "no front matter", "Begin with `---`"),
    "front matter that does not end": (PAGE.replace("---\n{%", "{%"), 1, "no front matter", "a line `---`"),
    "front matter that is no YAML": (PAGE.replace("title: No EFA", "title: [No EFA"), 4, "is no YAML", "Mend the YAML"),
    "front matter that is a list": ("---\n- a\n---\n", 1, "is no mapping", "Write `id: ...`"),
    "unknown key": (PAGE.replace("severity:", "severty:"), 5, "unknown key `severty`", "Did you mean `severity`?"),
    "no title": (PAGE.replace("title: No EFA\n", ""), 1, "`title` is missing", "Write `title: ...`"),
    "id that is not the file's": (PAGE.replace("id: efa-unsupported", "id: efa"), 2, "the file is", "the same name"),
    "unknown cause": (
        PAGE.replace("[efa-unsupported]", "[efa-unsuported]"),
        4,
        "unknown cause id `efa-unsuported`",
        "Did you mean `efa-unsupported`?",
    ),
    "causes that are no list": (PAGE.replace("[efa-unsupported]", "{a: 1}"), 4, "no list of cause ids", "Write `for:"),
    "unknown severity": (PAGE.replace(": blocked", ": fatal"), 5, "unknown severity `fatal`", "Use one of"),
    "fact without example": (PAGE.replace(", example: 1", ""), 8, "lacks `is` or `example`", "Write `requested:"),
    "fact that the cause does not have": (
        PAGE.replace("  requested:", "  requestd:"),
        8,
        "fact `requestd` does not belong to efa-unsupported",
        "Did you mean `requested`?",
    ),
    "link without https": (PAGE.replace("https://", "http://"), 9, "is no https address", "over https"),
    "template that does not parse": (
        PAGE.replace("{% endblock %}\n{%", "{% endblok %}\n{%"),
        11,
        "does not parse",
        "Mend",
    ),
    "unknown block": (PAGE.replace("block because", "block becuse"), 12, "unknown block `becuse`", "`because`?"),
    "text outside of blocks": (PAGE + "\nNever seen.\n", 16, "never shown", "Move it into a block"),
    "undefined fact": (
        PAGE.replace("facts.requested", "facts.requestedd"),
        11,
        "undefined variable `facts.requestedd`",
        "Did you mean `requested`?",
    ),
    "undefined variable": (PAGE.replace("pod.name", "pood.name"), 13, "undefined variable `pood`", "`pod`?"),
    "undefined attribute": (PAGE.replace("pod.name", "pod.nmae"), 13, "undefined variable `pod.nmae`", "`name`?"),
    "undefined name in a branch that no example takes": (
        PAGE.replace("No node", "{% if not facts.requested %}{{ facts.wrong }}{% endif %}No node"),
        13,
        "undefined variable `facts.wrong`",
        "List it under `facts`",
    ),
    "fact that is not used": (
        PAGE.replace(", you asked for {{ facts.requested }}", ""),
        1,
        "`requested` is listed but not used",
        "Use it",
    ),
    "other template": (
        PAGE.replace("No node", "{% include 'secret' %}No node"),
        13,
        "other templates",
        "Write its text",
    ),
    "failure while rendering": (PAGE.replace("pod.name", "pod.name / 2"), 13, "unsupported operand", "Use only facts"),
    "way out of the sandbox": (PAGE.replace("pod.name", "pod.name.__class__"), 13, "unsafe", "Use only facts"),
    "fact that only the other language uses": (
        PAGE.replace("  requested: {is: how many, example: 1}\n", "").replace("{{ facts.requested }}", "some"),
        1,
        "fact `requested` is not used here, but in mine/ko/efa-unsupported.md.j2",
        "Say the same in every language",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_is_found_with_its_line_and_its_remedy(name: str) -> None:
    page, line, message, remedy = BROKEN[name]
    assert page != PAGE
    found = [p for p in problems(page) if message in p.message]
    assert [(p.line, remedy in p.remedy) for p in found] == [(line, True)], problems(page)


def without(*files: str, **changed: str) -> Playbooks:
    """The shipped playbooks without some files."""
    return read_playbooks({path: text for path, text in {**texts(), **changed}.items() if path not in files})


def test_a_cause_without_a_page_in_one_language_is_found() -> None:
    (found,) = check_playbooks(without("ko/efa-unsupported.md.j2"))
    assert (found.file, found.message) == ("ko/efa-unsupported.md.j2", "no page for the cause `efa-unsupported`")


def test_two_pages_for_one_cause_are_found() -> None:
    twin = texts()["en/efa-unsupported.md.j2"].replace("id: efa-unsupported", "id: twin")
    found = check_playbooks(read_playbooks({**texts(), "en/twin.md.j2": twin}))
    assert [(p.file, p.message) for p in found] == [
        ("en/twin.md.j2", "`efa-unsupported` already has the page en/efa-unsupported.md.j2")
    ]


def test_a_file_that_is_neither_page_nor_catalogue_is_found() -> None:
    found = read_playbooks(
        {"en/notes.txt": "", "lonely.md.j2": PAGE.replace("efa-unsupported\nt", "lonely\nt")}
    ).problems
    assert [(p.file, p.message) for p in found] == [
        ("en/notes.txt", "neither a page nor a catalogue"),
        ("lonely.md.j2", "the file lies in no language's folder"),
    ]


CATALOGUES = {
    "missing key": ("price:", "prise:", "no sentence for `price`"),
    "unknown key": ("price:", "prise:", "unknown sentence `prise`"),
    "no YAML": ("price:", "price: [", "no YAML"),
    "undefined variable": ("{{ figure }}", "{{ figur }}", "undefined variable `figur` in `price`"),
    "template that does not parse": ("{{ figure }}", "{{ figure", "`price` does not parse"),
    "empty sentence": ('"${{ figure }} an hour"', '""', "`price` says nothing"),
    "list": ('"${{ figure }} an hour"', "[a]", "`price` is no text"),
}


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_fault_in_a_catalogue_is_found(name: str) -> None:
    old, new, message = CATALOGUES[name]
    file = "en/_phrases.yaml"
    text = texts()[file].replace(old, new, 1)
    found = [p for p in check_playbooks(read_playbooks({**texts(), file: text})) if message in p.message]
    assert len(found) == 1
    if found[0].file == file and message != "no YAML":
        assert "figure" in text.splitlines()[found[0].line - 1] or "price" in text.splitlines()[found[0].line - 1]


# -- at run time ---------------------------------------------------------------------------------------------------


def test_an_operators_page_speaks_instead_of_ours() -> None:
    own = read_playbooks(texts(), {FILE: PAGE.replace("has no EFA", "knows no EFA")})
    assert render(blocked(example("efa-unsupported")), own, "en").summary == "g5.2xlarge knows no EFA, you asked for 1."


def test_an_operators_sentence_speaks_instead_of_ours() -> None:
    own = read_playbooks(texts(), {"mine/en/_own.yaml": 'price: "USD {{ figure }}"\n'})
    assert "at USD 2.01 (price of 2025-12-28), on demand USD 5.53 (price of 2025-12-01)" in plain(
        render(seed(), own, "en").remedies[0].opens
    )


def test_a_broken_sentence_of_an_operator_gives_way_to_ours() -> None:
    own = read_playbooks(texts(), {"mine/en/_own.yaml": 'price: "{{ figure / nothing }}"\n'})
    assert "at $2.01 an hour" in plain(render(seed(), own, "en").remedies[0].opens)


@pytest.mark.parametrize("name", ["template that does not parse", "failure while rendering", "undefined fact"])
def test_a_broken_page_gives_way_to_the_next_and_is_reported(name: str) -> None:
    page, line, message, _ = BROKEN[name]
    rendered = render(blocked(example("efa-unsupported")), read_playbooks(texts(), {FILE: page}), "en")
    assert rendered.summary == "g5.2xlarge has no EFA, you asked for 1 EFA interface."
    assert [(p.file, p.line) for p in rendered.problems] == [(FILE, line)]
    assert message.split(" `")[0] in rendered.problems[0].message or "has no attribute" in rendered.problems[0].message


def test_a_fact_that_the_diagnosis_owes_gives_a_plain_summary() -> None:
    given = blocked(replace(example("efa-unsupported"), facts={}))
    rendered = render(given, read_playbooks(texts()), "ko")
    assert rendered.summary == "막힘: EFA를 지원하지 않는 타입에 EFA 요청"
    assert [plain(line) for line in rendered.because] == [
        "Pod default/llama-3-8b-node-0-1-z49j4 `spec.containers[0].resources.limits`: `vpc.amazonaws.com/efa=8`"
    ]
    assert {p.file for p in rendered.problems} == {"ko/efa-unsupported.md.j2", "en/efa-unsupported.md.j2"}


def test_a_missing_page_is_answered_in_english_and_reported() -> None:
    rendered = render(blocked(example("efa-unsupported")), without("ko/efa-unsupported.md.j2"), "ko")
    assert rendered.summary == "g5.2xlarge has no EFA, you asked for 1 EFA interface."
    assert [p.message for p in rendered.problems] == ["no page for `efa-unsupported`"]


def test_without_any_playbook_there_is_still_an_answer() -> None:
    rendered = render(seed(), read_playbooks({}), "en")
    assert rendered.summary
    assert rendered.causes[0].constraints[0].value == "vpc.amazonaws.com/efa=8"
    assert rendered.problems
