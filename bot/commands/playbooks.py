"""`karpenter-bot playbooks`: what the bot says, and whether it is in order."""

import argparse
import sys
from collections.abc import Sequence

from bot import packaged
from bot.commands.arguments import LANGUAGES, Parser, UsageError, add_playbooks
from bot.commands.output import ANSWERED, BAD_INPUT
from bot.playbooks import Page, Playbooks, check_playbooks


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
