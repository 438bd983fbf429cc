"""`make bench`: measured figures for a person to read. Nothing here is asserted: a loaded machine is no failure.

python -m tests.bench [--runs 7]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bot import app
from bot.catalogues import Catalogues
from bot.diagnosis import diagnose
from bot.sources.pod_search import PodQuestion, find_pod
from bot.sources.snapshot import read_snapshot
from tests.recorded import CASES, RECORDED

ROOT = Path(__file__).parent.parent
SEED = CASES / "seed-efa-8-on-g6e-8xlarge"
POD = "default/llama-3-8b-node-0-1-z49j4"
COMMAND = str(Path(sys.executable).parent / "karpenter-bot")


def milliseconds(work: Callable[[], object], runs: int) -> list[float]:
    """Wall time of each run."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def report(name: str, taken: list[float]) -> None:
    """One line: best and median."""
    print(f"{name:<58} best {min(taken):8.1f} ms   median {statistics.median(taken):8.1f} ms   ({len(taken)} runs)")


def process(*arguments: str) -> Callable[[], object]:
    """A whole process, its output thrown away."""
    return lambda: subprocess.run(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def resident() -> float:
    """This process's resident memory now, in MiB (Linux)."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def bench_processes(runs: int) -> None:
    report("karpenter-bot --help, whole process", milliseconds(process(COMMAND, "--help"), runs))
    report("import bot.app, whole process", milliseconds(process(sys.executable, "-c", "import bot.app"), runs))
    report("python -c pass, for comparison", milliseconds(process(sys.executable, "-c", "pass"), runs))
    why = process(COMMAND, "why", POD, "--snapshot", str(SEED), "-o", "json")
    report("why on the recorded seed, whole process", milliseconds(why, runs))


def bench_decision(runs: int) -> None:
    world = read_snapshot(SEED, app.wall_clock())
    pod = find_pod(world, PodQuestion.parse(POD))
    catalogues = Catalogues()
    started = time.perf_counter()
    whole = catalogues.of(world)
    print(f"{'instance types of the region, derived once':<58} {(time.perf_counter() - started) * 1000:.1f} ms")
    diagnose(whole, pod)
    offerings = {len(c.types): sum(len(t.offerings) for t in c.types) for c in whole.catalogues.values()}
    report(
        f"the pure diagnosis, {len(whole.node_pools)} NodePools, types: offerings {offerings}",
        milliseconds(lambda: diagnose(whole, pod), 5 * runs),
    )


def bench_memory() -> None:
    catalogues = Catalogues()
    before = resident()
    for index in range(100):
        case = RECORDED[index % len(RECORDED)]
        app.answer_from_snapshot(case.folder, PodQuestion.parse(case.spec["question"]), catalogues)
        if index in (9, 49, 99):
            print(
                f"{f'resident memory after {index + 1} answers from snapshots':<58} {resident():8.1f} MiB (before: {before:.1f})"
            )


def main() -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: a busy machine reads slower than it is")
    bench_processes(runs)
    bench_decision(runs)
    bench_memory()


if __name__ == "__main__":
    main()
