"""Playbooks of one's own: scaffolded, tested in YAML, followed while they change; what breaks keeps what last did well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import packaged
from bot.commands import playbooks as command
from bot.commands.arguments import Parser, UsageError
from bot.doctor.rounds import _playbooks as examined
from bot.playbooks import CAUSES, Playbooks, check_playbooks, read_playbooks, render, unusable
from bot.playbooks.check import example_diagnosis
from bot.playbooks.scaffold import scaffold
from bot.playbooks.trials import diagnosis_of, failures, read_trials
from bot.reloading import FollowedPlaybooks
from bot.telemetry import measures
from tests.recorded import CASES

CAUSE = "gpu-count-exceeds-instance"
EN = f"en/{CAUSE}.md.j2"
SHIPPED = packaged.load_playbooks()
SOURCES = packaged.shipped_playbooks()


def run(*words: str) -> int:
    parser = Parser()
    command.add(parser)
    arguments = parser.parse_args(words)
    return int(arguments.run(arguments))


def test_every_cause_can_be_begun_and_its_first_tests_pass() -> None:
    files: dict[str, str] = {}
    for cause in CAUSES:
        files |= scaffold(cause, SHIPPED, SOURCES)
    pages = {name: text for name, text in files.items() if name.endswith(".md.j2")}
    assert set(pages) == {f"{language}/{cause}.md.j2" for language in SHIPPED.languages for cause in CAUSES}
    own = read_playbooks(SOURCES, pages)
    assert not unusable(own, pages)
    for name in files.keys() - pages.keys():
        trials, problems = read_trials(name, files[name], own.languages)
        assert len(trials) == len(SHIPPED.languages)
        assert not problems
        assert [failures(trial, diagnosis_of(trial, own), own) for trial in trials] == [()] * len(trials)


def test_from_new_to_a_failing_test_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "mine")
    assert run("--playbooks", folder, "new", CAUSE) == 0
    with pytest.raises(UsageError, match="there already"):
        run("--playbooks", folder, "new", CAUSE)
    with pytest.raises(UsageError, match="Did you mean `gpu-count-exceeds-instance`"):
        run("new", "gpu-count-exceeds-instances")
    assert run("--playbooks", folder, "check") == 0
    assert run("--playbooks", folder, "test") == 0
    case = f"- {{name: a case, language: ko, cause: {CAUSE}, snapshot: {CASES / 'gpu-16-on-p4d'},"
    more = f'{case} pod: default/llama-3-70b-node-0-0-8fq2x, says: ["Ask Minji"]}}\n'
    (tmp_path / "mine" / "more.tests.yaml").write_text(more)
    assert run("--playbooks", folder, "test") == 1
    assert "does not say: Ask Minji" in capsys.readouterr().out
    page = tmp_path / "mine" / "ko" / f"{CAUSE}.md.j2"
    page.write_text(page.read_text().replace("{% block check %}", "{% block check %}\n- Ask Minji.\n"))
    assert run("--playbooks", folder, "test") == 0
    (tmp_path / "mine" / "more.tests.yaml").write_text("- {name: says nothing, cause: nonsense, facts: {a: 1}}")
    assert run("--playbooks", folder, "test") == 2
    told = capsys.readouterr().err
    assert "unknown cause `nonsense`" in told
    assert "expects nothing" in told
    assert run("--playbooks", str(tmp_path), "test") == 2


class Kept:
    """The last state of each measure."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def keep(self, name: str, value: float, labels: object) -> None:  # noqa: ARG002 (the keeper's signature)
        self.values[name] = value


@pytest.fixture
def kept() -> Iterator[Kept]:
    measures.watched_by(keeper := Kept())
    yield keeper
    measures.watched_by(None)


def headline(playbooks: Playbooks) -> str:
    page = SHIPPED.pages_for(CAUSE, "en")[0]
    return render(example_diagnosis(CAUSE, page), playbooks, "en").summary


def mine(words: str) -> str:
    return f"---\nid: {CAUSE}\ntitle: Mine\nfor: [{CAUSE}]\n---\n{{% block headline %}}{words}{{% endblock %}}\n"


def test_a_changed_page_speaks_at_once_and_a_broken_one_keeps_its_last_words(tmp_path: Path, kept: Kept) -> None:
    page = tmp_path / EN
    page.parent.mkdir()
    followed = FollowedPlaybooks([str(tmp_path)])
    own = headline(followed)
    page.write_text(mine("*First.*"))
    assert followed.refresh()
    assert headline(followed) == "First."
    page.write_text(mine("*{{ facts.nonsense }}*"))
    assert followed.refresh()
    assert headline(followed) == "First."
    assert "facts.nonsense" in str(followed.trouble)
    assert kept.values["playbook_problems"] == 1
    (finding,) = examined([str(tmp_path)])
    assert (finding.state.value, EN in finding.found) == ("problem", True)
    page.write_text(mine("*Second.*"))
    assert followed.refresh()
    assert (headline(followed), followed.trouble, kept.values["playbook_problems"]) == ("Second.", (), 0)
    assert not followed.refresh(), "nothing has changed"
    page.unlink()
    assert followed.refresh()
    assert headline(followed) == own


def test_a_page_that_never_spoke_leaves_the_word_to_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / EN).write_text("no front matter")
    followed = FollowedPlaybooks([str(tmp_path)])
    assert headline(followed) == headline(SHIPPED)
    assert followed.trouble


def swap(mount: Path, name: str, files: dict[str, str]) -> None:
    """A ConfigMap's volume as kubelet writes it: a new folder, and one rename of the link to it."""
    folder = mount / f"..{name}"
    folder.mkdir()
    for key, text in files.items():
        (folder / key).write_text(text)
        if not (mount / key).is_symlink():
            (mount / key).symlink_to(Path("..data") / key)
    (mount / "..data_tmp").symlink_to(folder.name)
    (mount / "..data_tmp").replace(mount / "..data")


def test_a_mounted_configmap_is_followed_through_kubelets_swap(tmp_path: Path) -> None:
    key = f"en.{CAUSE}.md.j2"
    swap(tmp_path, "2026_01", {key: mine("*One.*")})
    followed = FollowedPlaybooks([str(tmp_path)])
    assert headline(followed) == "One."
    assert not [p for p in check_playbooks(followed) if p.file == EN and "language" in p.message]
    swap(tmp_path, "2026_02", {key: mine("*Two.*")})
    assert followed.refresh()
    assert headline(followed) == "Two."
