"""Which incident's message is sent next, by which replica: one a channel at a time, at the channel's pace."""

import json
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from bot.store.database import insert_into, reads, writes
from bot.store.incidents import CHANNELS, INCIDENTS, Incident, _incident

LONG_AGO: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
LEASE: Final = timedelta(seconds=15)
"""How long a replica may take to send one message; it gives up three seconds before."""


@reads
def due_channels(connection: sa.Connection, now: datetime) -> list[str]:
    """The channels with something to send."""
    query = sa.select(INCIDENTS.c.channel).where(INCIDENTS.c.shown < INCIDENTS.c.version, INCIDENTS.c.not_before <= now)
    return [row.channel for row in connection.execute(query.distinct())]


@writes
def take_turn(connection: sa.Connection, channel: str, now: datetime) -> Incident | None:
    """Takes a channel's turn and its next message: posts before updates, what waits longest first. None: not yet, or nothing."""
    new = {"channel": channel, "settings": "{}", "next_at": LONG_AGO}
    connection.execute(insert_into(connection, CHANNELS).values(**new).on_conflict_do_nothing())
    turn = sa.update(CHANNELS).where(CHANNELS.c.channel == channel, CHANNELS.c.next_at <= now)
    if connection.execute(turn.values(next_at=now + LEASE)).rowcount != 1:
        return None
    query = (
        sa.select(INCIDENTS)
        .where(INCIDENTS.c.channel == channel, INCIDENTS.c.shown < INCIDENTS.c.version, INCIDENTS.c.not_before <= now)
        .order_by(INCIDENTS.c.message_ts != "", INCIDENTS.c.not_before, INCIDENTS.c.opened_at, INCIDENTS.c.id)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        connection.execute(sa.update(CHANNELS).where(CHANNELS.c.channel == channel).values(next_at=now))
        return None
    if not row.message_ts and row.posting_since is None:
        connection.execute(sa.update(INCIDENTS).where(INCIDENTS.c.id == row.id).values(posting_since=now))
    return _incident(row)


@writes
def sent(connection: sa.Connection, incident: Incident, message_ts: str, next_at: datetime) -> None:
    """Slack has this version; the channel's next turn is then, and others' updates come before this one's next."""
    values = {"shown": incident.version, "message_ts": message_ts, "posting_since": None, "not_before": next_at}
    connection.execute(sa.update(INCIDENTS).where(INCIDENTS.c.id == incident.id).values(**values))
    _turn(connection, incident.channel, next_at)


@writes
def not_sent(
    connection: sa.Connection,
    incident: Incident,
    next_at: datetime,
    not_before: datetime,
    *,
    certain: bool,
    give_up: bool = False,
) -> None:
    """It did not go through. `certain`: Slack said so; else it must be looked for before it is posted again."""
    values: dict[str, Any] = {"not_before": not_before}
    if certain:
        values["posting_since"] = None
    if give_up:
        values["shown"] = incident.version
    connection.execute(sa.update(INCIDENTS).where(INCIDENTS.c.id == incident.id).values(**values))
    _turn(connection, incident.channel, next_at)


def _turn(connection: sa.Connection, channel: str, next_at: datetime) -> None:
    connection.execute(sa.update(CHANNELS).where(CHANNELS.c.channel == channel).values(next_at=next_at))


@reads
def waiting_count(connection: sa.Connection) -> int:
    """How many messages wait to be sent."""
    query = sa.select(sa.func.count()).where(INCIDENTS.c.shown < INCIDENTS.c.version)
    return int(connection.execute(query).scalar_one())


@reads
def read_settings(connection: sa.Connection, channel: str) -> dict[str, Any]:
    """A channel's settings as they were written; {} for none."""
    query = sa.select(CHANNELS.c.settings).where(CHANNELS.c.channel == channel)
    found = connection.execute(query).scalar_one_or_none()
    return dict(json.loads(found)) if found else {}


@reads
def all_settings(connection: sa.Connection) -> list[tuple[str, dict[str, Any]]]:
    """Every channel that has set something, with what it has set."""
    query = sa.select(CHANNELS.c.channel, CHANNELS.c.settings).where(CHANNELS.c.settings != "{}")
    rows = connection.execute(query.order_by(CHANNELS.c.channel)).all()
    return [(row.channel, dict(json.loads(row.settings))) for row in rows]


@writes
def write_settings(connection: sa.Connection, channel: str, settings: dict[str, Any]) -> None:
    """Keeps a channel's settings."""
    text = json.dumps(settings)
    insert = insert_into(connection, CHANNELS).values(channel=channel, settings=text, next_at=LONG_AGO)
    connection.execute(insert.on_conflict_do_update(index_elements=["channel"], set_={"settings": text}))
