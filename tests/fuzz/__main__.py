"""python -m tests.fuzz [--count 100000] [--seed 1] [--only payload,webhook,text,manifest]"""

from __future__ import annotations

import argparse
import asyncio
import time

from tests.fuzz.run import SHARES, run

GROWTH = 64
"""MiB by which the bot (with the fake Slack and the fuzzer, in one process) may grow after its first fifth."""


def main() -> None:
    """The command line: exit code 1 where something is wrong."""
    parser = argparse.ArgumentParser(description="Mutated input at every door.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(SHARES))
    arguments = parser.parse_args()
    began = time.perf_counter()
    shares = {kind: SHARES[kind] for kind in arguments.only.split(",")}
    found = asyncio.run(run(arguments.count, arguments.seed, shares))
    print(f"{dict(found.tried)} in {time.perf_counter() - began:.0f} s, seed {arguments.seed}")
    print(f"statuses {dict(sorted(found.statuses.items()))}")
    if found.memory:
        settled = [mib for _, mib in found.memory][len(found.memory) // 5 :]
        grown = settled[-1] - settled[0]
        steps = found.memory[:: max(1, len(found.memory) // 10)]
        print(f"memory (inputs, MiB): {steps}, grown by {grown} MiB after the first fifth")
        if grown > GROWTH:
            found.add(f"memory grew by {grown} MiB")
    print(f"wrong: {len(found.wrong)}")
    for line in found.wrong:
        print(" ", line)
    raise SystemExit(1 if found.wrong else 0)


if __name__ == "__main__":
    main()
