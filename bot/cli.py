"""The command line: argv in, exit code out.

Exit codes: 0 an answer was given, blocked or not; 2 bad usage or unreadable input; 3 no such pod; 4 the cluster or AWS
cannot be reached; 70 a fault of the bot itself. Errors are one line on stderr, never a traceback.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

import orjson

from bot import __version__, app, explaining, packaged
from bot.contract import as_json, explanation_as_json
from bot.model.diagnosis import Json
from bot.playbooks import Page, Playbooks, check_playbooks, need_lines, plain, render, render_explanation
from bot.playbooks.focus import focused
from bot.slack.blocks import answer as slack_answer
from bot.sources.errors import PodNotFound, SeveralPods, SnapshotError, SourceError
from bot.sources.pod_search import PodQuestion
from bot.terminal import render_text

ANSWERED: Final = 0
BAD_INPUT: Final = 2
NO_POD: Final = 3
UNREACHABLE: Final = 4
BROKEN: Final = 70
INTERRUPTED: Final = 130
DEBUG: Final = "KARPENTER_BOT_DEBUG"
LANGUAGES: Final = ("en", "ko")


class UsageError(Exception):
    """The arguments fit no command; the message says what is wrong."""


_CODES: Final[tuple[tuple[tuple[type[Exception], ...], int], ...]] = (
    ((UsageError, SnapshotError), BAD_INPUT),
    ((PodNotFound, SeveralPods), NO_POD),
    ((SourceError,), UNREACHABLE),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message} (see `{self.prog} --help`)")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and says how it went."""
    try:
        arguments = _parser().parse_args(argv)
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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="karpenter-bot",
        description="Says why a pod has no node, and which smallest change makes Karpenter give it one.",
    )
    parser.add_argument("--version", action="version", version=f"karpenter-bot {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add_why(commands.add_parser("why", help="why a pod is Pending"))
    _add_explain(commands.add_parser("explain", help="what pasted log lines or events of Karpenter prove"))
    _add_playbooks(commands.add_parser("playbooks", help="what the bot says, and whether it is in order"))
    _add_snapshot(commands.add_parser("snapshot", help="record what bears on a pod, to answer later or elsewhere"))
    serve = commands.add_parser("serve", help="answer in Slack")
    serve.add_argument("--config", metavar="FILE", default="", help="settings (YAML); the environment wins")
    serve.set_defaults(run=_serve)
    return parser


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--snapshot", metavar="DIR", type=Path, help="a recorded cluster instead of a live one")
    parser.add_argument("--context", default="", help="the kubeconfig context")
    parser.add_argument("--kubeconfig", default="", metavar="FILE")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", ""), help="only needed where nothing tells it")


def _add_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pod", metavar="[NAMESPACE/]POD", help="a pod, the beginning of its name, or its owner's name")
    parser.add_argument("-n", "--namespace", default="")
    _add_source(parser)
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    parser.add_argument("-o", "--output", choices=("text", "json", "slack"), default="text")
    parser.add_argument("--playbooks", action="append", default=[], metavar="DIR", help="your own playbooks over ours")
    parser.set_defaults(run=_why)


def _why(arguments: argparse.Namespace) -> int:
    question = PodQuestion.parse(arguments.pod, arguments.namespace)
    if arguments.snapshot is not None:
        answered = app.answer_from_snapshot(arguments.snapshot, question)
    else:
        place = app.Place(context=arguments.context, kubeconfig=arguments.kubeconfig, region=arguments.region)
        answered = asyncio.run(app.answer_live(place, question))
    playbooks = packaged.load_playbooks(tuple(arguments.playbooks))
    _show(answered, playbooks, arguments)
    return ANSWERED


def _show(answered: app.Answered, playbooks: Playbooks, arguments: argparse.Namespace) -> None:
    phrases = playbooks.phrases(arguments.lang)
    if arguments.output == "json":
        everything = render(answered.diagnosis, playbooks, arguments.lang)
        _print_json(as_json(answered.diagnosis, everything, answered.elapsed_ms))
        return
    rendered = render(focused(answered.diagnosis), playbooks, arguments.lang)
    if arguments.output == "slack":
        message = slack_answer(rendered, phrases)
        _print_json({"text": message.text, "blocks": list(message.blocks)})
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(render_text(rendered, phrases, colour=colour))


def _print_json(value: Json) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.flush()


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default=explaining.STDIN, help="`-`, or none: standard input"
    )
    facts = parser.add_mutually_exclusive_group()
    facts.add_argument("--snapshot", metavar="DIR", type=Path, help="a recorded cluster, for EC2's facts in it")
    facts.add_argument("--region", default="", help="the region whose EC2 is asked; without it the text stands alone")
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument("--playbooks", action="append", default=[], metavar="DIR", help="your own playbooks over ours")
    parser.set_defaults(run=_explain)


