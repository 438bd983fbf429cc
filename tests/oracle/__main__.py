"""`python -m tests.oracle build`: builds both programs of the oracle (`make native`)."""

import sys

from tests.oracle.client import OracleUnavailable, build


def main() -> int:
    """Prints where the programs are; 1 and the reason when they cannot be built."""
    try:
        print("\n".join(f"{program}: {build(program)}" for program in ("scheduler", "instancetypes")))
    except OracleUnavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
