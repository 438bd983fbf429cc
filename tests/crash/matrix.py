"""The matrix: every story killed at each of its steps, alone or racing another replica, then restarts that die or live; and
what must hold afterwards.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bot.model.proposals import AuditEntry, Proposal, State
from bot.remediation.outcomes import MARK
from bot.store import Store, ledger, open_store
from bot.store.database import _engine, database_url
from bot.store.ledger import Told
from tests.crash.replica import Nursery, Order, nursing
from tests.crash.server import Server, serving
from tests.crash.stories import ANNA, PLURALS, STORIES, Story, now, proposal

LEASE_AND_MORE: Final = 65.0
KILLED: Final = -9
RESTARTS: Final = 4
"""That live, at most; a proposal that has not come to its end after so many is lost."""
TOUCHED: Final = 0.3


@dataclass(slots=True)
class Tally:
    """What the runs have come to."""

    runs: int = 0
    kills: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    """Where the kills were: before, within or after which call."""
    wrong: list[str] = field(default_factory=list)

    def count(self, ended: Sequence[tuple[int, str]]) -> None:
        for code, word in ended:
            self.kills += code == KILLED
            if code == KILLED:
                self.places[word] += 1
            elif code:
                self.wrong.append(f"a replica ended with {code}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`first`: the steps at which replicas that start together die (0: not at all). `then`: the restarts that die too."""

    story: str
    first: tuple[int, ...]
    then: tuple[int, ...] = ()


class Matrix:
    """One database, one API server, one nursery of replicas."""

    def __init__(self, url: str, server: Server, nursery: Nursery, tally: Tally) -> None:
        self._engine = _engine(database_url(url))
        self._server, self._nursery, self._tally = server, nursery, tally
        self._chance = random.Random(len(url))
        self.steps: dict[str, int] = {}

    def measure(self, story: str, name: str) -> int:
        """How many steps the story has: those of a replica that does it all."""
        [(code, word)] = self._played(Run(story=story, first=(0,)), name)
        self.steps[story] = int(word) if not code else 0
        return self.steps[story]

    def play(self, run: Run, name: str) -> None:
        """One proposal's life, with its deaths."""
        self._played(run, name)

    def _played(self, run: Run, name: str) -> list[tuple[int, str]]:
        story = STORIES[run.story]
        document = self._server.ask("new", story.kind, name)
        self._do(lambda store: _write_down(store, story, proposal(story, name, document)))
        self._spoil(story, name)
        # the second one's clock runs ahead, so that it takes over while the first one still writes: a lease is no lock
        orders = [
            Order(story=run.story, proposal=name, kill_at=kill, ahead=LEASE_AND_MORE * number)
            for number, kill in enumerate(run.first)
        ]
        ended = self._nursery.run(*orders)
        self._tally.count(ended)
        if self._chance.random() < TOUCHED:
            self._server.ask("touch", story.kind, name)  # somebody's controller writes its status meanwhile
        self._restart(run, story, name)
        self._server.ask("refuse", "", "")
        self._tally.runs += 1
        self._tally.wrong += [f"{name} ({run}): {wrong}" for wrong in self._wrong(story, name)]
        return ended

    def _spoil(self, story: Story, name: str) -> None:
        if story.spoil == "refuse":
            self._server.ask("refuse", "", PLURALS[story.kind])
        elif story.spoil:
            self._server.ask(story.spoil, story.kind, name)

    def _restart(self, run: Run, story: Story, name: str) -> None:
        for restart, kill in enumerate((*run.then, *(0,) * RESTARTS), 1):
            ahead = LEASE_AND_MORE * (restart + 1)
            self._tally.count(self._nursery.run(Order(story=run.story, proposal=name, kill_at=kill, ahead=ahead)))
            if kill == 0 and self._found(name).state is story.end:
                break

    def _found(self, name: str) -> Proposal:
        one: Proposal = self._do(lambda store: ledger.find(store, name))
        return one

    def _wrong(self, story: Story, name: str) -> Iterator[str]:
        """What should not be: written not as often as approved, an approval lost, a change unrecorded, a broken audit."""
        kept = self._server.ask("count", story.kind, name)
        one, entries = self._do(lambda store: _told(store, name))
        self._tally.ends[one.state] += 1
        counted = {what: kept[what] for what in story.writes}
        if counted != dict(story.writes):
            yield f"written {counted}, not {dict(story.writes)}"
        if one.state is not story.end:
            yield f"it is {one.state}, not {story.end}"
        events = [entry.event for entry in entries if entry.event in story.events]
        if events != list(story.events):
            yield f"the record is not whole: {[entry.event for entry in entries]}"
        yield from _unannounced(entries, story)
        changed = sum(story.writes.values()) > 0
        mark = kept["object"]["metadata"].get("annotations", {}).get(MARK) if kept["object"] else None
        if changed and not story.undo and mark != name:
            yield "the object does not carry the change"
        if changed and story.undo and (mark in (None, name) or not self._undone(str(mark), story)):
            yield "the object does not carry the way back"

    def _undone(self, child: str, story: Story) -> bool:
        """Whether the undo, by the mark that it left, is in the ledger as applied, and whole."""
        one, entries = self._do(lambda store: _told(store, child))
        events = [entry.event for entry in entries]
        return one.state is State.VERIFIED and events.count("apply") == 1 and not list(_unannounced(entries, story))

    def _do(self, work: Any) -> Any:  # noqa: ANN401
        async def done() -> Any:  # noqa: ANN401
            store = Store(self._engine)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(done())


