"""Writes the folders of the recorded cases. Run with `python -m tests.cases.build [case ...]`."""

import argparse
from collections.abc import Iterator

from tests.cases.builder import blocked, capacity_cases, disrupted, elsewhere, joining, launches, outside, starting
from tests.cases.builder.case import Case, write
from tests.cases.builder.families import write_families


def cases() -> Iterator[Case]:
    """All of them."""
    for room in (blocked, capacity_cases, disrupted, elsewhere, outside, launches, joining, starting):
        yield from room.cases()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "names", nargs="*", help="cases to write (`families`: those of the families); all when none is named"
    )
    wanted = set(arguments.parse_args().names)
    for case in cases():
        if not wanted or case.name in wanted:
            write(case)
            print(case.name)
    if not wanted or "families" in wanted:
        write_families()


if __name__ == "__main__":
    main()
