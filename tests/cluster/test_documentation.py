"""What the documentation makes with kubectl: a real API server takes it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.bed import Bed
from tests.cluster.test_recreating import kubectl

pytestmark = pytest.mark.cluster
ROOT: Final = Path(__file__).parents[2]
_BLOCK: Final = re.compile(r"^ *```(?:sh|console)?\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_WRITES: Final = {"apply", "create"}


def typed() -> list[str]:
    """Every kubectl command in a block of README or docs, its continued lines as one, without comments and prompts."""
    found: list[str] = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            lines = block.replace("\\\n", " ").splitlines()
            found += [line.strip().removeprefix("$ ") for line in lines if re.match(r" *(\$ )?kubectl ", line)]
    return found


def test_every_object_that_is_made_is_taken(bed: Bed, tmp_path: Path) -> None:
    program = kubectl()
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    bot = Path(sys.executable).with_name("karpenter-bot")
    new = [str(bot), "playbooks", "new", "gpu-count-exceeds-instance", "--in", "mine"]
    subprocess.run(new, cwd=tmp_path, check=True, capture_output=True)
    commands = [shlex.split(line, comments=True) for line in typed()]
    tried = [words[1:] for words in commands if _WRITES & set(words)]
    assert len(tried) >= 5
    environment = {**os.environ, "KUBECONFIG": str(bed.kubeconfig)}
    for words in tried:
        # a namespace is made, for the others stand in it; nothing else is kept
        dry = [] if "namespace" in words else ["--dry-run=server"]
        done = subprocess.run(
            [str(program), *words, *dry], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0 or "already exists" in done.stderr, (words, done.stderr)
