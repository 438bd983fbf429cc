"""Which deliveries were taken already, across restarts and replicas. Slack delivers at least once; replies go out once."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from bot.store.database import Store, insert_into
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


async def first_time(store: Store, key: str, now: datetime) -> bool:
    """Claims a delivery: True for exactly one caller of all replicas. `key`: at most 255 characters."""
    claims = claims_of(store, (key,), now)
    return await store.write_at_once(lambda connection: bool(connection.execute(claims).scalars().all()))


def claims_of(store: Store, keys: Iterable[str], now: datetime, owner: str = "") -> sa.sql.dml.ReturningInsert[str]:
    """Claims all of the keys that nobody claimed before, and returns these."""
    rows = [{"key": key, "seen_at": now, "owner": owner} for key in dict.fromkeys(keys)]
    insert = insert_into(store, DELIVERIES).values(rows).on_conflict_do_nothing()
    return insert.returning(DELIVERIES.c.key)


async def forget_old(store: Store, now: datetime) -> int:
    """Drops what is older than KEPT; how many that were."""
    async with store.writing() as connection:
        old = sa.delete(DELIVERIES).where(DELIVERIES.c.seen_at < now - KEPT)
        return (await connection.execute(old)).rowcount
