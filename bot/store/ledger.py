"""The ledger: what was proposed, who decided what, what was done. Proposals move, the audit only grows.

A row moves only from the state that the caller saw (compare and set), and each move writes its audit entry in the same
transaction. A lease says which replica is at work on a row; when it dies, the lease runs out and another goes on.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.model.diagnosis import Json
from bot.model.objects import ObjectRef
from bot.model.proposals import Alteration, Attempt, AuditEntry, Place, Proposal, Purpose, State
from bot.store.database import Store, reads, writes
from bot.store.tables import METADATA, Moment
from bot.telemetry.measures import count

_ID: Final = sa.String(64)
_TEXT: Final = sa.Text

OFFERS: Final = sa.Table(
    "offers",
    METADATA,
    sa.Column("token", _ID, primary_key=True),
    sa.Column("cluster", _TEXT, nullable=False),
    sa.Column("namespace", _TEXT, nullable=False),
    sa.Column("pod", _TEXT, nullable=False),
    sa.Column("remedy", _ID, nullable=False),
    sa.Column("created_at", Moment, nullable=False, index=True),
)
PROPOSALS: Final = sa.Table(
    "proposals",
    METADATA,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("purpose", sa.String(16), nullable=False),
    sa.Column("parent", _ID, nullable=False),
    sa.Column("cluster", _TEXT, nullable=False),
    sa.Column("object", _TEXT, nullable=False),
    sa.Column("body", _TEXT, nullable=False),
    sa.Column("facts", _TEXT, nullable=False),
    sa.Column("place", _TEXT, nullable=False),
    sa.Column("approvers", _TEXT, nullable=False),
    sa.Column("attempt", _TEXT, nullable=False),
    sa.Column("requester", sa.String(64), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("approved_at", Moment),
    sa.Column("applied_at", Moment),
    sa.Column("lease_by", _ID, nullable=False),
    sa.Column("lease_until", Moment),
    # of one object only one change is being written at a time, so that its mark tells what became of it
    sa.Index(
        "uq_proposals_applying",
        "object",
        unique=True,
        sqlite_where=sa.text("state = 'applying'"),
        postgresql_where=sa.text("state = 'applying'"),
    ),
)
AUDIT: Final = sa.Table(
    "audit",
    METADATA,
    sa.Column("proposal", _ID, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False, index=True),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("detail", _TEXT, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A remedy under an answer, as its button names it: enough to decide anew what it would change."""

    token: str
    cluster: str
    namespace: str
    pod: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who is at work, until when."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the audit keeps of a move: what happened, by whom (empty: the bot), when, and the rest."""

    event: str
    at: datetime
    actor: str = ""
    detail: Mapping[str, Json] | None = None


# -- offers ----------------------------------------------------------------------------------------------------------


KEPT_OFFERS: Final = timedelta(days=30)
"""Nobody proposes from an older answer: its button says so."""


async def keep_offers(store: Store, offers: Sequence[Offer], now: datetime) -> None:
    """Remembers what the buttons of an answer mean, and forgets what is older than KEPT_OFFERS."""
    if offers:
        await _keep_offers(store, offers, now)


@writes
def _keep_offers(connection: sa.Connection, offers: Sequence[Offer], now: datetime) -> None:
    rows = [{**msgspec.to_builtins(offer), "created_at": now} for offer in offers]
    connection.execute(sa.delete(OFFERS).where(OFFERS.c.created_at < now - KEPT_OFFERS))
    connection.execute(sa.insert(OFFERS), rows)


@reads
def find_offer(connection: sa.Connection, token: str) -> Offer | None:
    """What a button means; None for a token that nobody gave out."""
    row = connection.execute(sa.select(OFFERS).where(OFFERS.c.token == token)).mappings().first()
    return Offer(**{name: row[name] for name in Offer.__slots__}) if row else None


# -- proposals ---------------------------------------------------------------------------------------------------------


async def create(store: Store, proposal: Proposal, told: Told) -> None:
    """Writes a new proposal and its first audit entry."""
    await _create(store, proposal, told)
    count("approvals", outcome=proposal.state)


@writes
def _create(connection: sa.Connection, proposal: Proposal, told: Told) -> None:
    connection.execute(sa.insert(PROPOSALS).values(**_row(proposal), lease_by="", lease_until=None))
    _audit(connection, proposal.id, proposal.state, told)


@reads
def find(connection: sa.Connection, proposal: str) -> Proposal | None:
    """A proposal by its id."""
    return _found(connection, proposal)


