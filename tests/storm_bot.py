"""The serving bot in a storm, as a process of its own that holds nothing of the tests: what it takes is what the bot takes.

python -m tests.storm_bot SETTINGS: a JSON file with `kubeconfig`, `snapshot` (EC2's facts), `cluster`, `store`, `port`,
`api_url` and Slack's three secrets.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot import packaged
from bot.app import wall_clock
from bot.config import ClusterConfig, Config, SlackConfig, StoreConfig
from bot.server import built
from bot.slack.serving import opened
from bot.sources.ec2 import Ec2, Ec2Observation, Ec2Question
from bot.sources.snapshot import read_snapshot


class Recorded(Ec2):
    """AWS as it was recorded."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        world = read_snapshot(folder, wall_clock())
        gaps = tuple(gap for gap in world.missing if "ec2/" in gap.why)
        self._seen = Ec2Observation(facts=world.ec2, missing=gaps)

    async def observe_ec2(self, question: Ec2Question) -> Ec2Observation:  # noqa: ARG002 (there is one answer)
        return self._seen


async def serve(settings: dict[str, Any]) -> None:
    """Serves until it is killed."""
    slack = SlackConfig(
        mode="http",
        bot_token=settings["bot_token"],
        app_token=settings["app_token"],
        signing_secret=settings["signing_secret"],
        host="127.0.0.1",
        port=settings["port"],
        drain_seconds=5,
    )
    config = replace(
        Config(),
        slack=slack,
        clusters=(ClusterConfig(name=settings["cluster"], kubeconfig=settings["kubeconfig"]),),
        store=StoreConfig(url=f"sqlite:///{settings['store']}"),
    )
    ec2 = Recorded(Path(settings["snapshot"]))
    async with (
        built(config, packaged.load_playbooks(), ec2=ec2) as behind,
        opened(config, behind, api_url=settings["api_url"]),
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
