"""`karpenter-bot playbooks`: what the bot says, and whether it is in order."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bot import packaged
from bot.commands.arguments import LANGUAGES, Parser, UsageError, add_playbooks
from bot.commands.output import ANSWERED, BAD_INPUT
from bot.playbooks import CAUSES, Page, Playbooks, Problem, check_playbooks
from bot.playbooks.problems import did_you_mean
from bot.playbooks.scaffold import scaffold
from bot.playbooks.trials import Trial, diagnosis_of, failures, read_trials

FAILED: Final = 1


def add(parser: argparse.ArgumentParser) -> None:
    """Its actions and their arguments."""
    add_playbooks(parser)
    actions = parser.add_subparsers(required=True, metavar="ACTION", parser_class=Parser)
    actions.add_parser("list", help="every page, by language").set_defaults(run=_list_pages)
    actions.add_parser("check", help="whether all pages are in order").set_defaults(run=_check_pages)
    show = actions.add_parser("show", help="one page's source")
    show.add_argument("id")
    show.add_argument("--lang", choices=LANGUAGES, default="en")
    show.set_defaults(run=_show_page)
    new = actions.add_parser("new", help="a page of your own for a cause, in every language, with a first test")
    new.add_argument("cause")
    new.add_argument(
        "--in", dest="folder", metavar="DIR", type=Path, help="where (the --playbooks folder, else my-playbooks)"
    )
    new.set_defaults(run=_new_page)
    actions.add_parser("test", help=f"your pages' tests (*{packaged.TESTS})").set_defaults(run=_test_pages)


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


def _new_page(arguments: argparse.Namespace) -> int:
    if arguments.cause not in CAUSES:
        raise UsageError(f"no cause `{arguments.cause}`. {did_you_mean(arguments.cause, CAUSES)}")
    folder = arguments.folder or Path(arguments.playbooks[0] if arguments.playbooks else "my-playbooks")
    files = scaffold(arguments.cause, packaged.load_playbooks(), packaged.shipped_playbooks())
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise UsageError(f"{folder / there[0]} is there already; nothing was written")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)
    return ANSWERED


def _test_pages(arguments: argparse.Namespace) -> int:
    """0: all passed; 1: some failed; 2: what is written in them is no test, or there is none."""
    playbooks = packaged.load_playbooks(tuple(arguments.playbooks))
    trials, problems = _trials(arguments.playbooks, playbooks.languages)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems or not trials:
        if not trials and not problems:
            print(f"karpenter-bot: no *{packaged.TESTS} in --playbooks {arguments.playbooks}", file=sys.stderr)
        return BAD_INPUT
    failed = 0
    for folder, trial in trials:
        wrong = tuple(_wrong(folder, trial, playbooks))
        failed += bool(wrong)
        print(f"{'FAILED' if wrong else 'passed'}  {trial.file}: {trial.name}")
        for line in wrong:
            print(f"        {line}")
    print(f"{len(trials) - failed} passed, {failed} failed")
    return FAILED if failed else ANSWERED


def _trials(folders: Sequence[str], languages: Sequence[str]) -> tuple[list[tuple[Path, Trial]], tuple[Problem, ...]]:
    """Every test of the folders, with the folder of its file."""
    trials: list[tuple[Path, Trial]] = []
    problems: list[Problem] = []
    for folder in map(Path, folders):
        for name, file in packaged.own_files(folder, (packaged.TESTS,)).items():
            found, wrong = read_trials(str(folder / name), file.read_text(encoding="utf-8"), languages)
            trials += [(file.parent, trial) for trial in found]
            problems += wrong
    return trials, tuple(problems)


def _wrong(folder: Path, trial: Trial, playbooks: Playbooks) -> Iterator[str]:
    if not trial.snapshot:
        yield from failures(trial, diagnosis_of(trial, playbooks), playbooks)
        return
    from bot.app import answer_from_snapshot  # noqa: PLC0415 (a second that tests of facts alone need not pay)
    from bot.playbooks.focus import focused  # noqa: PLC0415
    from bot.sources.errors import PodNotFound, SeveralPods, SnapshotError  # noqa: PLC0415
    from bot.sources.pod_search import PodQuestion  # noqa: PLC0415

    try:
        answered = answer_from_snapshot(folder / trial.snapshot, PodQuestion.parse(trial.pod))
    except (SnapshotError, PodNotFound, SeveralPods) as error:
        yield str(error)
    else:
        yield from failures(trial, focused(answered.diagnosis), playbooks)
