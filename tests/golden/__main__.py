"""`make golden`: writes the answers of all recorded cases anew, to be reviewed as a diff."""

from tests.recorded import GOLDEN, RECORDED


def main() -> None:
    """Rewrites every golden file and removes those of cases that are gone."""
    wanted = {name: text for case in RECORDED for name, text in case.answers().items()}
    for old in (*GOLDEN.glob("*.txt"), *GOLDEN.glob("*.json")):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (GOLDEN / name).write_text(text, encoding="utf-8")
    print(f"{len(wanted)} golden answers of {len(RECORDED)} cases")


if __name__ == "__main__":
    main()
