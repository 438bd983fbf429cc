"""Questions in work. Who takes one writes it down before it is acknowledged, and strikes it out when it is answered.

The writer holds a lease and renews it. A question whose lease ran out belonged to a process that ended; whoever claims it
next finishes it. On PostgreSQL claims skip rows that another replica is just claiming (FOR UPDATE SKIP LOCKED).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from bot.store.database import Store, insert_into
from bot.store.deliveries import claimed
from bot.store.tables import METADATA, Moment

LEASE: Final = timedelta(seconds=15)
ATTEMPTS: Final = 3
"""A question that has ended this many processes is not tried again."""
TOO_OLD: Final = timedelta(minutes=10)
"""Nobody waits longer for an answer; Slack's response_url lives for 30 minutes."""

QUESTIONS: Final = sa.Table(
    "questions",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("asked", sa.LargeBinary, nullable=False),
    sa.Column("asked_at", Moment, nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("due_at", Moment, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("message_ts", sa.String(32), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question in work. `asked`: what was asked, opaque here; `message_ts`: the message that is shown for it already."""

    id: str
    asked: bytes
    message_ts: str = ""
    attempts: int = 1


async def keep(store: Store, question: Question, owner: str, now: datetime) -> bool:
    """Writes a question down as this owner's; False when it was ever taken before, by whomever, answered or not."""
    row = {
        "id": question.id,
        "asked": question.asked,
        "asked_at": now,
        "owner": owner,
        "due_at": now + LEASE,
        "attempts": 1,
        "message_ts": "",
    }
    async with store.writing() as connection:
        if not await claimed(store, connection, f"question {question.id}", now):
            return False
        await connection.execute(insert_into(store, QUESTIONS).values(row).on_conflict_do_nothing())
        return True


async def shown(store: Store, question_id: str, owner: str, message_ts: str) -> bool:
    """Remembers the message that is shown for a question, for its answer to take its place; False where the question is
    this owner's no more, so that another shows one.
    """
    update = sa.update(QUESTIONS).where(*_own(question_id, owner)).values(message_ts=message_ts)
    async with store.writing() as connection:
        return (await connection.execute(update)).rowcount > 0


async def finish(store: Store, question_id: str, owner: str) -> None:
    """Strikes a question of this owner out: it is answered, or refused."""
    async with store.writing() as connection:
        await connection.execute(sa.delete(QUESTIONS).where(*_own(question_id, owner)))


def _own(question_id: str, owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    return QUESTIONS.c.id == question_id, QUESTIONS.c.owner == owner


async def put_back(store: Store, question_id: str, owner: str, now: datetime) -> None:
    """Nobody's any more, to be claimed after a lease's time. That it was tried does not count: it ended no process."""
    update = sa.update(QUESTIONS).where(*_own(question_id, owner))
    values = {"owner": "", "due_at": now + LEASE, "attempts": QUESTIONS.c.attempts - 1}
    async with store.writing() as connection:
        await connection.execute(update.values(values))


async def renew(store: Store, owner: str, now: datetime) -> None:
    """Renews every lease of this owner."""
    update = sa.update(QUESTIONS).where(QUESTIONS.c.owner == owner).values(due_at=now + LEASE)
    async with store.writing() as connection:
        await connection.execute(update)


async def release(store: Store, owner: str, now: datetime) -> None:
    """Lets go of every question of this owner, for others to take at once."""
    update = sa.update(QUESTIONS).where(QUESTIONS.c.owner == owner).values(due_at=now - LEASE, owner="")
    async with store.writing() as connection:
        await connection.execute(update)


async def claim(store: Store, owner: str, now: datetime, *, most: int) -> Sequence[Question]:
    """Takes over questions whose owner ended, the oldest first; strikes out what nobody waits for any more."""
    gone = sa.or_(QUESTIONS.c.asked_at < now - TOO_OLD, QUESTIONS.c.attempts >= ATTEMPTS)
    lost = sa.select(QUESTIONS.c.id).where(QUESTIONS.c.due_at < now).order_by(QUESTIONS.c.asked_at).limit(most)
    async with store.writing() as connection:
        await connection.execute(sa.delete(QUESTIONS).where(QUESTIONS.c.due_at < now, gone))
        # SQLite has one writer at a time, and no need of the words
        ids = (await connection.execute(lost.with_for_update(skip_locked=True))).scalars().all()
        if not ids:
            return ()
        taken = (
            sa.update(QUESTIONS)
            .where(QUESTIONS.c.id.in_(ids))
            .values(owner=owner, due_at=now + LEASE, attempts=QUESTIONS.c.attempts + 1)
            .returning(QUESTIONS.c.id, QUESTIONS.c.asked, QUESTIONS.c.message_ts, QUESTIONS.c.attempts)
        )
        rows = (await connection.execute(taken)).all()
    return tuple(Question(id=r.id, asked=r.asked, message_ts=r.message_ts, attempts=r.attempts) for r in rows)
