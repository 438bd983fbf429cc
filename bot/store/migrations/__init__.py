"""Brings a database to the newest shape, one step a file under `versions/` (alembic)."""

from pathlib import Path
from typing import Final

import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncEngine

HERE: Final = Path(__file__).parent
_LOCK: Final = 0x6B617270_626F74
"""PostgreSQL's advisory lock that replicas which start together take in turn ("karp" "bot")."""


async def upgrade(engine: AsyncEngine) -> None:
    """Runs the steps that the database lacks. Replicas that start together wait for each other."""
    async with engine.execution_options(writing=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(sqlalchemy.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await connection.run_sync(_upgrade)


def configuration(connection: sqlalchemy.Connection | None = None) -> Config:
    """alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: sqlalchemy.Connection) -> None:
    command.upgrade(configuration(connection), "head")
