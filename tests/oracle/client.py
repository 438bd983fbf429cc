"""Builds the two Go programs of the oracle and talks to them.

`Oracle` asks Karpenter's scheduler, `resolve_instance_types` asks the AWS provider's resolver. Both raise
`OracleUnavailable` with a reason fit for `pytest.skip` when Go, its modules or a compiler is missing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from tests.oracle.normalise import normalise, normalise_message
from tests.oracle.verdicts import ResolvedInstanceType, Timing, Verdict

__all__ = [
    "Case",
    "Oracle",
    "OracleError",
    "OracleUnavailable",
    "build",
    "measure",
    "normalise",
    "normalise_message",
    "resolve_instance_types",
]

SOURCES = Path(__file__).parent
CACHE = SOURCES.parents[1] / ".cache" / "oracle"

REQUIRED: Final = "TESTS_REQUIRE_ORACLE"
"""Set where everything must run: tests then build the programs themselves, and fail where they cannot."""

# A case as README.md describes it; plain JSON, for it holds Kubernetes objects as the API server prints them.
Case = Mapping[str, object]


class OracleUnavailable(Exception):  # noqa: N818 (a state of the machine, not a fault)
    """The oracle cannot be built here; the message says why and what would help."""


class OracleError(Exception):
    """The oracle ended where it should have answered."""


class Oracle:
    """A running Karpenter scheduler. Use it as a context manager; one thread at a time."""

    def __init__(self, *, parallel: int | None = None) -> None:
        """Build and start the program, deciding up to `parallel` cases at once (default: one per CPU).

        Raises OracleUnavailable.
        """
        self._parallel = parallel or os.cpu_count() or 1
        self._process = _start(build("scheduler"), "-parallel", str(self._parallel))
        self._decoder = msgspec.json.Decoder(Verdict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the program."""
        _close(self._process)

    def decide(self, case: Case) -> Verdict:
        """Karpenter's verdict on one case. Raises OracleError if the program died."""
        return next(self.decide_all([case]))

    def decide_all(self, cases: Iterable[Case]) -> Iterator[Verdict]:
        """Verdicts in the order of the cases, streamed: no more cases are read ahead than are decided at once."""
        under_way = 0
        for case in cases:
            # Sending more than the program works on could leave both sides waiting on a full pipe.
            if under_way == self._parallel:
                yield self._decoder.decode(_receive(self._process))
                under_way -= 1
            _send(self._process, msgspec.json.encode(case))
            under_way += 1
        for _ in range(under_way):
            yield self._decoder.decode(_receive(self._process))

    def outcomes(self, case: Case, *, samples: int = 16) -> list[Verdict]:
        """The distinct verdicts of several runs, after `normalise`: more than one where Karpenter walks a map."""
        distinct: dict[bytes, Verdict] = {}
        for verdict in self.decide_all([case] * samples):
            normal = normalise(verdict)
            distinct.setdefault(msgspec.json.encode(normal), normal)
        return [distinct[key] for key in sorted(distinct)]


def measure(cases: Iterable[Case], *, runs: int) -> list[Timing]:
    """Karpenter's time per case, each solved `runs` times in one process. Raises OracleUnavailable, OracleError."""
    lines = b"".join(msgspec.json.encode(case) + b"\n" for case in cases)
    output = _run(build("scheduler"), lines, "-repeat", str(runs))
    return msgspec.json.Decoder(Timing).decode_lines(output)


def resolve_instance_types(describe: object, options: Mapping[str, object]) -> list[ResolvedInstanceType]:
    """What the AWS provider makes of `aws ec2 describe-instance-types`; options as in README.md.

    Raises OracleUnavailable, OracleError.
    """
    question = msgspec.json.encode({"instanceTypes": describe, "options": options})
    return msgspec.json.Decoder(ResolvedInstanceType).decode_lines(_run(build("instancetypes"), question))


def build(program: str) -> Path:
    """The binary of a program, built into the cache when its sources changed. Raises OracleUnavailable."""
    go = shutil.which("go")
    if go is None:
        raise OracleUnavailable("the oracle needs Go (see tests/oracle/go.mod for the version); none is on PATH")
    binary = CACHE / f"{program}-{_fingerprint(program)}"
    if binary.exists():
        return binary
    if "PYTEST_CURRENT_TEST" in os.environ and not os.environ.get(REQUIRED):
        raise OracleUnavailable("the oracle is not built yet: `make native` does it once, in about 5 minutes")
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = CACHE / f".{binary.name}.{os.getpid()}"
    made = subprocess.run(
        [go, "build", "-o", str(unfinished), f"./{program}"], cwd=SOURCES, capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        raise OracleUnavailable(f"the oracle did not build: {made.stderr.strip()[-2000:]}")
    for stale in CACHE.glob(f"{program}-*"):
        stale.unlink(missing_ok=True)
    unfinished.replace(binary)
    return binary


def _fingerprint(program: str) -> str:
    digest = hashlib.sha256()
    for source in [SOURCES / "go.mod", SOURCES / "go.sum", *sorted((SOURCES / program).glob("*.go"))]:
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _start(binary: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([binary, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise OracleError("the oracle was started without pipes")
    return stream


def _send(process: subprocess.Popen[bytes], line: bytes) -> None:
    try:
        _pipe(process.stdin).write(line + b"\n")
        _pipe(process.stdin).flush()
    except BrokenPipeError as error:
        raise OracleError(f"the oracle ended with exit code {process.wait()}") from error


def _receive(process: subprocess.Popen[bytes]) -> bytes:
    line = _pipe(process.stdout).readline()
    if not line:
        raise OracleError(f"the oracle ended with exit code {process.wait()}")
    return line


def _close(process: subprocess.Popen[bytes]) -> None:
    _pipe(process.stdin).close()
    _pipe(process.stdout).close()
    process.wait()


def _run(binary: Path, question: bytes, *arguments: str) -> bytes:
    done = subprocess.run([binary, *arguments], input=question, capture_output=True, check=False)
    if done.returncode != 0:
        raise OracleError(done.stderr.decode(errors="replace").strip())
    return done.stdout
