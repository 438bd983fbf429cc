"""Runs one program of the bed so that it cannot outlive its parent; run as a script, imports nothing of ours.

    launch.py [--detached] [--cri-log FILE] -- PROGRAM ARGUMENT...

Without `--detached` the kernel kills the program when the process that launched it ends, however that ends
(prctl PR_SET_PDEATHSIG), so that a killed test run leaves nothing behind.
With `--cri-log` it does what a container runtime does: writes the program's output line by line, stamped in the CRI
log format, which is what a kubelet (here: kwok) reads back for `kubectl logs`.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import NoReturn

PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died between the two lines above
        sys.exit(1)


def _stamp(line: bytes) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").encode()  # noqa: TID251
    return now + b" stdout F " + line


def _run_logged(command: list[str], path: str) -> int:
    launcher = [sys.executable, __file__, "--", *command]
    with open(path, "ab", buffering=0) as log, subprocess.Popen(launcher, stdout=subprocess.PIPE) as child:  # noqa: PTH123
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        assert child.stdout is not None
        for line in child.stdout:
            log.write(_stamp(line))
        return child.wait()


def main() -> NoReturn:
    parser = argparse.ArgumentParser()
    parser.add_argument("--detached", action="store_true")
    parser.add_argument("--cri-log")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    if not arguments.detached:
        _die_with_parent()
    if arguments.cri_log:
        sys.exit(_run_logged(arguments.command, arguments.cri_log))
    os.execv(arguments.command[0], arguments.command)  # noqa: S606


if __name__ == "__main__":
    main()