def _explain(arguments: argparse.Namespace) -> int:
    found = explaining.explained(
        arguments.file, snapshot=arguments.snapshot, region=arguments.region, clock=app.wall_clock
    )
    playbooks = packaged.load_playbooks(tuple(arguments.playbooks))
    phrases = playbooks.phrases(arguments.lang)
    rendered = render_explanation(found.explanation, playbooks, arguments.lang)
    if arguments.output == "json":
        needs = [plain(line) for line in need_lines(found.explanation.needs, phrases)]
        _print_json(explanation_as_json(found.explanation, rendered, needs, found.missing))
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(render_text(rendered, phrases, colour=colour))
    return ANSWERED


def _add_snapshot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pod", metavar="[NAMESPACE/]POD")
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    parser.add_argument("-n", "--namespace", default="")
    parser.add_argument("--context", default="")
    parser.add_argument("--kubeconfig", default="", metavar="FILE")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", ""))
    parser.set_defaults(run=_snapshot)


def _snapshot(arguments: argparse.Namespace) -> int:
    place = app.Place(context=arguments.context, kubeconfig=arguments.kubeconfig, region=arguments.region)
    question = PodQuestion.parse(arguments.pod, arguments.namespace)
    written = asyncio.run(app.record(place, question, arguments.folder))
    print(f"{written}: what bears on the pod, no Secrets. Look it over before you share it.")
    return ANSWERED


def _add_playbooks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--playbooks", action="append", default=[], metavar="DIR", help="your own playbooks over ours")
    actions = parser.add_subparsers(required=True, metavar="ACTION", parser_class=_Parser)
    actions.add_parser("list", help="every page, by language").set_defaults(run=_list_pages)
    actions.add_parser("check", help="whether all pages are in order").set_defaults(run=_check_pages)
    show = actions.add_parser("show", help="one page's source")
    show.add_argument("id")
    show.add_argument("--lang", choices=LANGUAGES, default="en")
    show.set_defaults(run=_show_page)


def _pages(arguments: argparse.Namespace) -> tuple[Playbooks, Sequence[Page]]:
    playbooks = packaged.load_playbooks(tuple(arguments.playbooks))
    return playbooks, sorted(playbooks.pages, key=lambda page: (page.language, page.id))


def _list_pages(arguments: argparse.Namespace) -> int:
    _, pages = _pages(arguments)
    for page in pages:
        print(f"{page.language}  {page.id:<28} {page.title}")
    return ANSWERED


def _check_pages(arguments: argparse.Namespace) -> int:
    playbooks, pages = _pages(arguments)
    problems = check_playbooks(playbooks)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return BAD_INPUT
    print(f"{len(pages)} pages in {len(playbooks.languages)} languages: no problems")
    return ANSWERED


def _show_page(arguments: argparse.Namespace) -> int:
    texts = {**packaged.shipped_playbooks(), **packaged.own_playbooks(tuple(arguments.playbooks))}
    name = f"{arguments.lang}/{arguments.id}.md.j2"
    if name not in texts:
        known = sorted(
            path.partition("/")[2].removesuffix(".md.j2") for path in texts if path.startswith(arguments.lang)
        )
        raise UsageError(f"no page `{arguments.id}` in {arguments.lang}; there are: {', '.join(known)}")
    print(texts[name], end="")
    return ANSWERED


def _serve(arguments: argparse.Namespace) -> int:
    # Slack's library takes half a second to import; every other command starts without it.
    from bot import server  # noqa: PLC0415

    return server.run(arguments.config)


if __name__ == "__main__":
    sys.exit(main())
