"""Writes the texts of tests/pasted from the facts of real cases: `python -m tests.pasted.build`.

The facts (what was asked, what was allowed, which code or condition came) are those of public threads and documents, named
in cases.yaml; the sentences are Karpenter's, in the release of the case. Names, and numbers that a thread does not tell, are
our own.
"""

from __future__ import annotations

from pathlib import Path

from tests.pasted import texts_disruption, texts_launches, texts_refusals

FOLDER = Path(__file__).parent
TEXTS = {**texts_refusals.TEXTS, **texts_launches.TEXTS, **texts_disruption.TEXTS}


def main() -> None:
    """Writes every text; removes none."""
    for name, text in TEXTS.items():
        (FOLDER / f"{name}.txt").write_text(text.rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
