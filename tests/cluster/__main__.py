"""`python -m tests.cluster up|down`: the bed for work by hand (`make cluster`, `make cluster-down`)."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.cluster.bed import Bed, BedFailedError, new_folder, start_bed
from tests.cluster.build import CACHE, BinariesMissingError, ensure_assets
from tests.cluster.processes import Running, stop

STATE: Final = CACHE / "state.json"


def up() -> int:
    """Brings the bed up and leaves it running; a bed that already runs is told about, not started again."""
    if not (STATE.exists() and all(process.alive() for process in _recorded())):
        down()
        running = start_bed(ensure_assets(), new_folder(), detached=True)
        running.admin.close()
        STATE.write_text(json.dumps(_state(running), indent=2), "utf-8")
    state = json.loads(STATE.read_text("utf-8"))
    print(f"# The bed is ready. Its logs: {state['folder']}")
    for name, value in state["environment"].items():
        print(f"export {name}={value}")
    print(f"export PATH={CACHE / 'bin'}:$PATH   # kubectl of the same version")
    return 0


def down() -> int:
    """Ends the recorded processes and removes their folder; without a bed there is nothing to do."""
    if not STATE.exists():
        return 0
    stop(_recorded())
    shutil.rmtree(json.loads(STATE.read_text("utf-8"))["folder"], ignore_errors=True)
    STATE.unlink()
    return 0


def _state(bed: Bed) -> dict[str, object]:
    return {
        "folder": str(bed.folder),
        "environment": {"KUBECONFIG": str(bed.kubeconfig), **bed.aws_environment},
        "processes": [
            {"name": p.name, "pid": p.pid, "started": p.started, "output": str(p.output)} for p in bed.processes
        ],
    }


def _recorded() -> list[Running]:
    rows = json.loads(STATE.read_text("utf-8"))["processes"]
    return [
        Running(name=row["name"], pid=row["pid"], started=row["started"], output=Path(row["output"])) for row in rows
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    command = parser.parse_args().command
    try:
        return {"up": up, "down": down}[command]()
    except (BinariesMissingError, BedFailedError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
