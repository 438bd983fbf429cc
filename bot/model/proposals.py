"""A proposed change of the cluster: what it is, how far it has come, who may approve it. No logic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

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
    """

    target: ObjectRef
    uid: str
    patch: tuple[Mapping[str, Json], ...]
    undo: tuple[Mapping[str, Json], ...]
    diff: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The message in Slack that follows the proposal."""

    channel: str = ""
    thread_ts: str = ""
    ts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A write about to be sent: guarded by this resourceVersion, with our own last entry in managedFields before it.

    `answered`: the server has refused it for good, so it is not under way any more.
    """

    number: int
    resource_version: str
    at: datetime | None = None
    managed_at: str = ""
    answered: bool = False


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
