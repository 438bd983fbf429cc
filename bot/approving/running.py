"""The desk's engine: carries approved changes out, watches what comes of them, lets old proposals expire. Survives restarts.

It works off the ledger alone, so that a replica that starts takes over what another has left.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

from bot.approving.carrying import Worker
from bot.approving.desk import ApprovalDesk
from bot.approving.watching import Sight, Watcher, told_event
from bot.model.diagnosis import Json
from bot.model.proposals import Proposal, Purpose, State
from bot.remediation.approvals import WAITING, Event, step
from bot.sources.errors import ReadFailed, SourceError
from bot.store import StoreUnavailable, ledger
from bot.store.ledger import Lease, Told

LOG: Final = logging.getLogger(__name__)
EVERY_SECONDS: Final = 5.0
"""How often the ledger is looked through for what nobody is at work on."""
LOOK_SECONDS: Final = 2.0
_LEASED: Final = timedelta(seconds=60)
_MOST_AT_ONCE: Final = 20

Changed = Callable[[Proposal], Awaitable[None]]


class Engine:
    """One replica's. `changed` is called with each proposal that has moved, to bring its message up to date."""

    def __init__(self, desk: ApprovalDesk, worker: Worker, name: str, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._desk, self._worker, self._name, self._look_seconds = desk, worker, name, look_seconds
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None
        self.changed: Changed | None = None

    def start(self) -> None:
        """Begins to look through the ledger."""
        self._loop = asyncio.create_task(self._forever())

    @property
    def busy(self) -> bool:
        """Whether it is at work on a proposal."""
        return bool(self._tasks)

    async def close(self) -> None:
        """Ends; what is in work is left to the next one, as after a crash."""
        tasks = [task for task in (self._loop, *self._tasks.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def go_on(self, proposal: str) -> None:
        """Works on a proposal, if nobody does."""
        if proposal not in self._tasks and len(self._tasks) < _MOST_AT_ONCE:
            task = asyncio.create_task(self.work_on(proposal))
            self._tasks[proposal] = task
            task.add_done_callback(lambda _: self._tasks.pop(proposal, None))

    async def _forever(self) -> None:
        while True:
            try:
                await self.look_through()
            except StoreUnavailable as error:
                LOG.warning("the ledger cannot be read: %s", error)
            except Exception:
                LOG.exception("looking through the ledger failed")
            await asyncio.sleep(EVERY_SECONDS)

    async def look_through(self) -> None:
        """One round: what has to go on, and what has run out of time."""
        store, now = self._desk.store, self._desk.clock()
        for one in await ledger.due(store, (State.APPROVED, State.APPLYING, State.APPLIED), now):
            self.go_on(one)
        await self.expire_overdue()

    async def expire_overdue(self) -> None:
        """Nobody has decided in time."""
        for overdue in await ledger.overdue(self._desk.store, WAITING, self._desk.clock()):
            await self._expire(overdue)

    async def _expire(self, proposal: str) -> None:
        one = await ledger.find(self._desk.store, proposal)
        if one is None or one.state not in WAITING:
            return
        to = replace(one, state=step(one.state, Event.EXPIRE))
        if await ledger.move(self._desk.store, one, to, self._told(Event.EXPIRE)):
            await self.tell(to)

    async def work_on(self, proposal: str) -> None:
        """As far as it goes now: carried out, told, watched. What goes wrong is logged and tried again in a later round."""
        try:
            await self._work(proposal)
        except (StoreUnavailable, ReadFailed, SourceError) as error:
            LOG.warning("proposal %s waits: %s", proposal, error)
        except Exception:
            LOG.exception("working on proposal %s failed", proposal)

    async def _work(self, proposal: str) -> None:
        done = await self._worker.carry_out(proposal)
        if done is not None:
            await self.tell(done)
            if done.state is State.APPLIED:
                await self._record(done)
                await self._tell_parent(done)
            if done.state is State.SUPERSEDED and done.purpose is Purpose.REMEDY:
                await self._again(done)
        one = await ledger.find(self._desk.store, proposal)
        if one is not None and one.state is State.APPLIED:
            await self._watch(one)

    async def _tell_parent(self, done: Proposal) -> None:
        parent = await ledger.find(self._desk.store, done.parent) if done.parent else None
        if parent is not None:
            await self.tell(parent)

    async def _record(self, done: Proposal) -> None:
        """An Event on the object; where that may not be written the change stands all the same."""
        by = ", ".join(done.approvers)
        message = f"karpenter-bot changed this object, approved in Slack by {by} (proposal {done.id})"
        event = told_event(done, self._desk.clock(), message)
        try:
            await (await self._desk.clusters.hands(done.cluster)).tell(event)
        except (ReadFailed, SourceError) as error:
            LOG.warning("no Event could be written about %s: %s", done.alteration.target, error)
            await ledger.note(self._desk.store, done, self._told("no-event", {"why": str(error)}))

    async def _again(self, done: Proposal) -> None:
        """The object has changed: the remedy is decided anew, and must be approved anew."""
        with suppress(SourceError):
            anew = await self._desk.proposer.again(done)
            if isinstance(anew, Proposal):
                await self.tell(anew)

    async def _watch(self, one: Proposal) -> None:
        """Follows the change until the pod runs or time is up. Another replica that does so already is left to it."""
        store, clock = self._desk.store, self._desk.clock
        lease = Lease(by=self._name, until=clock() + _LEASED)
        taken = await ledger.lease(store, one.id, (State.APPLIED,), lease, clock())
        if taken is None:
            return
        try:
            await self._watched(taken)
        finally:
            with suppress(StoreUnavailable):
                await ledger.release(store, one.id, self._name)

    async def _watched(self, one: Proposal) -> None:
        store, clock = self._desk.store, self._desk.clock
        if one.purpose is Purpose.UNDO:
            return await self._ended(one, Event.VERIFY, dict(one.facts))
        watcher = Watcher(await self._desk.clusters.hands(one.cluster), one)
        ends = (one.applied_at or clock()) + timedelta(minutes=self._desk.terms.verify_minutes)
        ran = False
        while True:
            with suppress(ReadFailed, SourceError):
                sight = await watcher.look()
                facts = {**one.facts, "sight": sight.as_json(), "price": await self._price(one, sight)}
                if sight.running is not None and (sight.nodeclaim or ran):
                    return await self._ended(one, Event.VERIFY, facts)
                ran = sight.running is not None  # Karpenter may name the node in its NodeClaim after the pod is bound
                if facts != one.facts:
                    one = replace(one, facts=facts)
                    await ledger.amend(store, one.id, facts=facts)
                    await self.tell(one)
            if clock() >= ends:
                return await self._ended(one, Event.STALL, {**one.facts, **await self._blocked(one)})
            now = clock()
            lease = Lease(by=self._name, until=now + _LEASED)
            if await ledger.lease(store, one.id, (State.APPLIED,), lease, now) is None:
                return None  # undone meanwhile, or taken over
            await asyncio.sleep(self._look_seconds)

    async def _price(self, one: Proposal, sight: Sight) -> Json:
        """What the node costs an hour; asked for once for each type, zone and capacity type."""
        known = one.facts.get("sight")
        kind = (sight.instance_type, sight.zone, sight.capacity_type)
        before = isinstance(known, dict) and kind == tuple(
            known.get(n) for n in ("instance_type", "zone", "capacity_type")
        )
        if before or not sight.instance_type:
            return one.facts.get("price")
        try:
            return await self._desk.clusters.price(one.cluster, *kind)
        except Exception as error:  # a price is never worth more than the change that it is told with
            LOG.info("no price for %s: %s", kind, error)
            return None

    async def _blocked(self, one: Proposal) -> dict[str, Json]:
        """What keeps the pod from its node now, in a sentence, and what would help next; why that cannot be told, else."""
        sight = one.facts.get("sight")
        name = str(sight.get("pod") or "") if isinstance(sight, dict) else ""
        try:
            diagnosis = await self._desk.clusters.diagnose(one.cluster, one.pod.namespace, name or one.pod.name)
        except SourceError as error:
            return {"now": str(error)}
        now = self._desk.clusters.headline(diagnosis, one.language)
        return {"now": now, "next": await self._desk.proposer.next_fixes(one, diagnosis)}

    async def _ended(self, one: Proposal, event: Event, facts: dict[str, Json]) -> None:
        to = replace(one, state=step(one.state, event), facts=facts)
        detail: dict[str, Json] = {key: facts[key] for key in ("sight", "now") if key in facts}
        if await ledger.move(self._desk.store, one, to, self._told(event, detail), by=self._name):
            await self.tell(to)

    async def tell(self, one: Proposal) -> None:
        """Brings the message up to date; a message that cannot be changed costs nothing else."""
        if self.changed is None:
            return
        try:
            await self.changed(one)
        except Exception:
            LOG.exception("the message of proposal %s could not be brought up to date", one.id)

    def _told(self, event: str, detail: dict[str, Json] | None = None) -> Told:
        return Told(event=event, at=self._desk.clock(), detail=detail)
