"""The life of a proposal as one table, and who may move it. Pure: the store and Slack bring in what is the case.

A click is decided twice: by these functions, and by the ledger, which moves a row only from the state it was decided in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from bot.model.objects import ObjectRef
from bot.model.proposals import ApprovalRule, Person, Proposal, State


class Event(StrEnum):
    """What happens to a proposal."""

    ASSENT = "assent"
    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    SUPERSEDE = "supersede"
    CLAIM = "claim"
    APPLY = "apply"
    FAIL = "fail"
    VERIFY = "verify"
    STALL = "stall"
    UNDO = "undo"


TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.PROPOSED: {
        Event.APPROVE: State.APPROVED,
        Event.ASSENT: State.CONFIRMING,
        Event.REJECT: State.REJECTED,
        Event.EXPIRE: State.EXPIRED,
        Event.SUPERSEDE: State.SUPERSEDED,
    },
    State.CONFIRMING: {
        Event.APPROVE: State.APPROVED,
        Event.REJECT: State.REJECTED,
        Event.EXPIRE: State.EXPIRED,
        Event.SUPERSEDE: State.SUPERSEDED,
    },
    # an approval that nobody carried out in time lapses: nobody expects an hour-old change any more
    State.APPROVED: {Event.CLAIM: State.APPLYING, Event.EXPIRE: State.EXPIRED},
    State.APPLYING: {
        Event.APPLY: State.APPLIED,
        Event.FAIL: State.FAILED,
        Event.SUPERSEDE: State.SUPERSEDED,
        Event.EXPIRE: State.EXPIRED,
    },
    State.APPLIED: {Event.VERIFY: State.VERIFIED, Event.STALL: State.STALLED, Event.UNDO: State.UNDONE},
    State.VERIFIED: {Event.UNDO: State.UNDONE},
    State.STALLED: {Event.UNDO: State.UNDONE},
    State.REJECTED: {},
    State.EXPIRED: {},
    State.SUPERSEDED: {},
    # only what was deleted and could not be created anew: the old object is put back
    State.FAILED: {Event.UNDO: State.UNDONE},
    State.UNDONE: {},
}
"""State -> event -> next state. What is not here cannot happen."""

WAITING: Final = frozenset({State.PROPOSED, State.CONFIRMING})
"""A person has to decide."""
UNDER_WAY: Final = frozenset({State.APPROVED, State.APPLYING, State.APPLIED})
"""The bot has to do something: another replica takes it over when the one at work dies."""
LEFT: Final = frozenset({State.APPLIED, State.VERIFIED, State.STALLED})
"""The object carries the change."""
APPROVAL_LASTS: Final = timedelta(minutes=10)
"""How long an approval stands that could not be carried out at once (API server down, bot restarted)."""

DISRUPTIVE: Final = frozenset({"restarts-pods", "shared-nodepool", "owner-kind-unknown", "other-gpu"})
"""Cautions of changes that touch what runs, or what others share."""


class NotPossibleError(Exception):
    """The event cannot happen in this state."""


def step(state: State, event: Event) -> State:
    """The next state. Raises NotPossibleError."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise NotPossibleError(f"{event} while {state}") from None


def diagram() -> str:
    """The table as a Mermaid state diagram; ARCHITECTURE.md has it, and a test compares."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.PROPOSED}"]
    for state, events in TRANSITIONS.items():
        lines += [f"    {state} --> {following}: {event}" for event, following in events.items()]
        if not events:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)


# -- who may -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class No:
    """Why not: the code of a sentence, and its facts."""

    code: str
    facts: Mapping[str, object] = field(default_factory=dict)


def rule_for(rules: Sequence[ApprovalRule], cluster: str, target: ObjectRef) -> ApprovalRule | None:
    """The first rule that fits the object, as in a firewall's list; None: nobody may change it."""
    return next((rule for rule in rules if _fits(rule, cluster, target)), None)


def _fits(rule: ApprovalRule, cluster: str, target: ObjectRef) -> bool:
    return all(
        not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)
        for value, patterns in ((cluster, rule.clusters), (target.kind, rule.kinds))
    ) and (not rule.namespaces or any(target.namespace and fnmatchcase(target.namespace, p) for p in rule.namespaces))


def is_disruptive(proposal: Proposal) -> bool:
    """Whether it touches what runs or what others share."""
    cautions = proposal.facts.get("cautions")
    touches = isinstance(cautions, list) and any(caution in DISRUPTIVE for caution in cautions)
    return proposal.recreates or touches


def decide_approval(proposal: Proposal, rule: ApprovalRule | None, person: Person, now: datetime) -> Event | No:
    """What this person's Approve does to the proposal, or why it does nothing."""
    no = _not_open(proposal, now) or _may_not(rule, person)
    if no is not None or rule is None:
        return no or No("approvals.nobody")
    if rule.four_eyes and person.user == proposal.requester:
        return No("approvals.four-eyes")
    if rule.four_eyes and person.user in proposal.approvers:
        return No("approvals.another-person")
    twice = proposal.recreates or (rule.confirm_twice and is_disruptive(proposal))
    return Event.ASSENT if twice and proposal.state is State.PROPOSED else Event.APPROVE


def decide_rejection(proposal: Proposal, rule: ApprovalRule | None, person: Person, now: datetime) -> Event | No:
    """The same for Reject. Whoever asked may always withdraw."""
    no = _not_open(proposal, now)
    if no is None and person.user != proposal.requester:
        no = _may_not(rule, person)
    return no or Event.REJECT


def may_undo(proposal: Proposal, rule: ApprovalRule | None, person: Person) -> No | None:
    """Why this person may not take the change back; None where they may."""
    if proposal.state not in LEFT and not proposal.half_done:
        return No("approvals.not-now", {"state": proposal.state})
    return _may_not(rule, person)


def _not_open(proposal: Proposal, now: datetime) -> No | None:
    if proposal.state not in WAITING:
        return No("approvals.not-now", {"state": proposal.state})
    return No("approvals.expired") if is_expired(proposal, now) else None


def _may_not(rule: ApprovalRule | None, person: Person) -> No | None:
    """Fail closed: unknown rule, unknown person, unknown group are all a no."""
    if rule is None:
        return No("approvals.nobody")
    if person.standing:
        return No("approvals.standing", {"standing": person.standing})
    if person.user in rule.users or any(group in person.groups for group in rule.groups):
        return None
    if person.unread:
        return No("approvals.unreadable", {"why": person.unread})
    return No("approvals.not-you", {"users": rule.users, "groups": rule.groups})


# -- time ------------------------------------------------------------------------------------------------------------


def is_expired(proposal: Proposal, now: datetime) -> bool:
    """Whether time has run out: for deciding, or for carrying out what was approved."""
    if proposal.state in WAITING:
        return now >= proposal.expires_at
    if proposal.state in (State.APPROVED, State.APPLYING) and proposal.approved_at is not None:
        return now >= proposal.approved_at + APPROVAL_LASTS
    return False


def open_states() -> Iterator[State]:
    """The states in which something is still to come."""
    return (state for state in State if state in WAITING | UNDER_WAY)
