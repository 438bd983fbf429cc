"""What the weekly digest counts: answers that were given, and pods that waited for a node, from when to when.

A wait is known from the first answer or alert about its workload on. `seen_at` is the last moment at which the pod was known
to wait; `until` is when it got its node, or empty while it waits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa

from bot.store.database import insert_into, reads, writes
from bot.store.tables import METADATA, Moment

KEPT: Final = timedelta(days=35)
NODE: Final = "node"
GONE: Final = "gone"

WAITS: Final = sa.Table(
    "waits",
    METADATA,
    sa.Column("cluster", sa.String(255), primary_key=True),
    sa.Column("namespace", sa.String(255), primary_key=True),
    sa.Column("pod", sa.String(255), primary_key=True),
    sa.Column("since", Moment, primary_key=True),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("cause", sa.String(64), nullable=False),
    sa.Column("gpus", sa.Integer, nullable=False),
    sa.Column("seen_at", Moment, nullable=False, index=True),
    sa.Column("until", Moment),
    sa.Column("ended", sa.String(8), nullable=False),
)
ASKED: Final = sa.Table(
    "asked",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("at", Moment, nullable=False, index=True),
    sa.Column("channel", sa.String(64), nullable=False, index=True),
    sa.Column("cluster", sa.String(255), nullable=False),
    sa.Column("namespace", sa.String(255), nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("cause", sa.String(64), nullable=False),
)
COUNTING: Final = sa.Table(
    "counting",
    METADATA,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("since", Moment, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One pod's wait. `ended`: NODE, GONE (deleted while it waited; `until` is when it was last known to wait), or ""."""

    cluster: str
    namespace: str
    pod: str
    since: datetime
    owner: str
    cause: str
    gpus: int
    seen_at: datetime
    until: datetime | None = None
    ended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One answer: where it was given, about which workload, and the cause that it named first."""

    at: datetime
    channel: str
    cluster: str
    namespace: str
    owner: str
    cause: str


@writes
def counting_since(connection: sa.Connection, now: datetime) -> datetime:
    """When counting began: at the first call ever."""
    insert = insert_into(connection, COUNTING).values(name="digest", since=now).on_conflict_do_nothing()
    connection.execute(insert)
    since: datetime = connection.execute(sa.select(COUNTING.c.since)).scalar_one()
    return since


@writes
def keep_asked(connection: sa.Connection, asked: Asked) -> None:
    """Keeps that an answer was given."""
    connection.execute(sa.insert(ASKED).values(id=uuid4().hex, **asdict(asked)))


@writes
def keep_waits(connection: sa.Connection, waits: Iterable[Wait]) -> None:
    """Keeps waits; of one that is known already, the last moment and the newest cause."""
    for wait in waits:
        insert = insert_into(connection, WAITS).values(**asdict(wait))
        changed = {"seen_at": wait.seen_at, "cause": wait.cause, "gpus": wait.gpus}
        keys = ["cluster", "namespace", "pod", "since"]
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed))


@writes
def end_wait(connection: sa.Connection, wait: Wait, until: datetime, how: str) -> None:
    """The wait is over; what ended it is kept once."""
    c = WAITS.c
    one = sa.and_(
        c.cluster == wait.cluster,
        c.namespace == wait.namespace,
        c.pod == wait.pod,
        c.since == wait.since,
        c.ended == "",
    )
    connection.execute(sa.update(WAITS).where(one).values(until=until, ended=how))


@reads
def open_waits(connection: sa.Connection) -> Sequence[Wait]:
    """Every wait that is not over."""
    rows = connection.execute(sa.select(WAITS).where(WAITS.c.ended == "").order_by(WAITS.c.since))
    return [_wait(row) for row in rows]


@reads
def asked_in(connection: sa.Connection, channel: str, since: datetime, until: datetime) -> Sequence[Asked]:
    """The answers given in a channel from `since` until before `until`, oldest first."""
    c = ASKED.c
    query = sa.select(ASKED).where(c.channel == channel, c.at >= since, c.at < until).order_by(c.at)
    rows = connection.execute(query).all()
    return [Asked(**{name: getattr(row, name) for name in Asked.__slots__}) for row in rows]


@reads
def waits_in(connection: sa.Connection, since: datetime, until: datetime) -> Sequence[Wait]:
    """Every wait of which some part may lie between the two moments, the one that began first first."""
    c = WAITS.c
    query = sa.select(WAITS).where(c.since < until, c.seen_at >= since).order_by(c.since)
    return [_wait(row) for row in connection.execute(query)]


@writes
def forget_waits(connection: sa.Connection, now: datetime) -> None:
    """Drops what is older than KEPT."""
    connection.execute(sa.delete(ASKED).where(ASKED.c.at < now - KEPT))
    connection.execute(sa.delete(WAITS).where(WAITS.c.seen_at < now - KEPT))


def _wait(row: Any) -> Wait:  # noqa: ANN401 (a row)
    return Wait(**{name: getattr(row, name) for name in Wait.__slots__})
