"""`python -m tests.crash [KILLS]`: the long matrix, on SQLite and PostgreSQL; at least so many kills (1,000)."""

import sys
import tempfile
import time
from pathlib import Path

from tests.crash.matrix import Tally, through
from tests.postgres import running_postgres


def main() -> int:
    """Runs until there are enough kills; says what came of them."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    tally, started, batch = Tally(), time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder, running_postgres() as postgres:
        while tally.kills < wanted and not tally.wrong:
            batch += 1
            for kind in ("sqlite", "postgresql"):
                sqlite = f"sqlite:///{folder}/{batch}.sqlite3"
                url = sqlite if kind == "sqlite" else postgres.new_database()
                through(url, Path(folder), 100, tally, f"{kind}-{batch}")
                took = time.monotonic() - started
                print(f"{kind} {batch}: {tally.runs} runs, {tally.kills} kills, {took:.0f} s", flush=True)
    print(f"{tally.kills} kills in {tally.runs} runs; afterwards: {dict(tally.states)}; wrong: {len(tally.wrong)}")
    for wrong in tally.wrong[:20]:
        print(f"  {wrong}")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
