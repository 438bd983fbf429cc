"""What Slack's buttons call: approve, reject, undo. Each click is decided purely, moved once, carried out elsewhere.

Whatever cannot be known (who the person is, what the server would do, what the ledger has) is a no.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from bot.approving.hands import Hands
from bot.approving.proposing import (
    TOKEN_BYTES,
    Clusters,
    Proposer,
    Terms,
    rehearsed,
    rehearsed_anew,
    shown,
    stopping,
)
from bot.approving.recording import Clock
from bot.model.diagnosis import Json
from bot.model.proposals import Alteration, ApprovalRule, Person, Place, Proposal, Purpose, State
from bot.remediation.approvals import (
    UNDER_WAY,
    WAITING,
    Event,
    No,
    decide_approval,
    decide_rejection,
    may_undo,
    rule_for,
    step,
)
from bot.remediation.outcomes import still_as_left
from bot.remediation.recreation import manifest_of, uid_left, why_kept
from bot.slack.services import Failed
from bot.sources.errors import ReadFailed
from bot.store import Store, ledger
from bot.store.ledger import Told

LOG: Final = logging.getLogger(__name__)

_HANDED_ON: Final = ("summary", "risks", "cautions")
"""What an undo says as the change did."""
LookUp = Callable[[str, Sequence[str]], Awaitable[Person]]
"""Who a user is now, and in which of these groups."""


class ApprovalDesk:
    """The ledger's clerk. `people` is Slack's directory; until it is known nobody may approve."""

    def __init__(self, store: Store, clusters: Clusters, terms: Terms, clock: Clock) -> None:
        self.store, self.clusters, self.terms, self.clock = store, clusters, terms, clock
        self.proposer = Proposer(store, clusters, terms, clock)
        self.people: LookUp | None = None

    async def placed(self, proposal: str, place: Place) -> None:
        """Where the proposal's message stands."""
        await ledger.amend(self.store, proposal, place=place)

    # -- deciding ------------------------------------------------------------------------------------------------------

    async def approve(self, proposal: str, user: str) -> Proposal | Failed:
        """Approve, by this person, now."""
        return await self._decided(proposal, user, decide_approval, {})

    async def reject(self, proposal: str, user: str, reason: str) -> Proposal | Failed:
        """Reject, with a reason."""
        return await self._decided(proposal, user, decide_rejection, {"reason": reason})

    async def _decided(
        self,
        proposal: str,
        user: str,
        decide: Callable[[Proposal, ApprovalRule | None, Person, Any], Event | No],
        detail: dict[str, Json],
    ) -> Proposal | Failed:
        one = await ledger.find(self.store, proposal)
        if one is None:
            LOG.warning("user %s clicked on a proposal that does not exist", user)
            return Failed(code="approvals.unknown")
        rule = rule_for(self.terms.rules, one.cluster, one.alteration.target)
        now = self.clock()
        decision = decide(one, rule, await self._person(user, rule), now)
        if isinstance(decision, No):
            return await self._refused(one, user, decision)
        to = replace(one, state=step(one.state, decision))
        if decision in (Event.ASSENT, Event.APPROVE):
            to = replace(to, approvers=(*one.approvers, user))
        if decision is Event.APPROVE:
            to = replace(to, approved_at=now)
        if detail:
            to = replace(to, facts={**one.facts, **detail, "decided_by": user})
        if not await ledger.move(self.store, one, to, self._told(decision, user, detail)):
            newest = await ledger.find(self.store, proposal)
            return Failed(code="approvals.not-now", facts={"state": newest.state if newest else "gone"})
        return to

    async def _refused(self, one: Proposal, user: str, no: No) -> Failed:
        LOG.warning("user %s may not decide on proposal %s: %s", user, one.id, no.code)
        facts: dict[str, Json] = {"code": no.code, "state": one.state}
        await ledger.note(self.store, one, self._told("no", user, facts))
        return Failed(code=no.code, facts=no.facts)

    async def _person(self, user: str, rule: ApprovalRule | None) -> Person:
        if rule is None or self.people is None:
            return Person(user=user, standing="" if rule is None else "unknown")
        return await self.people(user, rule.groups)

    # -- undoing -------------------------------------------------------------------------------------------------------

    async def undo(self, proposal: str, user: str) -> Proposal | Failed:
        """Takes a change back, by the same rules: approved at once where this person alone may, else proposed.

        Raises StoreUnavailable, SourceError.
        """
        parent = await ledger.find(self.store, proposal)
        if parent is None or not parent.undoable:
            return Failed(code="approvals.unknown")
        rule = rule_for(self.terms.rules, parent.cluster, parent.alteration.target)
        no = may_undo(parent, rule, await self._person(user, rule))
        if no is not None:
            return await self._refused(parent, user, no)
        if await ledger.open_undo(self.store, parent.id, WAITING | UNDER_WAY):
            return await self._refused(parent, user, No("approvals.undo-under-way"))
        found = await self._way_back(parent)
        return (
            await self._refused(parent, user, found)
            if isinstance(found, No)
            else await self._undo_of(parent, user, found)
        )

    async def _way_back(self, parent: Proposal) -> Alteration | No:
        """What taking it back would change now, if the object still is what the change has left."""
        hands = await self.clusters.hands(parent.cluster)
        target, generation = parent.alteration.target, parent.facts.get("generation")
        changed = No("approvals.changed-since", {"object": str(target)})
        now, left = await hands.read(target), generation if isinstance(generation, int) else 0
        as_left = now is None if parent.half_done else still_as_left(now, uid_left(parent), parent.id, left)
        if not as_left:
            return changed
        kept = why_kept(now) if parent.recreates and now is not None else None
        if kept is not None:
            return No(f"approvals.{kept.code}", kept.facts)
        try:
            return await self._rehearsed_back(hands, parent, now) or changed
        except ReadFailed as refused:
            return No("approvals.undo-refused", {"why": refused.message})

    @staticmethod
    async def _rehearsed_back(hands: Hands, parent: Proposal, now: Json) -> Alteration | None:
        target, alteration = parent.alteration.target, parent.alteration
        if parent.recreates:
            return await rehearsed_anew(hands, target, now, manifest_of(alteration.before))
        return await rehearsed(hands, target, tuple(dict(one) for one in alteration.undo))

    async def _undo_of(self, parent: Proposal, user: str, alteration: Alteration) -> Proposal | Failed:
        now = self.clock()
        one = replace(
            parent,
            id=secrets.token_urlsafe(TOKEN_BYTES),
            purpose=Purpose.UNDO,
            parent=parent.id,
            state=State.PROPOSED,
            alteration=replace(alteration, undo=()),
            requester=user,
            approvers=(),
            created_at=now,
            expires_at=now + timedelta(minutes=self.terms.expires_minutes),
            approved_at=None,
            applied_at=None,
            attempt=None,
            place=replace(parent.place, ts=""),
            facts={**{k: parent.facts[k] for k in _HANDED_ON if k in parent.facts}, **stopping(alteration)},
        )
        await ledger.create(self.store, one, self._told("propose", user, shown(one)))
        approved = await self.approve(one.id, user)
        return one if isinstance(approved, Failed) else approved

    def _told(self, event: str, actor: str = "", detail: dict[str, Json] | None = None) -> Told:
        return Told(event=event, at=self.clock(), actor=actor, detail=detail)
