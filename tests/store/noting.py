"""One note on a question at a time, in a transaction of its own."""

from __future__ import annotations

from datetime import datetime

from bot.store import Store
from bot.store.questions import Finished, Question, Shown, note_down


async def keep(store: Store, question: Question, owner: str, now: datetime) -> bool:
    (done,) = await note_down(store, [question], owner, now)
    return done


async def shown(store: Store, question_id: str, owner: str, message_ts: str, now: datetime) -> bool:
    (done,) = await note_down(store, [Shown(question_id, message_ts)], owner, now)
    return done


async def finish(store: Store, question_id: str, owner: str, now: datetime) -> bool:
    (done,) = await note_down(store, [Finished(question_id)], owner, now)
    return done
