"""`python -m tests.pasted`: what `explain` makes of the real cases, as a table."""

from __future__ import annotations

from collections import Counter

from tests.pasted.cases import CASES, Outcome


def main() -> None:
    """One row a case, then the sums."""
    sums: Counter[str] = Counter()
    for case in CASES:
        found = ", ".join(sorted({cause.id for cause in case.explained().causes})) or "-"
        sums[case.outcome] += 1
        enough = "" if case.enough else " (not enough in the text)"
        print(f"{case.outcome:<8} {case.id:<32} {case.family:<30} {found}{enough}")
    missed = sum(case.enough and case.outcome is not Outcome.RIGHT for case in CASES)
    print(f"\n{len(CASES)} cases: " + ", ".join(f"{number} {name}" for name, number in sorted(sums.items())))
    print(f"{sum(case.enough for case in CASES)} carry enough evidence, {missed} of them are not answered")


if __name__ == "__main__":
    main()