async def _write_down(store: Store, story: Story, one: Proposal) -> None:
    await ledger.create(store, one, Told(event="propose", at=one.created_at, actor=one.requester))
    if story.start is State.APPROVED:
        to = replace(one, state=State.APPROVED, approvers=(ANNA,), approved_at=now())
        assert await ledger.move(store, one, to, Told(event="approve", at=one.created_at, actor=ANNA))


async def _told(store: Store, name: str) -> tuple[Proposal, list[AuditEntry]]:
    one = await ledger.find(store, name)
    assert one is not None
    return one, await ledger.history(store, name)


def _unannounced(entries: Sequence[AuditEntry], story: Story) -> Iterator[str]:
    """A write that the ledger did not know of before, or a chain that does not hold."""
    events = [entry.event for entry in entries]
    if "apply" in events:
        before = entries[: events.index("apply")]
        announced = {entry.detail.get("write", "patch") for entry in before if entry.event == "attempt"}
        if announced != ({"patch"} if story.kind == "Deployment" else {"delete", "create"}):
            yield f"a change without a record before it: {events}, {announced}"
    if not ledger.chained(entries):
        yield "the audit's chain is broken"


@contextmanager
def matrix(url: str, folder: Path, tally: Tally) -> Iterator[Matrix]:
    """Everything running, on one database."""

    async def migrate() -> None:
        async with open_store(url):
            pass

    asyncio.run(migrate())
    with serving(folder) as server, nursing(url, server.kubeconfig) as nursery:
        yield Matrix(url, server, nursery, tally)


def plan(steps: dict[str, int], seed: int) -> Iterator[Run]:
    """Every step of every story first, of a replica alone, with a restart that dies too; then, for ever, pairs that race and
    die, or one of which lives, and restarts that die, the longer stories more often.
    """
    chance = random.Random(seed)

    def some(story: str) -> int:
        return chance.randint(1, steps[story])

    for story, count in steps.items():
        for number in range(1, count + 1):
            yield Run(story=story, first=(number,), then=(some(story),))
    while True:
        [story] = chance.choices(list(steps), weights=list(steps.values()))
        second = some(story) if chance.random() < 0.7 else 0
        yield Run(story=story, first=(some(story), second), then=(some(story), some(story)))
