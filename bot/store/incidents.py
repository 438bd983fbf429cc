"""Alerts that wait to be looked at, incidents and what of them has been shown, channels' settings and their turns.

An incident's message is its outbox: `wanted` is what the channel should read, `version` counts its changes, `shown` the
version that Slack has. What lags is sent, so a repeat while Slack is slow costs no message, and nothing is lost that waits.
"""

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from bot.store.database import Store, insert_into, reads, writes, writes_promptly
from bot.store.tables import METADATA, Moment
from bot.telemetry.measures import count

OPEN: Final = "open"
ENDED: Final = "ended"
KEPT: Final = timedelta(days=7)
"""How long what is over is remembered, so that a late repeat does not look new."""

INBOX: Final = sa.Table(
    "alert_inbox",
    METADATA,
    sa.Column("id", sa.String(255), primary_key=True),
    sa.Column("channel", sa.String(64), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("received_at", Moment, nullable=False, index=True),
    sa.Column("taken_until", Moment, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
)
INCIDENTS: Final = sa.Table(
    "incidents",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("channel", sa.String(64), nullable=False),
    sa.Column("thread_ts", sa.String(32), nullable=False),
    sa.Column("key", sa.String(255), nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("wanted", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("shown", sa.Integer, nullable=False),
    sa.Column("message_ts", sa.String(32), nullable=False),
    sa.Column("posting_since", Moment),
    sa.Column("not_before", Moment, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Index(
        "uq_incidents_open",
        "channel",
        "key",
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
)
ALERTS: Final = sa.Table(
    "incident_alerts",
    METADATA,
    sa.Column("channel", sa.String(64), primary_key=True),
    sa.Column("fingerprint", sa.String(64), primary_key=True),
    sa.Column("incident", sa.String(64), nullable=False, index=True),
    sa.Column("firing", sa.Boolean, nullable=False),
    sa.Column("at", Moment, nullable=False),
)
CHANNELS: Final = sa.Table(
    "alert_channels",
    METADATA,
    sa.Column("channel", sa.String(64), primary_key=True),
    sa.Column("settings", sa.Text, nullable=False),
    sa.Column("next_at", Moment, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An alert that waits. `body` is plain JSON."""

    id: str
    channel: str
    body: Mapping[str, Any]
    received_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident of a channel. `thread_ts` is empty where its message starts no thread but stands in the channel."""

    id: str
    channel: str
    thread_ts: str
    key: str
    state: str
    body: dict[str, Any]
    wanted: dict[str, Any]
    version: int
    shown: int
    message_ts: str
    posting_since: datetime | None
    opened_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What some alerts change: of the incident with this key, or of a new one in this thread."""

    channel: str
    key: str
    thread_ts: str
    fingerprints: tuple[str, ...]
    done: tuple[str, ...] = field(default_factory=tuple)


# -- what waits ----------------------------------------------------------------------------------------------------


async def put(store: Store, item: str, channel: str, body: Mapping[str, Any], now: datetime) -> bool:
    """Keeps an alert until it is dealt with; False where it was kept already (a redelivery, another replica)."""
    return await put_many(store, channel, {item: body}, now) == 1


async def put_many(store: Store, channel: str, items: Mapping[str, Mapping[str, Any]], now: datetime) -> int:
    """Keeps many alerts at once, all or none; how many were new."""
    new = await _put(store, channel, items, now) if items else ()
    for item in new:
        count("alerts", sender=items[item]["alert"]["sender"])
    return len(new)


@writes_promptly
def _put(
    connection: sa.Connection, channel: str, items: Mapping[str, Mapping[str, Any]], now: datetime
) -> Collection[str]:
    """Those that are new."""
    as_yet = {"channel": channel, "received_at": now, "taken_until": now, "attempts": 0, "done": False}
    rows = [{"id": item, "body": json.dumps(body), **as_yet} for item, body in items.items()]
    insert = insert_into(connection, INBOX).on_conflict_do_nothing()
    return connection.execute(insert.returning(INBOX.c.id), rows).scalars().all()


@writes
def take(connection: sa.Connection, now: datetime, seconds: float, most: int = 500) -> list[Waiting]:
    """Takes what waits, the oldest first, for so long; who dies with it loses it to the next."""
    free = sa.and_(INBOX.c.done.is_(sa.false()), INBOX.c.taken_until <= now)
    query = sa.select(INBOX).where(free).order_by(INBOX.c.received_at, INBOX.c.id).limit(most)
    rows = connection.execute(query.with_for_update(skip_locked=True)).all()
    ids = [row.id for row in rows]
    if ids:
        until = {"taken_until": now + timedelta(seconds=seconds), "attempts": INBOX.c.attempts + 1}
        connection.execute(sa.update(INBOX).where(INBOX.c.id.in_(ids)).values(**until))
    return [
        Waiting(id=r.id, channel=r.channel, body=json.loads(r.body), received_at=r.received_at, attempts=r.attempts + 1)
        for r in rows
    ]


@writes
def settle(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Deals with alerts that change no incident."""
    _settle(connection, ids)


@writes
def put_back(connection: sa.Connection, ids: Sequence[str], until: datetime) -> None:
    """Lets alerts wait until then."""
    connection.execute(sa.update(INBOX).where(INBOX.c.id.in_(ids)).values(taken_until=until))


@writes
def hold(connection: sa.Connection, ids: Sequence[str], until: datetime) -> None:
    """Keeps taken alerts until then; those that were dealt with or put back meanwhile stay as they are."""
    mine = sa.and_(INBOX.c.id.in_(ids), INBOX.c.done.is_(sa.false()), INBOX.c.taken_until < until)
    connection.execute(sa.update(INBOX).where(mine).values(taken_until=until))


def _settle(connection: sa.Connection, ids: Sequence[str]) -> None:
    if ids:
        connection.execute(sa.update(INBOX).where(INBOX.c.id.in_(ids)).values(done=True))


# -- incidents -----------------------------------------------------------------------------------------------------


class Change:
    """An incident inside a transaction: read, changed by the caller, written when the block ends."""

    def __init__(self, incident: Incident, *, new: bool) -> None:
        self.incident, self.new = incident, new
        self.body = incident.body
        self.wanted: Mapping[str, Any] | None = None
        self.state = incident.state


@writes
def fold(connection: sa.Connection, change: Fold, now: datetime, decide: Any) -> Incident:  # noqa: ANN401 (a plain function)
    """Finds or opens the incident, lets `decide(Change)` change it, and settles the alerts: all or nothing."""
    _open(connection, change, now)
    query = sa.select(INCIDENTS).where(
        INCIDENTS.c.channel == change.channel, INCIDENTS.c.key == change.key, INCIDENTS.c.state == OPEN
    )
    row = connection.execute(query.with_for_update()).one()
    found = Change(_incident(row), new=row.version == 0)
    _alerts(connection, change, row.id, now)
    decide(found)
    _write(connection, found, now)
    _settle(connection, change.done)
    return found.incident


@writes
def end(connection: sa.Connection, incident: str, now: datetime, decide: Any, done: Sequence[str] = ()) -> None:  # noqa: ANN401
    """Changes an open incident by its id (a resolved alert, pods that run); nothing where it is over already."""
    query = sa.select(INCIDENTS).where(INCIDENTS.c.id == incident, INCIDENTS.c.state == OPEN)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is not None:
        found = Change(_incident(row), new=False)
        decide(found)
        _write(connection, found, now)
    _settle(connection, done)


@writes
def resolve(connection: sa.Connection, channel: str, fingerprint: str, now: datetime) -> tuple[str, int]:
    """Marks an alert as resolved: its incident's id ("" where none is known) and how many of it still fire."""
    where = sa.and_(ALERTS.c.channel == channel, ALERTS.c.fingerprint == fingerprint)
    incident = connection.execute(sa.select(ALERTS.c.incident).where(where)).scalar_one_or_none()
    if incident is None:
        return "", 0
    connection.execute(sa.update(ALERTS).where(where).values(firing=False, at=now))
    still = sa.select(sa.func.count()).where(ALERTS.c.incident == incident, ALERTS.c.firing.is_(sa.true()))
    return incident, int(connection.execute(still).scalar_one())


@reads
def is_firing(connection: sa.Connection, channel: str, fingerprint: str) -> bool:
    """Whether this alert is known to fire, so that an edit of its message says nothing new."""
    query = sa.select(ALERTS.c.firing).where(ALERTS.c.channel == channel, ALERTS.c.fingerprint == fingerprint)
    return bool(connection.execute(query).scalar_one_or_none())


@reads
def known(connection: sa.Connection, channel: str, prefix: str) -> Incident | None:
    """The newest open incident of a channel whose key begins so."""
    query = (
        sa.select(INCIDENTS)
        .where(
            INCIDENTS.c.channel == channel,
            INCIDENTS.c.state == OPEN,
            INCIDENTS.c.key.startswith(prefix, autoescape=True),
        )
        .order_by(INCIDENTS.c.changed_at.desc())
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return _incident(row) if row else None


@reads
def still_open(connection: sa.Connection) -> list[Incident]:
    """Every open incident, the oldest first."""
    query = sa.select(INCIDENTS).where(INCIDENTS.c.state == OPEN).order_by(INCIDENTS.c.opened_at)
    return [_incident(row) for row in connection.execute(query)]


def _open(connection: sa.Connection, change: Fold, now: datetime) -> None:
    values: dict[str, Any] = {
        "id": secrets.token_hex(12),
        "channel": change.channel,
        "thread_ts": change.thread_ts,
        "key": change.key,
    }
    values |= {"state": OPEN, "body": "{}", "wanted": "{}", "version": 0, "shown": 0, "message_ts": ""}
    values |= {"not_before": now, "opened_at": now, "changed_at": now}
    connection.execute(insert_into(connection, INCIDENTS).values(**values).on_conflict_do_nothing())


def _alerts(connection: sa.Connection, change: Fold, incident: str, now: datetime) -> None:
    for fingerprint in change.fingerprints:
        values = {
            "channel": change.channel,
            "fingerprint": fingerprint,
            "incident": incident,
            "firing": True,
            "at": now,
        }
        insert = insert_into(connection, ALERTS).values(**values)
        update = insert.on_conflict_do_update(
            index_elements=["channel", "fingerprint"], set_={"incident": incident, "firing": True, "at": now}
        )
        connection.execute(update)


def _write(connection: sa.Connection, found: Change, now: datetime) -> None:
    values: dict[str, Any] = {"body": json.dumps(found.body), "state": found.state, "changed_at": now}
    if found.wanted is not None and found.wanted != found.incident.wanted:
        values |= {"wanted": json.dumps(found.wanted), "version": INCIDENTS.c.version + 1}
    connection.execute(sa.update(INCIDENTS).where(INCIDENTS.c.id == found.incident.id).values(**values))


def _incident(row: Any) -> Incident:  # noqa: ANN401 (a row)
    return Incident(
        id=row.id,
        channel=row.channel,
        thread_ts=row.thread_ts,
        key=row.key,
        state=row.state,
        body=json.loads(row.body),
        wanted=json.loads(row.wanted),
        version=row.version,
        shown=row.shown,
        message_ts=row.message_ts,
        posting_since=row.posting_since,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
    )


@writes
def forget_old(connection: sa.Connection, now: datetime) -> None:
    """Drops what is over and older than KEPT."""
    connection.execute(sa.delete(INBOX).where(INBOX.c.done.is_(sa.true()), INBOX.c.received_at < now - KEPT))
    connection.execute(sa.delete(ALERTS).where(ALERTS.c.at < now - KEPT))
    over = sa.and_(INCIDENTS.c.state == ENDED, INCIDENTS.c.changed_at < now - KEPT)
    connection.execute(sa.delete(INCIDENTS).where(over))
