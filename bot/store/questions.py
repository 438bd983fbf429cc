"""Questions in work. Who takes one writes it down before it is acknowledged, and strikes it out when it is answered.

The writer holds a lease and renews it. A question whose lease ran out belonged to a process that ended; whoever claims it
next finishes it. On PostgreSQL claims skip rows that another replica is just claiming (FOR UPDATE SKIP LOCKED).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from bot.store.database import insert_into, writes, writes_promptly
from bot.store.deliveries import DELIVERIES, claimed
from bot.store.tables import METADATA, Moment

LEASE: Final = timedelta(seconds=15)
ATTEMPTS: Final = 5
"""A question that has ended this many processes is not tried again; who asked is told so."""
ON_ITS_WAY: Final = timedelta(seconds=5)
"""How long a message may take to appear in Slack after the process that sent it has ended."""
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
    given_up: bool = False
    """Tried too often, or too old: nothing is left of it but its message."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The message of a question is there, for its answer to take its place."""

    id: str
    message_ts: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A question is answered, or refused."""

    id: str


Note: TypeAlias = Question | Shown | Finished


@writes_promptly
def note_down(connection: sa.Connection, notes: Sequence[Note], owner: str, now: datetime) -> list[bool]:
    """Writes all of it in one transaction; what is another owner's by now stays as it is. For each note what it came to.

    A question: False when it was ever taken before, by whomever, answered or not (twice among the notes: taken once). A
    message: False where the question is this owner's no more. An end: False where another has, or had, the question; it may
    be told twice, and of a question that could not be written down before.
    """
    taken = [one for one in notes if isinstance(one, Question)]
    shown = {one.id: one.message_ts for one in notes if isinstance(one, Shown)}
    finished = [one.id for one in notes if isinstance(one, Finished)]
    kept = set(_keep(connection, taken, owner, now)) if taken else set()
    ours = _show(connection, shown, owner) if shown else ()
    others = _finish(connection, finished, owner, now) if finished else ()
    done = []
    for one in notes:
        match one:
            case Question(id=question_id):
                done.append(question_id in kept)
                kept.discard(question_id)
            case Shown(id=question_id):
                done.append(question_id in ours)
            case Finished(id=question_id):
                done.append(question_id not in others)
    return done


def _show(connection: sa.Connection, shown: Mapping[str, str], owner: str) -> Collection[str]:
    """The ids of those that are this owner's."""
    own = sa.select(QUESTIONS.c.id).where(*_own(shown, owner)).with_for_update()
    ours = connection.execute(own).scalars().all()
    if ours:
        update = sa.update(QUESTIONS).where(QUESTIONS.c.id == sa.bindparam("question"))
        rows = [{"question": one, "message_ts": shown[one]} for one in ours]
        connection.execute(update.values(message_ts=sa.bindparam("message_ts")), rows)
    return ours


def _keep(connection: sa.Connection, questions: Sequence[Question], owner: str, now: datetime) -> Collection[str]:
    """The ids of those that were never taken before, by whomever, answered or not."""
    new = frozenset(claimed(connection, [_key(one.id) for one in questions], now, owner))
    rows = {
        one.id: {
            "id": one.id,
            "asked": one.asked,
            "asked_at": now,
            "owner": owner,
            "due_at": now + LEASE,
            "attempts": 1,
            "message_ts": "",
        }
        for one in questions
        if _key(one.id) in new
    }
    if rows:
        connection.execute(insert_into(connection, QUESTIONS).on_conflict_do_nothing(), [*rows.values()])
    return rows.keys()


def _finish(connection: sa.Connection, finished: Collection[str], owner: str, now: datetime) -> Collection[str]:
    """Strikes out this owner's; the ids of those that somebody else has taken. What nobody has is this owner's from now on."""
    connection.execute(sa.delete(QUESTIONS).where(*_own(finished, owner)))
    keys = [_key(one) for one in finished]
    claimed(connection, keys, now, owner)
    others = sa.select(DELIVERIES.c.key).where(DELIVERIES.c.key.in_(keys), DELIVERIES.c.owner != owner)
    return [key.removeprefix(_key("")) for key in connection.execute(others).scalars()]


def _key(question_id: str) -> str:
    return f"question {question_id}"


def _own(ids: Iterable[str], owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    return QUESTIONS.c.id.in_(tuple(ids)), QUESTIONS.c.owner == owner


@writes
def put_back(connection: sa.Connection, question_id: str, owner: str, now: datetime) -> None:
    """Nobody's any more, to be claimed after a lease's time. That it was tried does not count: it ended no process."""
    update = sa.update(QUESTIONS).where(*_own((question_id,), owner))
    values = {"owner": "", "due_at": now + LEASE, "attempts": QUESTIONS.c.attempts - 1}
    connection.execute(update.values(values))


@writes
def renew(connection: sa.Connection, owner: str, now: datetime) -> None:
    """Renews every lease of this owner."""
    update = sa.update(QUESTIONS).where(QUESTIONS.c.owner == owner).values(due_at=now + LEASE)
    connection.execute(update)


@writes
def release(connection: sa.Connection, owner: str, now: datetime) -> None:
    """Lets go of every question of this owner, for others to take: at once where its message is known, else when one that is
    on its way to Slack has arrived there and can be found.
    """
    due = sa.case((QUESTIONS.c.message_ts == "", now + ON_ITS_WAY), else_=now - LEASE)
    update = sa.update(QUESTIONS).where(QUESTIONS.c.owner == owner).values(due_at=due, owner="")
    connection.execute(update)


@writes
def claim(connection: sa.Connection, owner: str, now: datetime, *, most: int) -> Sequence[Question]:
    """Takes over questions whose owner ended, the oldest first; strikes out, and returns, what is given up."""
    gone = sa.or_(QUESTIONS.c.asked_at < now - TOO_OLD, QUESTIONS.c.attempts >= ATTEMPTS)
    lost = sa.select(QUESTIONS.c.id).where(QUESTIONS.c.due_at < now).order_by(QUESTIONS.c.asked_at).limit(most)
    struck = sa.delete(QUESTIONS).where(QUESTIONS.c.due_at < now, gone).returning(*_TAKEN)
    hopeless = [_question(row, given_up=True) for row in connection.execute(struck).all()]
    # SQLite has one writer at a time, and no need of the words
    ids = connection.execute(lost.with_for_update(skip_locked=True)).scalars().all()
    if not ids:
        return tuple(hopeless)
    taken = (
        sa.update(QUESTIONS)
        .where(QUESTIONS.c.id.in_(ids))
        .values(owner=owner, due_at=now + LEASE, attempts=QUESTIONS.c.attempts + 1)
        .returning(*_TAKEN)
    )
    rows = connection.execute(taken).all()
    keys = [_key(row.id) for row in rows]
    connection.execute(sa.update(DELIVERIES).where(DELIVERIES.c.key.in_(keys)).values(owner=owner))
    return (*hopeless, *map(_question, rows))


_TAKEN: Final = (QUESTIONS.c.id, QUESTIONS.c.asked, QUESTIONS.c.message_ts, QUESTIONS.c.attempts)


def _question(row: Any, *, given_up: bool = False) -> Question:  # noqa: ANN401 (a row of _TAKEN)
    return Question(id=row.id, asked=row.asked, message_ts=row.message_ts, attempts=row.attempts, given_up=given_up)
