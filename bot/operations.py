"""How the serving bot is watched: its figures, what it stands on, and its tokens as they are in their files now."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import sqlalchemy

from bot.config import ClusterConfig, Config, SlackConfig
from bot.slack.serving import Check, Watch
from bot.store import Store, StoreUnavailable
from bot.telemetry.measures import state, watched_by
from bot.telemetry.metrics import Metrics

KEPT: Final = 10.0
"""Seconds for which what was found is told again: probes come more often than anything changes."""
_STORE_SECONDS: Final = 3.0


class Reaching(Protocol):
    """Who reaches clusters."""

    async def reached(self, config: ClusterConfig) -> str:
        """Why a cluster cannot be asked now; "" when it answers."""
        ...


class Checks:
    """What the bot stands on, looked at when somebody asks, at most every KEPT seconds."""

    def __init__(
        self, config: Config, store: Store, desk: Reaching, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config, self._store, self._desk, self._clock = config, store, desk, clock
        self._kept: tuple[float, tuple[Check, ...]] = (float("-inf"), ())
        self._looking = asyncio.Lock()

    async def __call__(self) -> Sequence[Check]:
        """The store, which is vital, and every cluster, of which each costs only itself."""
        async with self._looking:
            since, kept = self._kept
            if self._clock() - since < KEPT:
                return kept
            found = await asyncio.gather(store_check(self._store), *map(self._cluster, self._config.clusters))
            self._kept = (self._clock(), tuple(found))
            return self._kept[1]

    async def _cluster(self, config: ClusterConfig) -> Check:
        name, why = config.shown_name, await self._desk.reached(config)
        state("cluster_up", float(not why), cluster=name)
        return Check(name=f"cluster {name}", ok=not why, why=why)


async def store_check(store: Store) -> Check:
    """Whether the store answers now."""
    why = ""
    try:
        async with asyncio.timeout(_STORE_SECONDS):
            await store.read(lambda connection: connection.execute(sqlalchemy.text("SELECT 1")).scalar())
    except TimeoutError:
        why = f"silent for {_STORE_SECONDS:.0f} s"
    except StoreUnavailable:
        why = "no answer"
    state("store_up", float(not why))
    return Check(name="store", ok=not why, vital=True, why=why)


def watch(config: Config, store: Store, desk: Reaching, tokens: Callable[[], SlackConfig] | None = None) -> Watch:
    """Begins to keep figures for this process. `tokens`: reads Slack's secrets anew."""
    metrics = Metrics()
    watched_by(metrics)
    return Watch(metrics=metrics.exposition, checks=Checks(config, store, desk), tokens=tokens)
