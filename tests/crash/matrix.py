"""The matrix: kill at each step, alone or racing another replica, then a restart; and what must hold afterwards.

A server process holds the object (the API server's part: patches, tests, resourceVersions) and counts what was applied.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from bot.model.objects import ObjectRef
from bot.model.proposals import Alteration, Proposal, State
from bot.remediation.outcomes import MARK, digest_of
from bot.store import Store, ledger, open_store
from bot.store.ledger import Told
from tests.approving.stage import DEPLOYMENT
from tests.crash import replica
from tests.fakes.kube import plural_of
from tests.fakes.writable_kube import writable
from tests.remediation.proposals import ANNA, PROPOSAL

STEPS: Final = 22
"""As many as a replica takes that does it all; a kill at a step that never comes is a run to its end."""
LEASE_AND_MORE: Final = 65.0


@dataclass(slots=True)
class Tally:
    """What the runs have come to."""

    runs: int = 0
    kills: int = 0
    states: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def _serve(folder: Path, pipe: Connection) -> None:
    async def forever() -> None:
        async with writable([]) as kube:
            kube.served = frozenset({"apps/v1"})
            kube.objects.append(_deployment("seen-by-discovery"))
            kube.__post_init__()
            pipe.send(str(kube.kubeconfig(folder)))
            loop = asyncio.get_running_loop()
            while True:
                asked = await loop.run_in_executor(None, pipe.recv)
                if asked is None:
                    return
                pipe.send(_answer(kube, *asked))

    asyncio.run(forever())


def _answer(kube: Any, what: str, name: str) -> Any:  # noqa: ANN401
    if what == "new":
        kube.objects.append(_deployment(name))
        kube.__post_init__()
        return kube.find("Deployment", name)
    if what == "touch":
        kube.touch("Deployment", name)
        return None
    applied = [after for path, after in kube.patched if path.endswith(f"/{plural_of('Deployment')}/{name}")]
    return {"times": len(applied), "object": kube.find("Deployment", name)}


def _deployment(name: str) -> dict[str, Any]:
    return deepcopy({**DEPLOYMENT, "metadata": {"name": name, "namespace": "ml"}})


class Server:
    """The API server's part, in a process of its own: it outlives every replica."""

    def __init__(self, kubeconfig: Path, pipe: Connection) -> None:
        self.kubeconfig, self._pipe = kubeconfig, pipe

    def ask(self, what: str, name: str) -> Any:  # noqa: ANN401
        self._pipe.send((what, name))
        return self._pipe.recv()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """The server for the length of the block."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(folder, theirs), daemon=True)
    process.start()
    try:
        yield Server(Path(ours.recv()), ours)
    finally:
        ours.send(None)
        process.join(10)


def _approved(name: str, document: dict[str, Any]) -> Proposal:
    after = {**document, "spec": {**document["spec"], "replicas": 1}}
    steps: tuple[dict[str, Any], ...] = (
        {"op": "test", "path": "/spec/replicas", "value": 8},
        {"op": "replace", "path": "/spec/replicas", "value": 1},
    )
    alteration = Alteration(
        target=ObjectRef(api_version="apps/v1", kind="Deployment", namespace="ml", name=name),
        uid=document["metadata"]["uid"],
        patch=steps,
        undo=(),
        diff="",
        digest=digest_of(document, after),
    )
    now = datetime.now(UTC)  # noqa: TID251 (replicas are processes with real clocks)
    return replace(PROPOSAL, id=name, alteration=alteration, created_at=now, expires_at=now, approved_at=None)


async def _write_down(store: Store, one: Proposal) -> None:
    told = Told(event="propose", at=one.created_at, actor=one.requester)
    await ledger.create(store, one, told)
    to = replace(one, state=State.APPROVED, approvers=(ANNA,), approved_at=one.created_at)
    assert await ledger.move(store, one, to, Told(event="approve", at=one.created_at, actor=ANNA))


def run_once(
    url: str, server: Server, name: str, kills: tuple[int, ...], tally: Tally, again: tuple[int, ...] = ()
) -> None:
    """Replicas that start together, each dying at its step; restarts that die too; then restarts that live."""
    document = server.ask("new", name)
    _do(url, lambda store: _write_down(store, _approved(name, document)))
    # the second one's clock runs ahead, so that it takes over while the first one still writes: a lease is no lock
    children = [
        replica.start(url, server.kubeconfig, name, kill_at=kill, ahead=LEASE_AND_MORE * number)
        for number, kill in enumerate(kills)
    ]
    ended = [replica.wait(child) for child in children]
    tally.kills += sum(code == -9 for code in ended)
    if random.random() < 0.3:
        server.ask("touch", name)  # somebody's controller writes its status meanwhile
    for restart, kill in enumerate((*again, 0, 0, 0), 1):
        child = replica.start(url, server.kubeconfig, name, kill_at=kill, ahead=LEASE_AND_MORE * (restart + 1))
        tally.kills += replica.wait(child) == -9
        if kill == 0 and _do(url, lambda store: ledger.find(store, name)).state is State.APPLIED:
            break
    tally.runs += 1
    tally.wrong += [f"{name} killed at {kills}, then {again}: {wrong}" for wrong in _wrong(url, server, name, tally)]


def _wrong(url: str, server: Server, name: str, tally: Tally) -> Iterator[str]:
    """What should not be: applied not once, an approval lost, a change without its record, a broken audit."""
    kept = server.ask("tell", name)
    one, entries = _do(url, lambda store: _told(store, name))
    tally.states[one.state] += 1
    mark = kept["object"]["metadata"].get("annotations", {}).get(MARK)
    if kept["times"] != 1:
        yield f"applied {kept['times']} times"
    if one.state is not State.APPLIED:
        yield f"an approval was lost: the proposal is {one.state}"
    if mark != name or kept["object"]["spec"]["replicas"] != 1:
        yield "the object does not carry the change"
    events = [entry.event for entry in entries]
    if events[:2] != ["propose", "approve"] or events.count("apply") != 1 or events.count("claim") != 1:
        yield f"the record is not whole: {events}"
    if "attempt" not in events or events.index("attempt") > events.index("apply"):
        yield f"a change without a record before it: {events}"
    if not ledger.chained(entries):
        yield "the audit's chain is broken"


async def _told(store: Store, name: str) -> tuple[Proposal, list[Any]]:
    one = await ledger.find(store, name)
    assert one is not None
    return one, await ledger.history(store, name)


def migrate(url: str) -> None:
    """Brings the database to its newest shape, as the first replica does."""

    async def done() -> None:
        async with open_store(url):
            pass

    asyncio.run(done())


def _do(url: str, work: Any) -> Any:  # noqa: ANN401
    async def done() -> Any:  # noqa: ANN401
        async with replica.migrated(url) as store:
            return await work(store)

    return asyncio.run(done())


def plan(runs: int, seed: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Every step alone first; then pairs of replicas that race and die, or one of which lives, and restarts that die."""
    chance = random.Random(seed)
    for number in range(runs):
        if number < STEPS:
            yield (number + 1,), (chance.randint(1, STEPS),)
        else:
            first, second, third, fourth = (chance.randint(1, STEPS) for _ in range(4))
            yield ((first, second) if number % 3 else (first, 0)), (third, fourth)


def through(url: str, folder: Path, runs: int, tally: Tally, label: str) -> None:
    """So many runs of the plan on one database."""
    migrate(url)
    with serving(folder) as server:
        for number, (kills, again) in enumerate(plan(runs, seed=len(label) + tally.runs)):
            run_once(url, server, f"{label}-{number}", kills, tally, again)


__all__ = ["STEPS", "Tally", "run_once", "serving", "through"]
