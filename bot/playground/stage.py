"""The playground's stage: a fake Slack, and before it the real bot, over Socket Mode, with one recorded cluster behind it.

Nothing here stands in for the bot: it is built as `serve` builds it. Its cluster is a Kubernetes API over the recording's
manifests, and its EC2 what was recorded. What the bot writes changes those manifests in memory and nothing else.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from bot.app import wall_clock
from bot.config import ClusterConfig, Config, SlackConfig, StoreConfig
from bot.playbooks import Playbooks
from bot.playground.clusters import RecordedEc2, Recording, alive
from bot.playground.kube import serving
from bot.playground.slack import FakeSlack
from bot.server import built
from bot.slack.serving import opened

_CONNECTED_WITHIN: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is on stage: the recordings to choose from, the bot's words, and the language of people without one."""

    recordings: tuple[Recording, ...]
    playbooks: Playbooks
    language: str = "en"


class Stage:
    """`async with Stage(setting) as stage`: the first recording is on; `show` puts on another."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.slack = FakeSlack(echo=True)
        self.now_on = ""
        self.changing = False
        self._life = AsyncExitStack()
        self._bot = AsyncExitStack()
        self._folder = Path()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._folder = Path(self._life.enter_context(TemporaryDirectory(prefix="karpenter-bot-")))
        await self._life.enter_async_context(self.slack)
        self.slack.workspace.name = "Playground"
        try:
            await self.show(self.setting.recordings[0].name)
        except BaseException:
            await self._life.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._bot.aclose()
        await self._life.aclose()

    @property
    def recording(self) -> Recording:
        """The recording that is on."""
        return self._named(self.now_on)

    async def show(self, name: str) -> None:
        """Ends the bot and starts it anew before another cluster; what was said in Slack stays. Raises KeyError."""
        recording = self._named(name)
        async with self._turn:
            self.changing = True
            self.slack.changed()
            try:
                await self._bot.aclose()
                self.now_on = recording.name
                await self._begin(recording)
            finally:
                self.changing = False
                self.slack.changed()

    def _named(self, name: str) -> Recording:
        return {one.name: one for one in self.setting.recordings}[name]

    async def _begin(self, recording: Recording) -> None:
        life = self._bot = AsyncExitStack()
        async with AsyncExitStack() as so_far:
            folder = Path(so_far.enter_context(TemporaryDirectory(dir=self._folder)))
            (folder / "snapshot").mkdir()
            here = await asyncio.to_thread(alive, recording, folder / "snapshot", wall_clock())
            kube = await so_far.enter_async_context(serving(here.objects, logs=here.logs))
            config = self._config(ClusterConfig(name=recording.name, kubeconfig=str(kube.kubeconfig(folder))))
            behind = await so_far.enter_async_context(built(config, self.setting.playbooks, ec2=RecordedEc2(here)))
            await so_far.enter_async_context(opened(config, behind, api_url=self.slack.api_url))
            await self.slack.wait_for(lambda slack: slack.sockets.connections, timeout=_CONNECTED_WITHIN)
            life.push_async_exit(so_far.pop_all())

    def _config(self, cluster: ClusterConfig) -> Config:
        slack = SlackConfig(
            bot_token=self.slack.workspace.bot_token,
            app_token=self.slack.app.app_token,
            host="127.0.0.1",
            port=0,
            drain_seconds=1,
        )
        store = StoreConfig(url=f"sqlite:///{self._folder / 'store.sqlite3'}")
        return replace(
            Config(), slack=slack, store=store, language=self.setting.language, clusters=(cluster,), log_level="WARNING"
        )
