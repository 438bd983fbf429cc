"""The Dockerfile keeps what it promises, as far as that can be read off it; hadolint knows the rest."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.tools import REPOSITORY

TEXT = (REPOSITORY / "Dockerfile").read_text("utf-8")


def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("NOT RUN: hadolint's wheel is not made for this machine")
    done = subprocess.run([program, str(REPOSITORY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_everything_that_is_installed_is_locked_by_hash() -> None:
    installs = [line for line in TEXT.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


def test_the_last_stage_is_nobody_and_has_no_tools() -> None:
    last = TEXT.rpartition("\nFROM ")[2]
    assert "USER 65532:65532" in last
    assert "pip" not in last
    assert 'ENTRYPOINT ["karpenter-bot"]' in last, "the exec form: no shell between the signal and the bot"
