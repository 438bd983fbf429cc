"""What happened to nodes and their pods, kept for a week: Kubernetes forgets its events after an hour, and Karpenter's log
ends with its pods. Bounded in age and in number; what is kept twice is kept once, whichever replica kept it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from bot.store.database import Store, insert_into, reads, writes
from bot.store.tables import METADATA, Moment

KEPT: Final = timedelta(days=7)
MOST: Final = 50_000
"""Rows that are kept of one cluster; of more, the oldest go first."""
LONGEST: Final = 4_000
_BATCH: Final = 500

HAPPENINGS: Final = sa.Table(
    "happenings",
    METADATA,
    sa.Column("cluster", sa.String(255), primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("happened_at", Moment, nullable=False, index=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("namespace", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("reason", sa.String(128), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("component", sa.String(255), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event about an object, or a line of Karpenter's log (`kind` is LOG then, `message` the line as it was)."""

    at: datetime
    kind: str
    namespace: str = ""
    name: str = ""
    reason: str = ""
    message: str
    component: str = ""

    @property
    def key(self) -> str:
        """Tells this happening from others: the same one read again has the same key."""
        parts = (self.at.isoformat(), self.kind, self.namespace, self.name, self.reason, self.message[:LONGEST])
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


LOG: Final = "Log"


async def keep(store: Store, cluster: str, happenings: Iterable[Happening]) -> int:
    """Keeps those that are not kept yet; how many that were."""
    rows = list(
        {
            one.key: {
                "cluster": cluster,
                "key": one.key,
                "happened_at": one.at,
                "kind": one.kind[:64],
                "namespace": one.namespace[:255],
                "name": one.name[:255],
                "reason": one.reason[:128],
                "message": one.message[:LONGEST],
                "component": one.component[:255],
            }
            for one in happenings
        }.values()
    )
    kept = 0
    for start in range(0, len(rows), _BATCH):
        kept += await _keep(store, rows[start : start + _BATCH])
    return kept


@writes
def _keep(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    insert = insert_into(connection, HAPPENINGS).on_conflict_do_nothing()
    return len(connection.execute(insert.returning(HAPPENINGS.c.key), rows).all())


@reads
def recall(connection: sa.Connection, cluster: str, since: datetime, reason: str = "") -> tuple[Happening, ...]:
    """What happened in a cluster since then, oldest first; of one reason alone where one is named."""
    table = HAPPENINGS.c
    wanted = (
        sa.select(HAPPENINGS).where(table.cluster == cluster, table.happened_at >= since).order_by(table.happened_at)
    )
    if reason:
        wanted = wanted.where(table.reason == reason)
    rows = connection.execute(wanted.limit(MOST)).all()
    return tuple(
        Happening(
            at=row.happened_at,
            kind=row.kind,
            namespace=row.namespace,
            name=row.name,
            reason=row.reason,
            message=row.message,
            component=row.component,
        )
        for row in rows
    )


@writes
def forget(connection: sa.Connection, cluster: str, now: datetime) -> int:
    """Drops what is older than KEPT, and the oldest beyond MOST; how many that were."""
    table = HAPPENINGS.c
    newest = sa.select(table.happened_at).where(table.cluster == cluster).order_by(table.happened_at.desc())
    edge = connection.execute(newest.offset(MOST - 1).limit(1)).scalar_one_or_none()
    oldest = max(edge, now - KEPT) if edge else now - KEPT
    old = sa.delete(HAPPENINGS).where(table.cluster == cluster, table.happened_at < oldest)
    return connection.execute(old).rowcount
