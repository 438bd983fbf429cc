"""`karpenter-bot doctor`: what the bot lacks to do its work, and how to mend it."""

import argparse
import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot import app
from bot.commands.arguments import LANGUAGES, add_cluster, place_of, settings
from bot.commands.output import ANSWERED, BAD_INPUT, coloured, print_json
from bot.config import ClusterConfig, Config
from bot.doctor import Finding, State
from bot.doctor.rounds import Examination, examine
from bot.leading import own_namespace
from bot.model.diagnosis import Json
from bot.server import place_for

TO_MEND: Final = 1
_MARKS: Final = {State.OK: ("ok", "32"), State.OPTIONAL: ("--", "33"), State.PROBLEM: ("!!", "31")}


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--config", metavar="FILE", default="", help="settings (YAML); the environment wins")
    parser.add_argument("--no-slack", action="store_true", help="only what the command line needs: clusters and AWS")
    parser.add_argument("--all", action="store_true", help="also what is in order")
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    add_cluster(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examines and tells: 0 in order, 1 something is to be mended, 2 the settings cannot be read."""
    config = settings(arguments.config)
    if config is None:
        return BAD_INPUT
    examination = Examination(
        config=config,
        place=lambda cluster: _place(arguments, config, cluster),
        slack=not arguments.no_slack,
        replicas_in=own_namespace() if config.store.url.startswith("postgres") else "",
        api_url=os.environ.get("SLACK_API_URL", ""),
    )
    findings = asyncio.run(examine(examination))
    wrong = sum(finding.state is State.PROBLEM for finding in findings)
    if arguments.output == "json":
        told: list[Json] = [finding.as_json(arguments.lang) for finding in findings]
        print_json({"healthy": not wrong, "findings": told})
    else:
        _tell(findings, arguments)
    return TO_MEND if wrong else ANSWERED


def _place(arguments: argparse.Namespace, config: Config, cluster: ClusterConfig) -> app.Place:
    """The settings' cluster; what the command line says about a cluster wins."""
    place, said = place_for(config, cluster), place_of(arguments)
    return replace(
        place,
        context=said.context or place.context,
        kubeconfig=said.kubeconfig or place.kubeconfig,
        region=place.region or said.region or os.environ.get("AWS_DEFAULT_REGION", ""),
    )


def _tell(findings: Sequence[Finding], arguments: argparse.Namespace) -> None:
    area = ""
    for finding in findings:
        if finding.state is State.OK and not arguments.all:
            continue
        if finding.area != area:
            area = finding.area
            print(area)
        mark, colour = _MARKS[finding.state]
        mark = f"\033[{colour}m{mark}\033[0m" if coloured() else mark
        print(f"  {mark} {finding.subject}" + (f": {finding.found}" if finding.found else ""))
        if advice := finding.advice(arguments.lang):
            print(f"     {advice}")
    counts = {state: sum(finding.state is state for finding in findings) for state in State}
    print(f"{counts[State.OK]} in order, {counts[State.OPTIONAL]} optional missing, {counts[State.PROBLEM]} to mend")
