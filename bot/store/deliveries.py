"""Which deliveries were taken already, across restarts and replicas. Slack delivers at least once; replies go out once."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from bot.store.database import insert_into, writes, writes_promptly
from bot.store.tables import METADATA, Moment

KEPT: Final = timedelta(days=2)
"""Slack may deliver for a day after ("Delayed Events"); what is older than this is forgotten."""

DELIVERIES: Final = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("seen_at", Moment, nullable=False, index=True),
    sa.Column("owner", sa.String(64), nullable=False, server_default=""),
)


@writes_promptly
def first_time(connection: sa.Connection, key: str, now: datetime) -> bool:
    """Claims a delivery: True for exactly one caller of all replicas. `key`: at most 255 characters."""
    return bool(claimed(connection, (key,), now))


def claimed(connection: sa.Connection, keys: Iterable[str], now: datetime, owner: str = "") -> Collection[str]:
    """Claims all of the keys that nobody claimed before, and returns these."""
    rows = [{"key": key, "seen_at": now, "owner": owner} for key in dict.fromkeys(keys)]
    insert = insert_into(connection, DELIVERIES).on_conflict_do_nothing()
    return connection.execute(insert.returning(DELIVERIES.c.key), rows).scalars().all()


@writes
def forget_old(connection: sa.Connection, now: datetime) -> int:
    """Drops what is older than KEPT; how many that were."""
    old = sa.delete(DELIVERIES).where(DELIVERIES.c.seen_at < now - KEPT)
    return connection.execute(old).rowcount
