"""The documentation: built with warnings as errors, its commands run and say what it says they say."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from bot.playbooks import CAUSES
from tests.site import ROOT, built, written

PAGES = sorted((ROOT / "docs").glob("*.md"))
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
    [one for page in PAGES for one in commands(page)],
    ids=lambda v: v[:60] if isinstance(v, str) else "",
)
def test_what_the_documentation_types_runs_and_says_so(command: str, said: list[str]) -> None:
    program, *words = shlex.split(command)
    assert program == "karpenter-bot"
    done = subprocess.run(
        [str(ROOT / ".venv" / "bin" / program), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert said, "a command whose outcome is not shown proves nothing"
    for line in said:
        assert line in done.stdout


def test_pages_speak_of_nothing_that_is_not_there() -> None:
    named = {
        name
        for page in PAGES
        for name in re.findall(r"`((?:deploy|tests|bot|playbooks)/[\w./-]+)`", page.read_text("utf-8"))
    }
    assert named
    assert all((ROOT / name).exists() for name in named), named