async def move(
    store: Store, seen: Proposal, to: Proposal, told: Told, *, by: str = "", parent: State | None = None
) -> bool:
    """Replaces the row by `to`, if it is still in the state of `seen` and (where `by` is given) leased to `by`.

    Not where its message stands: a click may come before Slack has answered where that is.

    `parent`: the state that the parent gets in the same transaction (an undo that was applied). False, and nothing is
    changed, when somebody else was faster, or another change of the same object is being written.
    """
    where = [PROPOSALS.c.id == seen.id, PROPOSALS.c.state == seen.state]
    if by:
        where.append(PROPOSALS.c.lease_by == by)
    try:
        if not await _moved(store, where, to, told, parent):
            return False
    except IntegrityError:
        return False
    for state in (to.state if to.state is not seen.state else None, parent):
        if state is not None:
            count("approvals", outcome=state)
    return True


@writes
def _moved(
    connection: sa.Connection, where: Sequence[sa.ColumnElement[bool]], to: Proposal, told: Told, parent: State | None
) -> bool:
    values = {name: value for name, value in _row(to).items() if name != "place"}
    if connection.execute(sa.update(PROPOSALS).where(*where).values(**values)).rowcount != 1:
        return False
    _audit(connection, to.id, to.state, told)
    if parent is not None:
        connection.execute(sa.update(PROPOSALS).where(PROPOSALS.c.id == to.parent).values(state=parent))
        _audit(connection, to.parent, parent, told)
    return True


@writes
def amend(
    connection: sa.Connection, proposal: str, *, place: Place | None = None, facts: Mapping[str, Json] | None = None
) -> None:
    """Changes what the message says or where it stands; no state, so no audit."""
    values: dict[str, str] = {}
    if place is not None:
        values["place"] = _json(place)
    if facts is not None:
        values["facts"] = _json(dict(facts))
    connection.execute(sa.update(PROPOSALS).where(PROPOSALS.c.id == proposal).values(**values))


@writes
def note(connection: sa.Connection, proposal: Proposal, told: Told) -> None:
    """An audit entry without a move: a refused click, an answer of the server's."""
    locked = sa.update(PROPOSALS).where(PROPOSALS.c.id == proposal.id).values(id=proposal.id)
    if connection.execute(locked).rowcount:
        _audit(connection, proposal.id, proposal.state, told)


@writes
def lease(
    connection: sa.Connection, proposal: str, states: Collection[State], lease: Lease, now: datetime
) -> Proposal | None:
    """Takes the row to work on it, if it is in one of the states and nobody else is at work. The row as it is now."""
    free = sa.or_(PROPOSALS.c.lease_until.is_(None), PROPOSALS.c.lease_until < now, PROPOSALS.c.lease_by == lease.by)
    taking = sa.update(PROPOSALS).where(PROPOSALS.c.id == proposal, PROPOSALS.c.state.in_(states), free)
    taken = connection.execute(taking.values(lease_by=lease.by, lease_until=lease.until))
    return _found(connection, proposal) if taken.rowcount == 1 else None


@writes
def release(connection: sa.Connection, proposal: str, by: str) -> None:
    """Gives the row back."""
    freed = sa.update(PROPOSALS).where(PROPOSALS.c.id == proposal, PROPOSALS.c.lease_by == by)
    connection.execute(freed.values(lease_by="", lease_until=None))


@reads
def due(connection: sa.Connection, states: Collection[State], now: datetime) -> list[str]:
    """Proposals in these states that nobody is at work on, the oldest first."""
    free = sa.or_(PROPOSALS.c.lease_until.is_(None), PROPOSALS.c.lease_until < now)
    asked = sa.select(PROPOSALS.c.id).where(PROPOSALS.c.state.in_(states), free).order_by(PROPOSALS.c.created_at)
    return [str(row[0]) for row in connection.execute(asked)]


@reads
def overdue(connection: sa.Connection, states: Collection[State], now: datetime) -> list[str]:
    """Proposals in these states whose time to be decided is over."""
    asked = sa.select(PROPOSALS.c.id).where(PROPOSALS.c.state.in_(states), PROPOSALS.c.expires_at <= now)
    return [str(row[0]) for row in connection.execute(asked)]


@reads
def open_undo(connection: sa.Connection, parent: str, states: Collection[State]) -> str | None:
    """The undo of a proposal that is on its way already."""
    asked = sa.select(PROPOSALS.c.id).where(PROPOSALS.c.parent == parent, PROPOSALS.c.state.in_(states))
    asked = asked.where(PROPOSALS.c.purpose == Purpose.UNDO)
    row = connection.execute(asked).first()
    return str(row[0]) if row else None


# -- the audit ---------------------------------------------------------------------------------------------------------


