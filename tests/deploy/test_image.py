"""What the image holds, without a container engine: its wheel alone, run without privileges on a read-only root."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deploy.tools import REPOSITORY
from tests.recorded import CASES

SEED = CASES / "seed-efa-8-on-g6e-8xlarge"
POD = "default/llama-3-8b-node-0-1-z49j4"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel in it, and this one's packages (not this source tree) for dependencies."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, timeout=120)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()), "utf-8")
    return folder


def test_the_wheel_carries_what_the_bot_says_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    written = {str(path.relative_to(REPOSITORY / "playbooks")) for path in (REPOSITORY / "playbooks").rglob("*.*")}
    assert {name.removeprefix("bot/_playbooks/") for name in names if "_playbooks/" in name} == written
    assert not [name for name in names if name.startswith("tests") or "/tests/" in name]


def test_the_wheel_alone_answers(environment: Path, tmp_path: Path) -> None:
    command = [str(environment / "bin" / "karpenter-bot"), "why", POD, "--snapshot", str(SEED), "-o", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["causes"][0]["id"] == "efa-count-exceeds-instance"
    inside = [str(environment / "bin" / "python"), "-c", "import bot; print(bot.__file__)"]
    assert str(environment) in subprocess.run(inside, cwd=tmp_path, capture_output=True, text=True, check=True).stdout


_READ_ONLY = """
mount -o remount,ro,bind / && mount -t tmpfs -o mode=1777 tmpfs {writable} || exit 77
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs env -i PATH=/usr/bin:/bin HOME={writable} \
    {python} -c '{program}'
"""
_PROGRAM = """
import asyncio, os
from bot import packaged
from bot.store import open_store
from bot.store.deliveries import first_time
from bot.app import wall_clock
async def main():
    assert packaged.load_playbooks().pages
    async with open_store("sqlite:///{writable}/store.sqlite3") as store:
        assert await first_time(store, "k", wall_clock())
    try:
        open("{elsewhere}/file", "w")
    except OSError as error:
        print("may not write:", error.strerror)
asyncio.run(main())
"""


def test_the_store_needs_no_more_than_its_volume(environment: Path, tmp_path: Path) -> None:
    """A read-only root in a mount namespace of its own, no capabilities, one volume that can be written.

    The user stays: Python itself may lie where only this one may read.
    """
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("NOT RUN: needs root, unshare and setpriv to make a read-only root")
    volume = tmp_path / "volume"
    volume.mkdir()
    program = _PROGRAM.format(writable=volume, elsewhere=tmp_path).replace("'", '"')
    script = _READ_ONLY.format(writable=volume, python=environment / "bin" / "python", program=program)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 77:
        pytest.skip("NOT RUN: this machine lets nobody make a read-only root")
    assert done.returncode == 0, done.stderr
    assert "may not write: Read-only file system" in done.stdout
