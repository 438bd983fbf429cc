"""What a person of a workspace has set for themselves."""

import json
from typing import Any, Final

import sqlalchemy as sa

from bot.store.database import Store, insert_into
from bot.store.tables import METADATA

PEOPLE: Final = sa.Table(
    "people",
    METADATA,
    sa.Column("person", sa.String(32), primary_key=True),
    sa.Column("language", sa.String(16), nullable=False),
    sa.Column("settings", sa.Text, nullable=False, server_default="{}"),
)


async def chosen_language(store: Store, person: str) -> str:
    """The language that the person chose, "" where they leave it to Slack. Raises StoreUnavailable."""
    query = sa.select(PEOPLE.c.language).where(PEOPLE.c.person == person)
    async with store.reading() as connection:
        return str((await connection.execute(query)).scalar() or "")


async def choose_language(store: Store, person: str, language: str) -> None:
    """Remembers the choice; "" leaves it to Slack again. Raises StoreUnavailable."""
    insert = insert_into(store, PEOPLE).values(person=person, language=language)
    upsert = insert.on_conflict_do_update(index_elements=["person"], set_={"language": language})
    async with store.writing() as connection:
        await connection.execute(upsert)


async def own_settings(store: Store, person: str) -> dict[str, Any]:
    """What else the person has set; {} for nothing. Raises StoreUnavailable."""
    query = sa.select(PEOPLE.c.settings).where(PEOPLE.c.person == person)
    async with store.reading() as connection:
        return dict(json.loads((await connection.execute(query)).scalar() or "{}"))


async def keep_own_settings(store: Store, person: str, settings: dict[str, Any]) -> None:
    """Remembers it. Raises StoreUnavailable."""
    written = json.dumps(settings)
    insert = insert_into(store, PEOPLE).values(person=person, language="", settings=written)
    upsert = insert.on_conflict_do_update(index_elements=["person"], set_={"settings": written})
    async with store.writing() as connection:
        await connection.execute(upsert)
