"""The weekly digest: what was asked in a channel, how long pods waited and what that cost, what helped, what was refused.

`following` knows which pods wait, `counting` adds up, `words` says it. A channel opts in with `/karpenter settings digest on`;
the message goes out through the incidents' outbox, once across all replicas, never in quiet hours.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from bot.alerting.settings import ChannelSettings
from bot.app import Clock
from bot.config import Config
from bot.departing import Connecting
from bot.digest.counting import Week, figures
from bot.digest.following import Waits
from bot.digest.words import digest_message
from bot.karpenter import SignalKind, parse_text, read_line
from bot.playbooks import Playbooks
from bot.slack.floor import Working
from bot.store import Store, incidents, outbox
from bot.store.happenings import LOG as LOG_LINE
from bot.store.happenings import recall
from bot.store.incidents import Change, Fold
from bot.store.outcomes import outcomes_in
from bot.store.waits import asked_in, counting_since, forget_waits, waits_in

__all__ = ["Digest", "Waits"]

LOG: Final = logging.getLogger(__name__)
EVERY: Final = 60.0
WEEK: Final = timedelta(days=7)
LATE: Final = timedelta(days=2)
"""A digest that could not be sent when it was due is sent so much later at most."""
KEY: Final = "digest:"


class Digest(Working):
    """Looks after waits every minute and sends what is due. `leads`: whether this replica is the one that does so."""

    def __init__(
        self,
        store: Store,
        connecting: Connecting,
        config: Config,
        playbooks: Playbooks,
        clock: Clock,
        *,
        seconds: float = EVERY,
    ) -> None:
        self._store, self._config, self._playbooks, self._clock = store, config, playbooks, clock
        self._seconds = seconds
        self.leads: Callable[[], bool] = lambda: True
        self.waits = Waits(store, connecting, config, clock)

    async def work(self) -> None:
        while True:
            if self.leads():
                await self._round()
            await asyncio.sleep(self._seconds)

    async def _round(self) -> None:
        try:
            await counting_since(self._store, self._clock())
            await self.waits.round()
            await self.send_due()
            await forget_waits(self._store, self._clock())
        except Exception:
            LOG.exception("the digest stumbled; it goes on")

    async def send_due(self) -> None:
        """Gives the outbox every channel's digest that is due and was not given yet. Raises StoreUnavailable."""
        now = self._clock()
        for channel, stored in await outbox.all_settings(self._store):
            settings = ChannelSettings.read(stored)
            due = settings.digest_due(now)
            if due is not None and now - due <= LATE:
                await self._give(channel, settings, due, now)

    async def _give(self, channel: str, settings: ChannelSettings, due: datetime, now: datetime) -> None:
        key = f"{KEY}{due:%Y-%m-%dT%H:%M}"
        before = await incidents.known(self._store, channel, KEY)
        if before is not None and before.key == key:
            return
        language = settings.language or self._config.language
        message = digest_message(figures(await self._week(channel, due)), self._playbooks, language).as_json()

        def decide(change: Change) -> None:
            if change.new:
                change.body |= {"watch": {}}
                change.wanted = message

        # the open incident with this key is the one of all replicas: whoever comes second finds it and changes nothing
        await incidents.fold(self._store, Fold(channel=channel, key=key, thread_ts="", fingerprints=()), now, decide)
        if before is not None:
            await incidents.end(self._store, before.id, now, _over)

    async def _week(self, channel: str, due: datetime) -> Week:
        since = due - WEEK
        asked = await asked_in(self._store, channel, since, due)
        return Week(
            since=since,
            until=due,
            counted_from=await counting_since(self._store, self._clock()),
            asked=asked,
            waits=await waits_in(self._store, since, due),
            outcomes=await outcomes_in(self._store, channel, since, due),
            by_ec2=await self._by_ec2({one.cluster for one in asked}, since, due),
        )

    async def _by_ec2(self, clusters: set[str], since: datetime, until: datetime) -> list[str]:
        """The offerings that EC2 refused in these clusters, once for each time, from the log lines that are kept."""
        kept = [one for cluster in sorted(clusters) for one in await recall(self._store, cluster, since)]
        lines = (one.message for one in kept if one.kind == LOG_LINE and one.at < until)
        return [offering for line in lines for offering in refused_offerings(line)]


def refused_offerings(text: str) -> Iterator[str]:
    """The offerings of which a log line of Karpenter's says that EC2 has refused them: `p5.48xlarge spot ap-northeast-2a`."""
    for line in parse_text(text):
        signal = read_line(line)
        names = [signal.facts.get(name) for name in ("instance-type", "capacity-type", "zone")]
        if signal.kind is SignalKind.OFFERING_UNAVAILABLE and all(names):
            yield " ".join(map(str, names))


def _over(change: Change) -> None:
    """An older digest: its message stays as it is."""
    change.state = incidents.ENDED
