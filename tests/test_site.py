"""The documentation: built with warnings as errors, its commands run and say what it says they say."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from bot.config import load_config
from bot.playbooks import CAUSES
from tests.site import ROOT, built, written

PAGES = sorted((ROOT / "docs").glob("*.md"))
_YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def test_it_builds_without_a_warning_and_has_every_cause_in_both_languages(tmp_path: Path) -> None:
    source = written(tmp_path / "docs")
    done = built(source)
    assert done.returncode == 0, done.stderr
    for cause in CAUSES:
        for folder in ("causes", "ko/causes"):
            assert (tmp_path / "site" / folder / cause / "index.html").is_file()


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """Each `$ command` of the page's console blocks, with the lines below it."""
    found: list[tuple[str, list[str]]] = []
    for block in _CONSOLE.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


@pytest.mark.parametrize(
    ("command", "said"),
    [one for page in PAGES for one in commands(page) if "mine" not in one[0].split()],
    ids=lambda v: v[:60] if isinstance(v, str) else "",
)
def test_what_the_documentation_types_runs_and_says_so(command: str, said: list[str]) -> None:
    runs_and_says(command, said, ROOT)


def runs_and_says(command: str, said: list[str], folder: Path) -> None:
    program, *words = shlex.split(command)
    assert program == "karpenter-bot"
    done = subprocess.run(
        [str(ROOT / ".venv" / "bin" / program), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert said, "a command whose outcome is not shown proves nothing"
    for line in said:
        assert line in done.stdout


def test_ones_own_playbooks_begin_are_tested_and_are_mounted_as_the_page_says(tmp_path: Path) -> None:
    page = ROOT / "docs" / "playbooks.md"
    steps = [one for one in commands(page) if "mine" in one[0].split()]
    for command, said in steps:
        runs_and_says(command, said, tmp_path)
    tests, values = _YAML.findall(page.read_text(encoding="utf-8"))
    (tmp_path / "mine" / "more.tests.yaml").write_text(tests, encoding="utf-8")
    shutil.copytree(ROOT / "tests" / "cases" / "gpu-16-on-p4d", tmp_path / "incident-42")
    own = tmp_path / "mine" / "en" / "gpu-count-exceeds-instance.md.j2"
    with pytest.raises(AssertionError):  # nobody has written "Ask Minji" yet
        runs_and_says(*steps[-1], tmp_path)
    own.write_text(own.read_text("utf-8").replace("{% block check %}", "{% block check %}\n- Ask Minji.\n"), "utf-8")
    runs_and_says(steps[-1][0], ["4 passed, 0 failed"], tmp_path)
    told = yaml.safe_load(values)
    known = yaml.safe_load((ROOT / "deploy" / "chart" / "values.yaml").read_text("utf-8"))
    assert told.keys() <= known.keys()
    (volume,), (mount,) = told["extraVolumes"], told["extraVolumeMounts"]
    assert volume["name"] == mount["name"]
    assert told["config"]["playbooks"] == [mount["mountPath"]]


def test_the_settings_that_the_readme_shows_are_settings(tmp_path: Path) -> None:
    blocks = _YAML.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 2
    file = tmp_path / "config.yaml"
    file.write_text("".join(blocks), encoding="utf-8")
    config = load_config({}, file=str(file))
    assert [one.name for one in config.clusters] == ["prod", "dev"]
    assert len(config.approvals.rules) == 2


def test_pages_speak_of_nothing_that_is_not_there() -> None:
    named = {
        name
        for page in PAGES
        for name in re.findall(r"`((?:deploy|tests|bot|playbooks)/[\w./-]+)`", page.read_text("utf-8"))
    }
    assert named
    assert all((ROOT / name).exists() for name in named), named
