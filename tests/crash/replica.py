"""One replica in a process of its own, which dies at a given step: before, within or after one of its calls.

It does what the bot does: it takes the clicks that nobody has answered yet, carries out, watches, undoes. It is forked from
a nursery that has imported everything, compiled the statements and holds no connection, so that starting one is cheap.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from bot.approving.carrying import Worker
from bot.approving.desk import ApprovalDesk
from bot.approving.hands import Hands
from bot.approving.proposing import Terms
from bot.approving.running import Engine
from bot.model.diagnosis import Diagnosis
from bot.model.proposals import ApprovalRule, Person, Proposal, State
from bot.remediation.approvals import UNDER_WAY, WAITING
from bot.sources.errors import ClusterUnreachable, ReadFailed, SourceError
from bot.sources.kube_api import open_connection
from bot.sources.resources import PODS
from bot.store import Store, ledger
from bot.store.database import AnyEngine, _engine, database_url
from tests.crash.stories import ANNA, STORIES, Story, now
from tests.remediation.proposals import PROPOSAL

READING: Final = ("lease", "release", "find", "due", "overdue", "open_undo", "amend")
CALLS: Final = ("read", "rehearse", "write", "rehearse_recreation", "remove", "create", "tell", "listed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a replica is to do: its proposal, when it dies (0: not at all), how many seconds its clock is ahead."""

    story: str
    proposal: str
    kill_at: int = 0
    ahead: float = 0.0


