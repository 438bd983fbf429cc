"""A Deployment whose replicas are changed, approved and waiting to be carried out; and replicas of the bot at work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from bot.approving.carrying import Worker
from bot.approving.hands import Hands
from bot.model.diagnosis import Json
from bot.model.proposals import Alteration, Proposal, State
from bot.remediation.outcomes import digest_of, guarded, way_back, yaml_diff
from bot.sources.kube_api import open_connection
from bot.store import Store, ledger
from bot.store.ledger import Told
from tests.fakes.writable_kube import WritableKube
from tests.remediation.proposals import ANNA, NOW, TARGET, proposal

DEPLOYMENT: Final[dict[str, Any]] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "trainer", "namespace": "ml"},
    "spec": {"replicas": 8, "template": {"metadata": {}, "spec": {"containers": [{"name": "trainer"}]}}},
}
PATCH: Final[tuple[dict[str, Json], ...]] = (
    {"op": "test", "path": "/spec/replicas", "value": 8},
    {"op": "replace", "path": "/spec/replicas", "value": 1},
)


@dataclass(slots=True)
class Clock:
    """A clock that the test moves."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


@asynccontextmanager
async def hands_on(kube: WritableKube, folder: Path) -> AsyncIterator[Hands]:
    async with await open_connection(kubeconfig=str(kube.kubeconfig(folder))) as connection:
        yield Hands(connection)


async def approved(store: Store, hands: Hands, **changes: object) -> Proposal:
    """The proposal as the desk writes it, and its approval."""
    before = await hands.read(TARGET)
    patch = cast("tuple[dict[str, Json], ...]", changes.pop("patch", PATCH))
    after = await hands.rehearse(TARGET, guarded(patch, before, "p1"))
    alteration = Alteration(
        target=TARGET,
        uid=str(cast("Any", before)["metadata"]["uid"]),
        patch=patch,
        undo=tuple(way_back(before, after)),
        diff=yaml_diff(before, after),
        digest=digest_of(before, after),
    )
    one = proposal(alteration=alteration, **changes)
    await ledger.create(store, one, Told(event="propose", at=NOW, actor=one.requester))
    to = replace(one, state=State.APPROVED, approvers=(ANNA,), approved_at=NOW)
    assert await ledger.move(store, one, to, Told(event="approve", at=NOW, actor=ANNA))
    return to


def worker(store: Store, hands: Hands, clock: Clock, name: str = "a") -> Worker:
    """A replica."""

    async def of(_cluster: str) -> Hands:
        return hands

    return Worker(store, of, clock, name)


async def events(store: Store, one: str = "p1") -> list[str]:
    entries = await ledger.history(store, one)
    assert ledger.chained(entries)
    return [entry.event for entry in entries]
