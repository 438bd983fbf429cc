"""Carries an approved change out, exactly once, whatever dies on the way.

Before each write the ledger knows that it is about to be sent and for which version of the object; after a crash the object
itself tells what became of it (`bot.remediation.outcomes`). A change that may still be under way is never called failed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from bot.approving.hands import Hands
from bot.model.diagnosis import Json
from bot.model.proposals import Attempt, Proposal, Purpose, State
from bot.remediation.approvals import Event, is_expired, step
from bot.remediation.documents import at, text
from bot.remediation.outcomes import Outcome, digest_of, guarded, holds, is_settled, managed_at, outcome_of
from bot.sources.errors import ReadFailed, SourceError
from bot.store import Store, StoreUnavailable, ledger
from bot.store.ledger import Lease, Told

LOG: Final = logging.getLogger(__name__)
LEASED: Final = timedelta(seconds=60)
"""How long a worker has a row for itself; longer than its calls take."""
TRIES: Final = 5
"""How often an object is read anew when it changes (its status, mostly) between the look and the write."""
_PAUSE: Final = 0.2

Clock = Callable[[], datetime]


class Worker:
    """One replica's hands at work. `name` is unique to this process."""

    def __init__(self, store: Store, hands: Callable[[str], Awaitable[Hands]], clock: Clock, name: str) -> None:
        self._store, self._hands, self._clock, self._name = store, hands, clock, name

    async def carry_out(self, proposal: str) -> Proposal | None:
        """Does what is approved, or finds out what became of it. The row afterwards; None when it is not ours to do.

        A row that comes back still `approved` or `applying` could not be finished now: ask again later.
        Raises StoreUnavailable; the cluster's troubles are in the row's facts.
        """
        now = self._clock()
        states = (State.APPROVED, State.APPLYING)
        lease = Lease(by=self._name, until=now + LEASED)
        one = await ledger.lease(self._store, proposal, states, lease, now)
        if one is None:
            return None
        try:
            return await self._carried(one)
        except (ReadFailed, SourceError) as trouble:
            LOG.warning("proposal %s cannot be carried out now: %s", proposal, trouble)
            await self._note(one, "waits", {"why": str(trouble)})
            return await ledger.find(self._store, proposal)
        finally:
            with suppress(StoreUnavailable):
                await ledger.release(self._store, proposal, self._name)

    async def _carried(self, one: Proposal) -> Proposal:
        if one.state is State.APPROVED:
            if is_expired(one, self._clock()):
                return await self._moved(one, Event.EXPIRE)
            claimed = await self._moved(one, Event.CLAIM)
            if claimed.state is not State.APPLYING:
                return claimed
            one = claimed
        for number in range(TRIES):
            following = await self._tried(one)
            if following.state is not State.APPLYING:
                return following
            one = following
            await asyncio.sleep(_PAUSE * number)
        return one

    async def _tried(self, one: Proposal) -> Proposal:
        """Looks, and writes once if that is what is to be done. The row, `applying` still when it must be tried again."""
        hands = await self._hands(one.cluster)
        document = await hands.read(one.alteration.target)
        outcome = outcome_of(document, one.alteration.uid, one.id, one.attempt)
        if outcome in (Outcome.APPLIED, Outcome.OVERWRITTEN):
            return await self._applied(one, document, overwritten=outcome is Outcome.OVERWRITTEN)
        if outcome is Outcome.GONE:
            unknown = one.attempt is not None and not one.attempt.answered
            return await self._failed(one, "gone-unknown" if unknown else "object-gone", "")
        settled = outcome is Outcome.NOT_APPLIED or is_settled(one.attempt, self._clock())
        ended = Event.EXPIRE if is_expired(one, self._clock()) else Event.SUPERSEDE
        if ended is Event.EXPIRE or not holds(one.alteration.patch, document):
            return await self._moved(one, ended) if settled else one
        return await self._sent(hands, one, document, settled=settled)

    async def _sent(self, hands: Hands, one: Proposal, document: Json, *, settled: bool) -> Proposal:
        """Rehearses for this version of the object and, if that gives the change that was approved, writes."""
        alteration = one.alteration
        patch = guarded(alteration.patch, document, one.id)
        try:
            rehearsed = await hands.rehearse(alteration.target, patch)
            if digest_of(document, rehearsed) != alteration.digest:
                return await self._moved(one, Event.SUPERSEDE) if settled else one
            one = await self._attempting(one, document)
            written = await hands.write(alteration.target, patch)
        except ReadFailed as refused:
            if one.attempt and not one.attempt.answered and _is_definite(refused) and settled:
                one = await self._answered(one)
            return await self._refused(one, refused, settled=settled)
        return await self._applied(one, written)

    async def _attempting(self, one: Proposal, document: Json) -> Proposal:
        """Writes down, before the call, what is about to be sent: the row that recovery starts from."""
        version = text(document, "metadata", "resourceVersion")
        number = one.attempt.number + 1 if one.attempt else 1
        attempt = Attempt(number=number, resource_version=version, at=self._clock(), managed_at=managed_at(document))
        to = replace(one, attempt=attempt)
        detail: dict[str, Json] = {"resourceVersion": version, "attempt": number}
        if not await ledger.move(self._store, one, to, self._told("attempt", detail), by=self._name):
            raise ReadFailed(0, "another replica has taken over")
        return to

    async def _answered(self, one: Proposal) -> Proposal:
        assert one.attempt is not None  # noqa: S101 (it was written just before)
        to = replace(one, attempt=replace(one.attempt, answered=True))
        await ledger.move(self._store, one, to, self._told("answer"), by=self._name)
        return to

    async def _refused(self, one: Proposal, refused: ReadFailed, *, settled: bool) -> Proposal:
        """A conflict is looked at anew; a refusal that stands is the end, once nothing can be under way."""
        await self._note(one, "refused", {"status": refused.status, "message": refused.message})
        if not _is_definite(refused):
            raise refused
        return one if is_race(refused) or not settled else await self._failed(one, "refused", refused.message)

    async def _applied(self, one: Proposal, document: Json, *, overwritten: bool = False) -> Proposal:
        generation = at(document, ("metadata", "generation"))
        facts = {**one.facts, "generation": generation, "overwritten": overwritten}
        facts["left"] = text(document, "metadata", "resourceVersion")
        to = replace(one, state=step(one.state, Event.APPLY), applied_at=self._clock(), facts=facts)
        undone = State.UNDONE if one.purpose is Purpose.UNDO else None
        detail: dict[str, Json] = {
            "generation": generation,
            "resourceVersion": facts["left"],
            "overwritten": overwritten,
        }
        return await self._kept(one, to, self._told(Event.APPLY, detail), parent=undone)

    async def _failed(self, one: Proposal, code: str, message: str) -> Proposal:
        detail: dict[str, Json] = {"code": code, "message": message}
        to = replace(one, state=step(one.state, Event.FAIL), facts={**one.facts, "failure": detail})
        return await self._kept(one, to, self._told(Event.FAIL, detail))

    async def _moved(self, one: Proposal, event: Event) -> Proposal:
        return await self._kept(one, replace(one, state=step(one.state, event)), self._told(event))

    async def _kept(self, one: Proposal, to: Proposal, told: Told, parent: State | None = None) -> Proposal:
        """The row after the move; as it is, where another was faster."""
        if await ledger.move(self._store, one, to, told, by=self._name, parent=parent):
            return to
        return await ledger.find(self._store, one.id) or one

    async def _note(self, one: Proposal, event: str, detail: dict[str, Json]) -> None:
        await ledger.note(self._store, one, self._told(event, detail))

    def _told(self, event: str, detail: dict[str, Json] | None = None) -> Told:
        return Told(event=event, at=self._clock(), detail=detail or {})


def is_race(refused: ReadFailed) -> bool:
    """Whether a `test` of the patch failed, or the server was busy: look again. What it found invalid stays invalid.

    Source: apimachinery pkg/api/errors, NewInvalid ("... is invalid: ..."); apiserver handlers/patch.go for a failed test.
    """
    return refused.status in (409, 429) or (refused.status == 422 and "is invalid" not in refused.message)


def _is_definite(refused: ReadFailed) -> bool:
    """Whether the server has said no, so that nothing was changed and nothing is under way."""
    return 400 <= refused.status < 500
