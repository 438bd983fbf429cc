"""`make demo`: the bot's answer for a recorded cluster, as a person would ask for it.

python -m tests.demo [CASE] [--lang ko] [-o json|slack]
"""

import sys
from pathlib import Path

import yaml

from bot.cli import main

CASES = Path(__file__).parent / "cases"


def demo(arguments: list[str]) -> int:
    """Asks about the case's own pod; an unknown case names those there are."""
    name, *more = arguments or ["seed-efa-8-on-g6e-8xlarge"]
    folder = CASES / name
    question = folder / "case.yaml"
    if not question.is_file():
        known = ", ".join(sorted(path.parent.name for path in CASES.glob("*/case.yaml")))
        print(f"no case `{name}`; there are: {known}", file=sys.stderr)
        return 2
    case = yaml.safe_load(question.read_text(encoding="utf-8"))
    command = ["why", case["question"], "--snapshot", str(folder.relative_to(Path.cwd())), *more]
    print(f"# {case['about']}\n$ karpenter-bot {' '.join(command)}\n", flush=True)
    return main(command)


if __name__ == "__main__":
    sys.exit(demo(sys.argv[1:]))
