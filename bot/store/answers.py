"""Answers whose evidence can still be opened, on every replica and after a restart. Opaque here: bytes under a reference."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from bot.store.database import insert_into, reads, writes
from bot.store.tables import METADATA, Moment

KEPT: Final = timedelta(days=7)

ANSWERS: Final = sa.Table(
    "answers",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("rendered", sa.LargeBinary, nullable=False),
    sa.Column("made_at", Moment, nullable=False, index=True),
)


@writes
def keep_answer(connection: sa.Connection, answer_id: str, rendered: bytes, now: datetime) -> None:
    """Keeps an answer."""
    row = {"id": answer_id, "rendered": rendered, "made_at": now}
    connection.execute(insert_into(connection, ANSWERS).values(row).on_conflict_do_nothing())


@reads
def kept_answer(connection: sa.Connection, answer_id: str) -> bytes | None:
    """An answer, or None when it was never there or is forgotten."""
    found = connection.execute(sa.select(ANSWERS.c.rendered).where(ANSWERS.c.id == answer_id))
    rendered: bytes | None = found.scalar_one_or_none()
    return rendered


@writes
def forget_answers(connection: sa.Connection, now: datetime) -> int:
    """Drops what is older than KEPT; how many that were."""
    return connection.execute(sa.delete(ANSWERS).where(ANSWERS.c.made_at < now - KEPT)).rowcount
