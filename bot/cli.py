"""The command line: argv in, exit code out.

Exit codes: 0 an answer was given, blocked or not; 2 bad usage or unreadable input; 3 no such pod or NodePool; 4 the cluster
or AWS cannot be reached; 70 a fault of the bot itself. Errors are one line on stderr, never a traceback.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

from bot import __version__
from bot.commands import COMMANDS
from bot.commands.arguments import Parser, UsageError
from bot.commands.output import ANSWERED, BAD_INPUT, NO_POD, UNREACHABLE
from bot.sources.errors import ObjectNotFound, PodNotFound, SeveralPods, SnapshotError, SourceError

BROKEN: Final = 70
INTERRUPTED: Final = 130
DEBUG: Final = "KARPENTER_BOT_DEBUG"

_CODES: Final[tuple[tuple[tuple[type[Exception], ...], int], ...]] = (
    ((UsageError, SnapshotError), BAD_INPUT),
    ((PodNotFound, SeveralPods, ObjectNotFound), NO_POD),
    ((SourceError,), UNREACHABLE),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and says how it went."""
    words = sys.argv[1:] if argv is None else argv
    try:
        arguments = _parser(words).parse_args(words)
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 (nobody reads on; Python would complain at exit)
        return ANSWERED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        return _failed(*_told(error))


def _told(error: Exception) -> tuple[int, str]:
    """Exit code and sentence for whatever went wrong."""
    for kinds, code in _CODES:
        if isinstance(error, kinds):
            return code, str(error)
    if isinstance(error, OSError):
        return BAD_INPUT, f"{error.filename or 'input'}: {error.strerror or error}"
    return BROKEN, f"internal error, {type(error).__name__}: {error} (set {DEBUG}=1 to see where)"


def _failed(code: int, message: str) -> int:
    print("karpenter-bot: " + " ".join(message.split()), file=sys.stderr)
    return code


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """All commands by name; the arguments of the one that is asked for."""
    parser = Parser(
        prog="karpenter-bot",
        description="Says why a pod has no node, and which smallest change makes Karpenter give it one.",
    )
    parser.add_argument("--version", action="version", version=f"karpenter-bot {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for name, (module, purpose) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if name in words:
            import_module(module).add(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
