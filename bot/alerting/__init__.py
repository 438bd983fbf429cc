"""Alert threads: alerts that others post are answered in their thread, one reply an incident, kept true until it is over.

`intake` keeps what was heard, `attending` makes incidents of it (`asking` asks the cluster, `words` says it), `outbox` shows
them, `endings` looks after them, `receiver` takes Alertmanager's webhook, `settings` is what a channel may set.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp

from bot.alerting import intake
from bot.alerting.answers import Clusters
from bot.alerting.asking import Asking
from bot.alerting.attending import Attending, Explain
from bot.alerting.endings import Endings
from bot.alerting.outbox import Outbox
from bot.alerting.receiver import PATH, Receiver
from bot.alerting.settings import ChannelSettings, SettingRefusedError, changed
from bot.app import Clock
from bot.slack.blocks import note
from bot.slack.floor import LOG, Floor, Part, Payload
from bot.slack.questions import LANGUAGES, Ask
from bot.slack.services import Asker, Failed, Shown
from bot.store import Store, incidents, outbox

__all__ = ["AlertThreads", "Alerting"]

_FORGET_EVERY: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """What alert threads are built from. `channel` is where webhooks and watch mode post; seconds are those of the loops.

    `leads`: whether this replica looks after incidents and watches; what comes in, all take.
    """

    store: Store
    clusters: Clusters
    explain: Explain
    clock: Clock
    token: str = ""
    channel: str = ""
    watch_minutes: float = 0.0
    look_seconds: float = 60.0
    leads: Callable[[], bool] = lambda: True


class AlertThreads(Part):
    """Hears alerts in every channel that the bot is in, and has the loops that answer them."""

    def __init__(self, given: Alerting) -> None:
        self._given = given
        self._tasks: list[asyncio.Task[None]] = []
        self._attending: Attending | None = None
        self._floor: Floor | None = None
        self._receiver = None
        if given.token and given.channel:
            self._receiver = Receiver(given.store, given.token, given.channel, given.clock)

    def register(self, app: AsyncApp, floor: Floor) -> None:  # noqa: ARG002 (no listeners of its own)
        """Remembers the workspace; from now on what a channel has set decides the language of what all of it reads."""
        self._floor = floor
        floor.prefer_in = self._language_in

    def routes(self, router: web.UrlDispatcher) -> None:
        """Alertmanager's webhook, where a token and a channel are set."""
        if self._receiver is not None:
            router.add_post(PATH, self._receiver.on_post)

    async def take(self, event: Payload, floor: Floor) -> None:
        """Before Slack is told that it arrived: what is an alert is kept. Raises StoreUnavailable."""
        if await intake.keep(self._given.store, event, floor.me, self._given.clock()) and self._attending:
            self._attending.wake.set()

    def claims(self, event: Payload, floor: Floor) -> bool:
        """A person who gives the bot an alert's text or a log line instead of a command: answered like a pasted one."""
        return intake.heard(event, floor.me) is not None

    async def start(self) -> None:
        """Starts the loops."""
        given, floor = self._given, self._floor
        if floor is None:
            return
        asking = Asking(given.clusters, floor.in_time)
        attending = Attending(given.store, asking, floor.phrases, given.clock, given.explain)
        sending = Outbox(given.store, floor.client, given.clock)
        attending.changed = sending.wake.set
        if self._receiver is not None:
            self._receiver.taken = attending.wake.set
        self._attending = attending
        endings = Endings(given.store, given.clusters, attending, given.clock)
        self._begin(attending.run())
        self._begin(sending.run())
        self._begin(self._look_after(endings))
        self._begin(self._forget())

    async def close(self) -> None:
        """Ends the loops; what waits stays in the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _look_after(self, endings: Endings) -> None:
        given = self._given
        while True:
            await asyncio.sleep(given.look_seconds)
            if not given.leads():
                continue
            try:
                await endings.round()
                if given.watch_minutes and given.channel:
                    await endings.report_waiting(given.channel, given.watch_minutes)
            except Exception:
                LOG.exception("looking after incidents stumbled; it goes on")

    async def _forget(self) -> None:
        while True:
            try:
                await incidents.forget_old(self._given.store, self._given.clock())
            except Exception:
                LOG.exception("old incidents could not be dropped")
            await asyncio.sleep(_FORGET_EVERY)

    async def settings(self, ask: Ask, asker: Asker) -> Shown | Failed:
        """`/karpenter settings [KEY VALUE]`: what this channel has set, changed first where that is asked."""
        store, phrases = self._given.store, self._phrases(ask.language)
        current = ChannelSettings.read(await outbox.read_settings(store, asker.channel))
        given = [*ask.words, *(("clusters", ask.cluster) if ask.cluster else ())]
        given += ["namespaces", ask.namespace] if ask.namespace else []
        try:
            new = changed(current, given, self._given.clock(), self._languages())
        except SettingRefusedError as refused:
            return Failed(code="bad-setting", facts={"asked": str(refused)})
        if new != current:
            await outbox.write_settings(store, asker.channel, new.as_json())
            if self._floor:
                self._floor.forget_language(asker.channel)
        lines = phrases.lines("alert.settings", settings=new.as_json(), changed=new != current)
        return Shown(message=note(lines, phrases), discreet=True)

    async def _language_in(self, channel: str) -> str:
        return ChannelSettings.read(await outbox.read_settings(self._given.store, channel)).language

    def _languages(self) -> Sequence[str]:
        return self._floor.custom.languages if self._floor else LANGUAGES

    def _phrases(self, language: str) -> Any:  # noqa: ANN401
        assert self._floor is not None  # noqa: S101 (registered before anybody can ask)
        return self._floor.phrases(language)