@reads
def audit(connection: sa.Connection, *, since: datetime | None = None, last: int = 0) -> list[AuditEntry]:
    """The entries, oldest first; `last`: only so many of the newest."""
    order = (AUDIT.c.at, AUDIT.c.proposal, AUDIT.c.number)
    asked = sa.select(AUDIT)
    if since is not None:
        asked = asked.where(AUDIT.c.at >= since)
    asked = asked.order_by(*(c.desc() for c in order)).limit(last) if last else asked.order_by(*order)
    rows = connection.execute(asked).mappings().all()
    return [_entry(row) for row in (reversed(rows) if last else rows)]


@reads
def history(connection: sa.Connection, proposal: str) -> list[AuditEntry]:
    """One proposal's entries."""
    asked = sa.select(AUDIT).where(AUDIT.c.proposal == proposal).order_by(AUDIT.c.number)
    rows = connection.execute(asked).mappings().all()
    return [_entry(row) for row in rows]


def _entry(row: sa.RowMapping) -> AuditEntry:
    return AuditEntry(**{**row, "detail": msgspec.json.decode(row["detail"])})


def chained(entries: Sequence[AuditEntry]) -> bool:
    """Whether one proposal's entries are complete and unchanged, by their numbers and digests."""
    before = ""
    for number, entry in enumerate(entries, 1):
        if entry.number != number or entry.digest != _digest(before, entry):
            return False
        before = entry.digest
    return True


def _audit(connection: sa.Connection, proposal: str, state: State, told: Told) -> None:
    """Appends an entry. The caller's transaction holds the proposal's row, so numbers are given one after the other."""
    newest = sa.select(AUDIT.c.number, AUDIT.c.digest).where(AUDIT.c.proposal == proposal)
    last = connection.execute(newest.order_by(AUDIT.c.number.desc()).limit(1)).first()
    entry = AuditEntry(
        proposal=proposal,
        number=last[0] + 1 if last else 1,
        at=told.at,
        event=told.event,
        actor=told.actor,
        state=state,
        detail=dict(told.detail or {}),
    )
    row = {name: getattr(entry, name) for name in AuditEntry.__slots__}
    row |= {"detail": _json(entry.detail), "digest": _digest(last[1] if last else "", entry)}
    connection.execute(sa.insert(AUDIT).values(**row))


def _digest(before: str, entry: AuditEntry) -> str:
    said = [before, entry.proposal, entry.number, entry.at.timestamp(), entry.event, entry.actor, entry.state]
    return hashlib.sha256(msgspec.json.encode([*said, entry.detail], order="sorted")).hexdigest()


# -- rows --------------------------------------------------------------------------------------------------------------


_BODY: Final = ("alteration", "pod", "pod_uid", "remedy", "language")
"""What of a proposal never changes and is never asked for by value."""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _row(proposal: Proposal) -> dict[str, Any]:
    one = proposal
    return {
        "id": one.id,
        "state": one.state,
        "purpose": one.purpose,
        "parent": one.parent,
        "cluster": one.cluster,
        "object": _json([one.cluster, one.alteration.target]),
        "body": _json({name: getattr(one, name) for name in _BODY}),
        "facts": _json(dict(one.facts)),
        "place": _json(one.place),
        "approvers": _json(one.approvers),
        "attempt": _json(one.attempt),
        "requester": one.requester,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "approved_at": one.approved_at,
        "applied_at": one.applied_at,
    }


def _found(connection: sa.Connection, proposal: str) -> Proposal | None:
    row = connection.execute(sa.select(PROPOSALS).where(PROPOSALS.c.id == proposal)).mappings().first()
    if row is None:
        return None
    body = msgspec.json.decode(row["body"])
    return Proposal(
        id=row["id"],
        purpose=Purpose(row["purpose"]),
        state=State(row["state"]),
        cluster=row["cluster"],
        alteration=_alteration(body["alteration"]),
        pod=msgspec.convert(body["pod"], ObjectRef),
        pod_uid=body["pod_uid"],
        remedy=body["remedy"],
        language=body["language"],
        requester=row["requester"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        parent=row["parent"],
        place=msgspec.json.decode(row["place"], type=Place),
        approvers=msgspec.json.decode(row["approvers"], type=tuple[str, ...]),
        approved_at=row["approved_at"],
        applied_at=row["applied_at"],
        attempt=msgspec.json.decode(row["attempt"], type=Attempt | None),
        facts=msgspec.json.decode(row["facts"]),
    )


def _alteration(written: dict[str, Any]) -> Alteration:
    target = msgspec.convert(written["target"], ObjectRef)
    steps = {name: tuple(written[name]) for name in ("patch", "undo")}
    return Alteration(**{**written, **steps, "target": target})
