"""A proposed change of the cluster: what it is, how far it has come, who may approve it. Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from bot.model.diagnosis import Json
from bot.model.objects import ObjectRef


class State(StrEnum):
    """How far a proposal has come. `bot.remediation.approvals` has the table of what follows what."""

    PROPOSED = "proposed"
    CONFIRMING = "confirming"
    APPROVED = "approved"
    APPLYING = "applying"
    APPLIED = "applied"
    VERIFIED = "verified"
    STALLED = "stalled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    UNDONE = "undone"


class Purpose(StrEnum):
    """What a proposal is for: a remedy, or taking one back."""

    REMEDY = "remedy"
    UNDO = "undo"


class Write(StrEnum):
    """A call that changes something."""

    PATCH = "patch"
    DELETE = "delete"
    CREATE = "create"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """Who may approve changes of which objects. Patterns are shell globs; a rule without patterns of a kind fits all.

    `namespaces` leaves out cluster-scoped objects such as NodePools. `users` are Slack user ids, `groups` ids of Slack
    user groups. `confirm_twice`: a disruptive change needs a second approval, by another person under `four_eyes`.
    """

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    four_eyes: bool = False
    confirm_twice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who clicks, as Slack told it just now. `groups`: of the groups that were asked about, those with this member.

    `standing` is empty for a full, active member of this workspace, else the code of what they are instead. `unread`
    names what could not be asked: whoever cannot be looked up may do nothing.
    """

    user: str
    groups: frozenset[str] = frozenset()
    standing: str = ""
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """The change itself, as it was shown: a JSON Patch of one object, the way back, and the server's own diff.

    `digest` is the diff's SHA-256: what is applied must give the very same diff as what was approved.

    With `creates` the object is not patched: it is deleted and created from this manifest. `before` is then the whole object
    that goes, as it was read; None where nothing stands there (an object that is put back), and `uid` is empty.
    """

    target: ObjectRef
    uid: str
    patch: tuple[Mapping[str, Json], ...]
    undo: tuple[Mapping[str, Json], ...]
    diff: str
    digest: str
    before: Json = None
    creates: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The message in Slack that follows the proposal.

    `asked_in` and `asked_ts`: the channel and thread where it belongs, while the bot may not post there.
    """

    channel: str = ""
    thread_ts: str = ""
    ts: str = ""
    asked_in: str = ""
    asked_ts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A write about to be sent: guarded by this resourceVersion, with our own last entry in managedFields before it.

    `answered`: the server has refused it for good, so it is not under way any more. `accepted`: it has said yes to a
    deletion, which the creation must follow.
    """

    number: int
    resource_version: str
    at: datetime | None = None
    managed_at: str = ""
    answered: bool = False
    write: Write = Write.PATCH
    accepted: bool = False


HALF_DONE: Final = frozenset({"half-done", "recreate-unknown"})
"""Failure codes that leave nothing under the object's name: the old object can be put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A row of the ledger. `facts` is what the message says beside the change: summary, opens, risks, results."""

    id: str
    purpose: Purpose
    state: State
    cluster: str
    alteration: Alteration
    pod: ObjectRef
    pod_uid: str
    remedy: str
    requester: str
    created_at: datetime
    expires_at: datetime
    parent: str = ""
    place: Place = field(default_factory=Place)
    approvers: tuple[str, ...] = ()
    approved_at: datetime | None = None
    applied_at: datetime | None = None
    attempt: Attempt | None = None
    language: str = "en"
    facts: Mapping[str, Json] = field(default_factory=dict)

    @property
    def recreates(self) -> bool:
        """Whether the change is made by creating an object, after deleting the one that is there."""
        return self.alteration.creates is not None

    @property
    def undoable(self) -> bool:
        """Whether there is a way back from what it does."""
        return self.purpose is Purpose.REMEDY and (bool(self.alteration.undo) or self.recreates)

    @property
    def half_done(self) -> bool:
        """Whether the old object is gone by our hand and the new one did not come to be."""
        failure = self.facts.get("failure")
        return self.state is State.FAILED and isinstance(failure, dict) and failure.get("code") in HALF_DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit. `actor` is a Slack user id, or empty for the bot itself.

    `digest` chains the entries of one proposal: SHA-256 over the one before it and this entry's content.
    """

    proposal: str
    number: int
    at: datetime
    event: str
    actor: str
    state: str
    detail: Mapping[str, Json]
    digest: str = ""
