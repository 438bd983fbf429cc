"""The playground's stage: a fake Slack, and before it the real bot, over Socket Mode, with one cluster behind it.

Nothing here stands in for the bot: it is built as `serve` builds it. Its cluster is a Kubernetes API over a recording's
manifests, and its EC2 what was recorded. What the bot writes changes those manifests in memory and nothing else; what Karpenter
would make of the change is simulated (`simulation`). Or the cluster is a real one (the test bed), where nobody simulates.
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from bot import app
from bot.app import wall_clock
from bot.catalogues import Catalogues
from bot.config import ApprovalsConfig, ClusterConfig, Config, SlackConfig, StoreConfig
from bot.model.proposals import ApprovalRule
from bot.playbooks import Playbooks
from bot.playground.clusters import RecordedEc2, Recording, alive
from bot.playground.kube import listening
from bot.playground.kube_writes import WritableKube
from bot.playground.preview import Preview
from bot.playground.simulation import Simulation
from bot.playground.slack import FakeSlack, scene
from bot.reloading import FollowedPlaybooks, Following
from bot.server import built
from bot.slack.serving import Door, opened

_CONNECTED_WITHIN: Final = 30.0
_MOMENT: Final = 0.02
_LOOKS: Final = 0.5
"""Seconds between two looks at pages that somebody edits."""
APPROVERS: Final = (ApprovalRule(users=(scene.ANNA, scene.MIN)),)
"""Both people of the playground may approve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A real cluster to choose besides the recordings, such as the test bed. `changes`: whether Approve may change it."""

    name: str
    kubeconfig: str
    context: str = ""
    region: str = ""
    changes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is on stage: the clusters to choose from, the bot's words, and the language of people without one."""

    recordings: tuple[Recording, ...]
    playbooks: Playbooks
    language: str = "en"
    live: Live | None = None
    step: float = 1.5
    """Seconds between two stages of a simulated node's start."""


class Stage:
    """`async with Stage(setting) as stage`: the first recording is on; `show` puts on another."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.slack = FakeSlack(echo=True)
        self.preview = Preview(setting.recordings, setting.playbooks)
        self.now_on = ""
        self.changing = False
        self._life = AsyncExitStack()
        self._bot = AsyncExitStack()
        self._door: Door | None = None
        self._folder = Path()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._folder = Path(self._life.enter_context(TemporaryDirectory(prefix="karpenter-bot-")))
        await self._life.enter_async_context(self.slack)
        self.slack.workspace.name = "Playground"
        live = self.setting.live
        if isinstance(self.setting.playbooks, FollowedPlaybooks):
            following = Following(self.setting.playbooks, seconds=_LOOKS)
            await following.start()
            self._life.push_async_callback(following.close)
        try:
            await self.show(live.name if live else self.setting.recordings[0].name)
        except BaseException:
            await self._life.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._bot.aclose()
        await self._life.aclose()

    @property
    def recording(self) -> Recording:
        """The recording that is on. Raises KeyError while a real cluster is."""
        return {one.name: one for one in self.setting.recordings}[self.now_on]

    @property
    def kind(self) -> str:
        """`recording`, `live` (a real cluster, only read), or `changeable` (a real cluster that Approve changes)."""
        live = self.setting.live
        if live is None or live.name != self.now_on:
            return "recording"
        return "changeable" if live.changes else "live"

    async def show(self, name: str) -> None:
        """Ends the bot and starts it anew before another cluster; what was said in Slack stays. Raises KeyError."""
        live = self.setting.live
        on = live if live and live.name == name else {one.name: one for one in self.setting.recordings}[name]
        async with self._turn:
            self.changing = True
            self.slack.changed()
            try:
                await self._bot.aclose()
                self.now_on = on.name
                await self._begin(on)
            finally:
                self.changing = False
                self.slack.changed()

    async def idle(self) -> None:
        """Returns once the bot is at work on nothing that somebody asked or clicked."""
        while self._door is not None and len(self._door.listeners.work):  # noqa: ASYNC110 (work that ends tells nobody)
            await asyncio.sleep(_MOMENT)

    async def _begin(self, on: Recording | Live) -> None:
        life = self._bot = AsyncExitStack()
        async with AsyncExitStack() as so_far:
            if isinstance(on, Live):
                cluster = ClusterConfig(name=on.name, kubeconfig=on.kubeconfig, context=on.context, region=on.region)
                rules, ec2 = APPROVERS if on.changes else (), None
            else:
                cluster, ec2 = await self._recorded(on, so_far)
                rules = APPROVERS
            config = self._config(cluster, rules)
            behind = await so_far.enter_async_context(built(config, self.setting.playbooks, ec2=ec2))
            self._door = await so_far.enter_async_context(opened(config, behind, api_url=self.slack.api_url))
            await self.slack.wait_for(lambda slack: slack.sockets.connections, timeout=_CONNECTED_WITHIN)
            life.push_async_exit(so_far.pop_all())

    async def _recorded(self, recording: Recording, life: AsyncExitStack) -> tuple[ClusterConfig, RecordedEc2]:
        """The recording behind a Kubernetes API of its own, with the simulation of what follows a change."""
        folder = Path(life.enter_context(TemporaryDirectory(dir=self._folder)))
        (folder / "snapshot").mkdir()
        here = await asyncio.to_thread(alive, recording, folder / "snapshot", wall_clock())
        kube = WritableKube(objects=deepcopy(list(here.objects)), logs=dict(here.logs))
        await life.enter_async_context(listening(kube))
        kubeconfig = str(kube.kubeconfig(folder))
        ec2 = RecordedEc2(here)
        place = app.Place(kubeconfig=kubeconfig)
        connected = await app.stay_connected(place, recording.name)
        life.push_async_callback(connected.close)
        shared = app.Shared(ec2=ec2, catalogues=Catalogues())
        following = asyncio.create_task(Simulation(kube, connected, shared, place, step=self.setting.step).run())
        life.push_async_callback(_ended, following)
        return ClusterConfig(name=recording.name, kubeconfig=kubeconfig), ec2

    def _config(self, cluster: ClusterConfig, rules: tuple[ApprovalRule, ...]) -> Config:
        slack = SlackConfig(
            bot_token=self.slack.workspace.bot_token,
            app_token=self.slack.app.app_token,
            host="127.0.0.1",
            port=0,
            drain_seconds=1,
        )
        return replace(
            Config(),
            slack=slack,
            store=StoreConfig(url=f"sqlite:///{self._folder / 'store.sqlite3'}"),
            approvals=ApprovalsConfig(rules=rules),
            language=self.setting.language,
            clusters=(cluster,),
            log_level="WARNING",
        )


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
