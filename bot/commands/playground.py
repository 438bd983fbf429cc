"""`karpenter-bot playground`: a Slack look-alike in the browser, with the real bot in it and recorded clusters behind it."""

import argparse
import asyncio
import logging
import sys
import webbrowser
from pathlib import Path
from typing import Final

from bot.commands.arguments import LANGUAGES, add_cluster, add_playbooks
from bot.commands.output import ANSWERED, BAD_INPUT
from bot.playground import clusters
from bot.playground.stage import Live, Setting, Stage
from bot.playground.web import CannotPlay, served
from bot.reloading import FollowedPlaybooks

PORT: Final = 8177


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument(
        "--snapshot", metavar="DIR", type=Path, default=None, help="your own recording, or a folder of recordings"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"on 127.0.0.1; 0: any free one ({PORT})")
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    parser.add_argument(
        "--live", action="store_true", help="a real cluster too, such as the test bed (also: --context …)"
    )
    parser.add_argument("--allow-changes", action="store_true", help="let Approve change that real cluster")
    add_cluster(parser)
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    add_playbooks(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serves the page until Ctrl-C. Raises SnapshotError."""
    logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    recordings = clusters.recordings(arguments.snapshot or clusters.shipped())
    playbooks = FollowedPlaybooks(arguments.playbooks)
    setting = Setting(recordings=recordings, playbooks=playbooks, language=arguments.lang, live=_live(arguments))
    try:
        asyncio.run(_play(setting, arguments.port, browser=not arguments.no_browser))
    except CannotPlay as error:
        print(f"karpenter-bot: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        pass
    return ANSWERED


def _live(arguments: argparse.Namespace) -> Live | None:
    """The real cluster that the arguments name; none unless they do."""
    if not (arguments.live or arguments.context or arguments.kubeconfig):
        return None
    return Live(
        name=arguments.context or "current-context",
        kubeconfig=arguments.kubeconfig,
        context=arguments.context,
        region=arguments.region,
        changes=arguments.allow_changes,
    )


async def _play(setting: Setting, port: int, *, browser: bool) -> None:
    async with Stage(setting) as stage, served(stage, port=port) as address:
        print(f"The playground is at {address} (this machine only; Ctrl-C ends it).", flush=True)
        if browser:
            await asyncio.to_thread(webbrowser.open, address)
        await asyncio.Event().wait()
