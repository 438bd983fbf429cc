"""What the commands have in common: how a cluster is named on the command line, and what is wrong with the words."""

import argparse
import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from bot.app import Place
    from bot.config import Config


def _languages() -> tuple[str, ...]:
    """The languages that ship: the folders of playbooks, named without what reading them takes."""
    inside = Path(str(files("bot"))) / "_playbooks"
    root = inside if inside.is_dir() else Path(__file__).parents[2] / "playbooks"
    return tuple(sorted(folder.name for folder in root.iterdir() if folder.is_dir() and folder.name[:1] not in "._"))


LANGUAGES: Final = _languages()


class UsageError(Exception):
    """The arguments fit no command; the message says what is wrong."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are exceptions."""

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"{self.prog}: {message} (see `{self.prog} --help`)")


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """The live cluster: `--context`, `--kubeconfig`, `--region`."""
    parser.add_argument("--context", default="", help="the kubeconfig context")
    parser.add_argument("--kubeconfig", default="", metavar="FILE")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", ""), help="only needed where nothing tells it")


def add_source(parser: argparse.ArgumentParser) -> None:
    """A live cluster, or a recorded one with `--snapshot`."""
    parser.add_argument("--snapshot", metavar="DIR", type=Path, help="a recorded cluster instead of a live one")
    add_cluster(parser)


def add_words(parser: argparse.ArgumentParser, *, outputs: tuple[str, ...]) -> None:
    """How the answer is said: `--lang`, `-o` (the first of `outputs` unless told otherwise), `--playbooks`."""
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    parser.add_argument("-o", "--output", choices=outputs, default=outputs[0])
    add_playbooks(parser)


def add_playbooks(parser: argparse.ArgumentParser) -> None:
    """`--playbooks`: the operator's own pages."""
    parser.add_argument("--playbooks", action="append", default=[], metavar="DIR", help="your own playbooks over ours")


def place_of(arguments: argparse.Namespace) -> "Place":
    """The live cluster that the arguments name."""
    from bot.app import Place  # noqa: PLC0415 (half a second that `--help` need not pay)

    return Place(context=arguments.context, kubeconfig=arguments.kubeconfig, region=arguments.region)


def settings(file: str) -> "Config | None":
    """What the environment and a file (`--config`) set; None where it is wrong, which is told in one line a problem."""
    from bot.config import ConfigError, load_config  # noqa: PLC0415 (YAML, which `--help` need not read)

    try:
        return load_config(os.environ, file=file)
    except ConfigError as error:
        for problem in error.problems:
            print(f"karpenter-bot: {problem}", file=sys.stderr)
        return None
