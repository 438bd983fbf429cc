"""What a person of a workspace has set for themselves."""

import json
from typing import Any, Final

import sqlalchemy as sa

from bot.store.database import insert_into, reads, writes
from bot.store.tables import METADATA

PEOPLE: Final = sa.Table(
    "people",
    METADATA,
    sa.Column("person", sa.String(32), primary_key=True),
    sa.Column("language", sa.String(16), nullable=False),
    sa.Column("settings", sa.Text, nullable=False, server_default="{}"),
)


@reads
def chosen_language(connection: sa.Connection, person: str) -> str:
    """The language that the person chose, "" where they leave it to Slack. Raises StoreUnavailable."""
    query = sa.select(PEOPLE.c.language).where(PEOPLE.c.person == person)
    return str(connection.execute(query).scalar() or "")


@writes
def choose_language(connection: sa.Connection, person: str, language: str) -> None:
    """Remembers the choice; "" leaves it to Slack again. Raises StoreUnavailable."""
    insert = insert_into(connection, PEOPLE).values(person=person, language=language)
    upsert = insert.on_conflict_do_update(index_elements=["person"], set_={"language": language})
    connection.execute(upsert)


@reads
def own_settings(connection: sa.Connection, person: str) -> dict[str, Any]:
    """What else the person has set; {} for nothing. Raises StoreUnavailable."""
    query = sa.select(PEOPLE.c.settings).where(PEOPLE.c.person == person)
    return dict(json.loads(connection.execute(query).scalar() or "{}"))


@writes
def keep_own_settings(connection: sa.Connection, person: str, settings: dict[str, Any]) -> None:
    """Remembers it. Raises StoreUnavailable."""
    written = json.dumps(settings)
    insert = insert_into(connection, PEOPLE).values(person=person, language="", settings=written)
    upsert = insert.on_conflict_do_update(index_elements=["person"], set_={"settings": written})
    connection.execute(upsert)
