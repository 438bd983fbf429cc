"""What a worker writes down of one proposal: each step before and after it is done, under the worker's lease."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.model.diagnosis import Json
from bot.model.proposals import Attempt, Proposal, Purpose, State, Write
from bot.remediation.approvals import Event, step
from bot.remediation.documents import at, text
from bot.remediation.outcomes import managed_at
from bot.sources.errors import ReadFailed
from bot.store import Store, ledger
from bot.store.ledger import Told

Clock = Callable[[], datetime]
TAKEN_OVER: Final = "another replica has taken over"
_TEST_FAILED: Final = "rejected our request due to an error in our request"


class Record:
    """The ledger as one worker writes it. Every method raises StoreUnavailable."""

    def __init__(self, store: Store, clock: Clock, name: str) -> None:
        self.store, self.clock, self.name = store, clock, name

    async def attempting(self, one: Proposal, document: Json, write: Write) -> Proposal:
        """Before the call, what is about to be sent: the row that recovery starts from. Raises ReadFailed when it is
        another's by now.
        """
        version = text(document, "metadata", "resourceVersion")
        number = one.attempt.number + 1 if one.attempt else 1
        attempt = Attempt(
            number=number, resource_version=version, at=self.clock(), managed_at=managed_at(document), write=write
        )
        return await self._attempt(one, attempt, "attempt", {"resourceVersion": version, "attempt": number})

    async def answered(self, one: Proposal) -> Proposal:
        """The server has refused it, so it is not under way any more."""
        assert one.attempt is not None  # noqa: S101 (it was written just before)
        return await self._attempt(one, replace(one.attempt, answered=True), "answer", {})

    async def deleted(self, one: Proposal) -> Proposal:
        """The old object goes: from here on the new one must come."""
        assert one.attempt is not None  # noqa: S101 (it was written just before)
        return await self._attempt(one, replace(one.attempt, accepted=True), "deleted", {})

    async def _attempt(self, one: Proposal, attempt: Attempt, event: str, detail: dict[str, Json]) -> Proposal:
        to = replace(one, attempt=attempt)
        told = {**detail, "write": attempt.write} if attempt.write is not Write.PATCH else detail
        if not await ledger.move(self.store, one, to, self._told(event, told), by=self.name):
            raise ReadFailed(0, TAKEN_OVER)
        return to

    async def applied(self, one: Proposal, document: Json, *, overwritten: bool = False) -> Proposal:
        """The change is made; of an undo, the change that it takes back is undone."""
        generation = at(document, ("metadata", "generation"))
        left: dict[str, Json] = {"generation": generation, "overwritten": overwritten}
        facts = {**one.facts, **left, "left": text(document, "metadata", "resourceVersion")}
        if one.alteration.creates is not None:
            facts["uid"] = text(document, "metadata", "uid")
        to = replace(one, state=step(one.state, Event.APPLY), applied_at=self.clock(), facts=facts)
        undone = State.UNDONE if one.purpose is Purpose.UNDO else None
        detail: dict[str, Json] = {**left, "resourceVersion": facts["left"]}
        return await self._kept(one, to, self._told(Event.APPLY, detail), parent=undone)

    async def failed(self, one: Proposal, code: str, message: str) -> Proposal:
        """It could not be made, and is not under way."""
        detail: dict[str, Json] = {"code": code, "message": message}
        to = replace(one, state=step(one.state, Event.FAIL), facts={**one.facts, "failure": detail})
        return await self._kept(one, to, self._told(Event.FAIL, detail))

    async def moved(self, one: Proposal, event: Event) -> Proposal:
        """Another state, and nothing else."""
        return await self._kept(one, replace(one, state=step(one.state, event)), self._told(event))

    async def note(self, one: Proposal, event: str, detail: dict[str, Json]) -> None:
        """An entry without a move."""
        await ledger.note(self.store, one, self._told(event, detail))

    async def _kept(self, one: Proposal, to: Proposal, told: Told, parent: State | None = None) -> Proposal:
        """The row after the move; as it is, where another was faster."""
        if await ledger.move(self.store, one, to, told, by=self.name, parent=parent):
            return to
        return await ledger.find(self.store, one.id) or one

    def _told(self, event: str, detail: dict[str, Json] | None = None) -> Told:
        return Told(event=event, at=self.clock(), detail=detail or {})


def is_race(refused: ReadFailed) -> bool:
    """Whether a `test` of the patch failed, or the server was busy: look again. What validation or a policy refuses stays so.

    Source: apiserver handlers/patch.go and apimachinery pkg/api/errors, NewGenericServerResponse: a failed test is a 422 with
    this sentence; a ValidatingAdmissionPolicy's refusal is a 422 too, "... is forbidden: ... denied request: ...".
    """
    return refused.status in (409, 429) or (refused.status == 422 and _TEST_FAILED in refused.message)


def is_definite(refused: ReadFailed) -> bool:
    """Whether the server has said no, so that nothing was changed and nothing is under way."""
    return 400 <= refused.status < 500