class Steps:
    """Counts the steps of this process, and kills it at one of them; where that was, goes into the pipe first."""

    def __init__(self, kill_at: int, told: int) -> None:
        self.kill_at, self.passed, self._told = kill_at, 0, told

    def step(self, where: str) -> None:
        self.passed += 1
        if self.passed == self.kill_at:
            os.write(self._told, where.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def ended(self) -> None:
        os.write(self._told, str(self.passed).encode())

    def around(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The call with a step before and after it; one of the ledger's is named by what it tells."""

        async def stepped(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            told = next((f" {a.event}" for a in arguments if isinstance(a, ledger.Told)), "")
            self.step(f"before {name}{told}")
            found = await call(*arguments, **named)
            self.step(f"after {name}{told}")
            return found

        return stepped

    def within(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same around a part of a transaction."""

        def stepped(*arguments: Any) -> Any:  # noqa: ANN401
            told = next((f" {a.event}" for a in arguments if isinstance(a, ledger.Told)), "")
            self.step(f"before {name}{told}")
            found = call(*arguments)
            self.step(f"after {name}{told}")
            return found

        return stepped


class Clusters:
    """One cluster, of which nothing can be told but what the hands find."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    async def hands(self, _cluster: str) -> Hands:
        return self._hands

    async def diagnose(self, _cluster: str, _namespace: str, _pod: str) -> Diagnosis:
        raise ClusterUnreachable("no diagnosis here")

    async def price(self, *_: str) -> float | None:
        return None

    def worded(self, *_: object) -> Any:  # noqa: ANN401
        raise NotImplementedError

    headline = worded


async def _people(user: str, _groups: Sequence[str]) -> Person:
    return Person(user=user)


class Replica:
    """The bot as far as approvals go."""

    def __init__(self, store: Store, hands: Hands, order: Order) -> None:
        self.story: Story = STORIES[order.story]
        self._store, self._order = store, order
        rule = ApprovalRule(users=(ANNA,), confirm_twice=self.story.confirm_twice)
        clusters: Any = Clusters(hands)
        terms = Terms(rules=(rule,), verify_minutes=8 if self.story.watched else 0)
        self.desk = ApprovalDesk(store, clusters, terms, self.clock)
        self.desk.people = _people
        name = f"replica-{os.getpid()}"
        worker = Worker(store, clusters.hands, self.clock, name)
        self.engine = Engine(self.desk, worker, name, look_seconds=0.0)

    def clock(self) -> datetime:
        return now() + timedelta(seconds=self._order.ahead, minutes=self.story.late)

    async def live(self) -> None:
        """From whatever state it finds, as far as it comes."""
        await self._through(self._order.proposal)
        one = await self._found(self._order.proposal)
        if not self.story.undo or one.state not in (State.VERIFIED, State.STALLED, State.UNDONE):
            return
        child = await ledger.open_undo(self._store, one.id, WAITING | UNDER_WAY)
        if child is None and one.state is not State.UNDONE:
            undone = await self.desk.undo(one.id, ANNA)
            child = undone.id if isinstance(undone, Proposal) else None
        if child is not None:
            await self._through(child)

    async def _through(self, proposal: str) -> None:
        for _ in range(2):
            one = await self._found(proposal)
            if one.state in WAITING:
                await self._clicked(proposal)
        await self.engine.work_on(proposal)

    async def _clicked(self, proposal: str) -> None:
        """Anna clicks until it is answered, as Slack delivers again what was not acknowledged; or nobody does."""
        if self.story.click == "approve":
            await self.desk.approve(proposal, ANNA)
        elif self.story.click == "reject":
            await self.desk.reject(proposal, ANNA, "no")
        else:
            await self.engine.expire_overdue()

    async def _found(self, proposal: str) -> Proposal:
        one = await ledger.find(self._store, proposal)
        assert one is not None
        return one


@asynccontextmanager
async def hands_of(kubeconfig: Path) -> AsyncIterator[Hands]:
    async with await open_connection(kubeconfig=str(kubeconfig), compressed=False) as connection:
        yield Hands(connection)


async def _live(engine: AnyEngine, kubeconfig: Path, order: Order, steps: Steps) -> None:
    for name in (*READING, "move", "create", "note"):
        setattr(ledger, name, steps.around(name, getattr(ledger, name)))
    setattr(ledger, "_audit", steps.within("the entry of", ledger._audit))  # noqa: B010 (between the row and its entry)
    async with hands_of(kubeconfig) as hands:
        for name in CALLS:
            setattr(hands, name, steps.around(name, getattr(hands, name)))
        # a row or an object that another replica has in work: the next restart goes on
        with suppress(ReadFailed, SourceError):
            await Replica(Store(engine), hands, order).live()
    steps.ended()


# -- the nursery ---------------------------------------------------------------------------------------------------------


def _nursery(url: str, kubeconfig: Path, pipe: Connection) -> None:
    """Forks replicas on demand, and tells how each ended: its exit code, and the word that it left."""
    # the fake API server speaks plain HTTP: the hundred certificates of this machine would cost more than all the rest
    os.environ["SSL_CERT_FILE"] = os.devnull
    engine = _engine(database_url(url))
    asyncio.run(_warm(engine, kubeconfig))
    gc.freeze()
    while (orders := pipe.recv()) is not None:
        children = [_forked(engine, kubeconfig, order) for order in orders]
        pipe.send([_waited(child, told) for child, told in children])


async def _warm(engine: AnyEngine, kubeconfig: Path) -> None:
    """Imports the client, compiles the ledger's statements on a proposal of its own, and keeps no connection."""
    store, one = Store(engine), replace(PROPOSAL, id=f"warm-{os.getpid()}")
    told, lease = ledger.Told(event="propose", at=now()), ledger.Lease(by="warm", until=now())
    await ledger.create(store, one, told)
    await ledger.lease(store, one.id, WAITING, lease, now())
    await ledger.move(store, one, replace(one, state=State.REJECTED), told, by="warm")
    await ledger.note(store, one, told)
    await ledger.release(store, one.id, "warm")
    await ledger.open_undo(store, one.id, WAITING)
    await store.close()
    async with hands_of(kubeconfig) as hands:
        await hands.listed(PODS, "ml")


def _forked(engine: AnyEngine, kubeconfig: Path, order: Order) -> tuple[int, int]:
    told, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        return child, told
    code = 1
    try:
        asyncio.run(_live(engine, kubeconfig, order, Steps(order.kill_at, tell)))
        code = 0
    finally:
        os._exit(code)


def _waited(child: int, told: int) -> tuple[int, str]:
    with os.fdopen(told, "rb") as pipe:
        word = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), word


class Nursery:
    """How the matrix starts replicas: some at once, and waits for all of them."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def run(self, *orders: Order) -> list[tuple[int, str]]:
        """For each the exit code (-9: killed) and where it was killed, or how many steps it took."""
        self._pipe.send(orders)
        ended: list[tuple[int, str]] = self._pipe.recv()
        return ended


@contextmanager
def nursing(url: str, kubeconfig: Path) -> Iterator[Nursery]:
    """The nursery for the length of the block."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_nursery, args=(url, kubeconfig, theirs), daemon=True)
    process.start()
    try:
        yield Nursery(ours)
    finally:
        ours.send(None)
        process.join(10)


__all__ = ["Nursery", "Order", "nursing"]
