"""A real PostgreSQL for the tests: its own server in a folder of its own, on a free port of the loopback interface."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

REQUIRED: Final = "TESTS_REQUIRE_POSTGRES"
"""Set where a missing PostgreSQL is an error and not a skip."""
HOW_TO_GET: Final = "PostgreSQL's server programs are not here; `apt-get install postgresql` brings them"
_UNPRIVILEGED: Final = "nobody"
"""initdb and postgres refuse to run as root."""


class PostgresMissingError(Exception):
    """The server cannot be run here; the message says what to install."""


@dataclass(slots=True, kw_only=True)
class PostgresServer:
    """A running server; each test takes databases of its own."""

    port: int
    programs: Path
    folder: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def new_database(self) -> str:
        """Creates an empty database; its URL."""
        name = f"store_{next(self._numbers)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bot", name)
        return f"postgresql://bot@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -p {self.port}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-o", options, "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stops the server; `immediate` is what a crash looks like from outside."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "-w", "stop")

    def initialise(self) -> None:
        """Makes the server's folder."""
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", "bot", "--auth=trust", "--encoding=UTF8", "--no-sync"
        )

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={_UNPRIVILEGED}", "--regid=nogroup", "--clear-groups", *command]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.strip() or done.stdout.strip()}")


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server for the length of the block. Raises PostgresMissingError."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="karpenter-bot-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _UNPRIVILEGED, "nogroup")
    server = PostgresServer(port=_free_port(), programs=programs, folder=folder)
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        with suppress(RuntimeError):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Where the server's programs are; Debian keeps them off PATH, one folder a version."""
    if found := shutil.which("initdb"):
        # a wrapper on PATH may lie apart from the others: follow it home
        home = Path(found).resolve().parent
        if (home / "postgres").exists():
            return home
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if not versions:
        raise PostgresMissingError(HOW_TO_GET)
    return versions[-1]


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
