"""`python -m tests.crash [KILLS [STORE]]`: the long matrix, on SQLite and PostgreSQL, or one of them; at least so many kills."""

import os
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from tests.crash.matrix import Tally, matrix, plan
from tests.crash.stories import STORIES
from tests.postgres import running_postgres

EVERY = 50
RACES = 150
"""At least so many runs of two replicas at once, on each store."""


def main() -> int:
    """An equal share of the kills on each store; what came of them."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    tallies = {kind: Tally() for kind in sys.argv[2:] or ("sqlite", "postgresql")}
    with tempfile.TemporaryDirectory() as folder, running_postgres() as postgres:
        for kind, tally in tallies.items():
            url = f"sqlite:///{folder}/store.sqlite3" if kind == "sqlite" else postgres.new_database()
            through(url, Path(folder), tally, -(-wanted // len(tallies)), kind)
    wrong = [f"{kind}: {one}" for kind, tally in tallies.items() for one in tally.wrong]
    for kind, tally in tallies.items():
        print(f"{kind}: {tally.kills} kills in {tally.runs} runs, at {len(tally.places)} places")
        print(f"  ends: {dict(tally.ends)}")
        print(f"  places: {dict(sorted(tally.places.items()))}")
    print(f"{sum(tally.kills for tally in tallies.values())} kills; wrong: {len(wrong)}")
    for one in wrong[:20]:
        print(f"  {one}")
    return 1 if wrong else 0


def through(url: str, folder: Path, tally: Tally, kills: int, kind: str) -> None:
    """The whole plan, and more of it until there are so many kills."""
    started, numbers = time.monotonic(), count()
    with matrix(url, folder, tally) as it:
        for story in STORIES:
            it.measure(story, f"{kind}-{next(numbers)}")
        fewest = sum(it.steps.values()) + RACES
        for number, run in enumerate(plan(it.steps, seed=len(kind))):
            if tally.wrong or (number >= fewest and tally.kills >= kills):
                break
            it.play(run, f"{kind}-{next(numbers)}")
            if tally.runs % EVERY == 0:
                took, load = time.monotonic() - started, os.getloadavg()[0]
                print(f"{kind}: {tally.runs} runs, {tally.kills} kills, {took:.0f} s, load {load:.1f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
