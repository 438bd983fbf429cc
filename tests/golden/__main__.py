"""`make golden`: writes the answers of all recorded cases anew, to be reviewed as a diff."""

from tests import families
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
    _write_families()


def _write_families() -> None:
    """The families' answers, one file for each family and language."""
    families.GOLDEN.mkdir(exist_ok=True)
    made = {name: text for family in families.NAMES for name, text in families.answers(family).items()}
    for old in families.GOLDEN.iterdir():
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (families.GOLDEN / name).write_text(text, encoding="utf-8")
    print(f"{len(made)} golden answers of {len(families.ALL)} cases in {len(families.NAMES)} families")


if __name__ == "__main__":
    main()
