"""Carries an approved change out, exactly once, whatever dies on the way.

Before each write the ledger knows that it is about to be sent and for which version of the object; after a crash the object
itself tells what became of it (`bot.remediation.outcomes`). A change that may still be under way is never called failed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from bot.approving.hands import Hands
from bot.approving.recording import Clock, Record, is_definite, is_race
from bot.approving.recreating import recreated
from bot.model.diagnosis import Json
from bot.model.proposals import Proposal, State, Write
from bot.remediation.approvals import Event, is_expired
from bot.remediation.outcomes import Outcome, digest_of, guarded, holds, is_settled, outcome_of
from bot.sources.errors import ReadFailed, SourceError
from bot.store import Store, StoreUnavailable, ledger
from bot.store.ledger import Lease

LOG: Final = logging.getLogger(__name__)
LEASED: Final = timedelta(seconds=60)
"""How long a worker has a row for itself; longer than its calls take."""
TRIES: Final = 5
"""How often an object is read anew when it changes (its status, mostly) between the look and the write."""
_PAUSE: Final = 0.2


class Worker:
    """One replica's hands at work. `name` is unique to this process."""

    def __init__(self, store: Store, hands: Callable[[str], Awaitable[Hands]], clock: Clock, name: str) -> None:
        self._store, self._hands, self._clock, self._name = store, hands, clock, name
        self._record = Record(store, clock, name)

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
            await self._record.note(one, "waits", {"why": str(trouble)})
            return await ledger.find(self._store, proposal)
        finally:
            with suppress(StoreUnavailable):
                await ledger.release(self._store, proposal, self._name)

    async def _carried(self, one: Proposal) -> Proposal:
        if one.state is State.APPROVED:
            if is_expired(one, self._clock()):
                return await self._record.moved(one, Event.EXPIRE)
            claimed = await self._record.moved(one, Event.CLAIM)
            if claimed.state is not State.APPLYING:
                return claimed
            one = claimed
        hands = await self._hands(one.cluster)
        for number in range(TRIES):
            following = await (recreated(self._record, hands, one) if one.recreates else self._tried(hands, one))
            if following.state is not State.APPLYING:
                return following
            one = following
            await asyncio.sleep(_PAUSE * number)
        return one

    async def _tried(self, hands: Hands, one: Proposal) -> Proposal:
        """Looks, and writes once if that is what is to be done. The row, `applying` still when it must be tried again."""
        document = await hands.read(one.alteration.target)
        outcome = outcome_of(document, one.alteration.uid, one.id, one.attempt)
        if outcome in (Outcome.APPLIED, Outcome.OVERWRITTEN):
            return await self._record.applied(one, document, overwritten=outcome is Outcome.OVERWRITTEN)
        if outcome is Outcome.GONE:
            unknown = one.attempt is not None and not one.attempt.answered
            return await self._record.failed(one, "gone-unknown" if unknown else "object-gone", "")
        settled = outcome is Outcome.NOT_APPLIED or is_settled(one.attempt, self._clock())
        ended = Event.EXPIRE if is_expired(one, self._clock()) else Event.SUPERSEDE
        if ended is Event.EXPIRE or not holds(one.alteration.patch, document):
            return await self._record.moved(one, ended) if settled else one
        return await self._sent(hands, one, document, settled=settled)

    async def _sent(self, hands: Hands, one: Proposal, document: Json, *, settled: bool) -> Proposal:
        """Rehearses for this version of the object and, if that gives the change that was approved, writes."""
        alteration = one.alteration
        patch = guarded(alteration.patch, document, one.id)
        try:
            rehearsed = await hands.rehearse(alteration.target, patch)
            if digest_of(document, rehearsed) != alteration.digest:
                return await self._record.moved(one, Event.SUPERSEDE) if settled else one
            one = await self._record.attempting(one, document, Write.PATCH)
            written = await hands.write(alteration.target, patch)
        except ReadFailed as refused:
            return await self._refused(one, refused, settled=settled)
        return await self._record.applied(one, written)

    async def _refused(self, one: Proposal, refused: ReadFailed, *, settled: bool) -> Proposal:
        """A conflict is looked at anew; a refusal that stands is the end, once nothing can be under way."""
        if one.attempt and not one.attempt.answered and is_definite(refused) and settled:
            one = await self._record.answered(one)
        await self._record.note(one, "refused", {"status": refused.status, "message": refused.message})
        if not is_definite(refused):
            raise refused
        if is_race(refused) or not settled:
            return one
        return await self._record.failed(one, "refused", refused.message)
