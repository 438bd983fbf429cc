"""Starting, watching and ending the bed's processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.components import LOOPBACK, Component

_LAUNCHER: Final = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One started process; `started` (kernel ticks) tells it from a later process with the same id."""

    name: str
    pid: int
    started: str
    output: Path

    def alive(self) -> bool:
        return _start_ticks(self.pid) == self.started

    def last_lines(self, count: int = 20) -> str:
        return "\n".join(self.output.read_text("utf-8", errors="replace").splitlines()[-count:])


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on; all held at once, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for held in sockets:
            held.bind((LOOPBACK, 0))
        return [int(held.getsockname()[1]) for held in sockets]
    finally:
        for held in sockets:
            held.close()


def start(component: Component, logs: Path, *, detached: bool) -> Running:
    """Starts one component in a session of its own, its output in `logs`.

    Unless `detached`, the kernel ends it together with this process.
    """
    output = logs / f"{component.name}.log"
    launcher = [sys.executable, str(_LAUNCHER)]
    launcher += ["--detached"] if detached else []
    launcher += ["--cri-log", str(component.cri_log)] if component.cri_log else []
    with output.open("ab") as sink:
        child = subprocess.Popen(
            [*launcher, "--", *component.command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=logs,
            env={**_plain_environment(), **component.environment},
            start_new_session=True,
        )
    # Its end is read from /proc and reaped in `stop`; without this Python warns about a forgotten child.
    child.returncode = 0
    return Running(name=component.name, pid=child.pid, started=_start_ticks(child.pid) or "", output=output)


def stop(running: Iterable[Running]) -> None:
    """Ends them, last started first: a polite signal to all, then the hard one: nothing of a bed is worth a wait."""
    targets = [process for process in reversed(list(running)) if process.alive()]
    for process in targets:
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + 1
    while any(process.alive() for process in targets) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in targets:
        if process.alive():
            _signal_group(process, signal.SIGKILL)


def _signal_group(process: Running, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _start_ticks(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat, None for a process that is gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z":
        _reap(pid)
        return None
    return fields[19]


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # another process's child


def _plain_environment() -> dict[str, str]:
    """Without proxies (all is on the loopback) and without anyone's kubeconfig or AWS credentials."""
    kept = {"GOGC", "HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name in kept}


def pause(running: Iterable[Running]) -> None:
    for process in running:
        _signal_group(process, signal.SIGSTOP)


def resume(running: Iterable[Running]) -> None:
    for process in running:
        _signal_group(process, signal.SIGCONT)
