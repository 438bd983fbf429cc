"""One replica in a process of its own, which dies at a given step: before or after one of its calls.

It is forked from a process that has everything imported, so that starting one is cheap.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiosqlite  # noqa: F401 (imported before the fork, not in each child)
import asyncpg  # type: ignore[import-untyped]  # noqa: F401
import kubernetes.aio.client
import kubernetes.aio.config  # noqa: F401

from bot.approving.carrying import Worker
from bot.approving.hands import Hands
from bot.model.diagnosis import Json
from bot.model.objects import ObjectRef
from bot.sources.kube_api import open_connection
from bot.store import Store, ledger
from bot.store.database import _engine, database_url


class Steps:
    """Counts the steps of this process, and kills it at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.kill_at, self.passed = kill_at, 0

    def step(self) -> None:
        self.passed += 1
        if self.passed == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingHands(Hands):
    """Hands with a step before and after each call."""

    steps: Steps

    async def read(self, target: ObjectRef) -> Json:
        return await self._stepped(super().read(target))

    async def rehearse(self, target: ObjectRef, patch: Sequence[Mapping[str, Json]]) -> Json:
        return await self._stepped(super().rehearse(target, patch))

    async def write(self, target: ObjectRef, patch: Sequence[Mapping[str, Json]]) -> Json:
        return await self._stepped(super().write(target, patch))

    async def _stepped(self, call: Awaitable[Json]) -> Json:
        self.steps.step()
        found = await call
        self.steps.step()
        return found


def dying_ledger(steps: Steps) -> None:
    """Steps before and after each call of the ledger, and in the middle of each of its transactions."""
    for name in ("lease", "move", "note", "release", "find"):
        setattr(ledger, name, _stepped(steps, getattr(ledger, name)))
    setattr(ledger, "_audit", _stepped(steps, ledger._audit))  # noqa: B010 (dies between the row and its entry)


def _stepped(steps: Steps, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def stepped(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        steps.step()
        found = await call(*arguments, **named)
        steps.step()
        return found

    return stepped


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[Store]:
    """A store that somebody has brought to its newest shape already."""
    store = Store(_engine(database_url(url)))
    try:
        yield store
    finally:
        await store.close()


async def _run(store_url: str, kubeconfig: Path, proposal: str, ahead: float, steps: Steps) -> None:
    dying_ledger(steps)
    async with migrated(store_url) as store:
        await _work(store, kubeconfig, proposal, ahead, steps)


async def _work(store: Store, kubeconfig: Path, proposal: str, ahead: float, steps: Steps) -> None:
    async with await open_connection(kubeconfig=str(kubeconfig)) as connection:
        hands = DyingHands(connection)
        hands.steps = steps

        async def of(_cluster: str) -> Hands:
            return hands

        def clock() -> datetime:
            return datetime.now(UTC) + timedelta(seconds=ahead)  # noqa: TID251 (a replica's own clock)

        await Worker(store, of, clock, f"replica-{os.getpid()}").carry_out(proposal)


def start(store_url: str, kubeconfig: Path, proposal: str, *, kill_at: int = 0, ahead: float = 0.0) -> int:
    """Forks a replica that carries the proposal out, dying at that step (0: not at all); its process id.

    `ahead`: seconds that its clock is ahead, for a restart after the dead one's lease has run out.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        steps = Steps(kill_at)
        asyncio.run(_run(store_url, kubeconfig, proposal, ahead, steps))
        code = 0
    finally:
        os._exit(code)


def wait(child: int) -> int:
    """How it ended: 0, an exit code, or minus the signal that killed it."""
    _, status = os.waitpid(child, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
