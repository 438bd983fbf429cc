"""Brings a database to the newest shape, one step a file under `versions/` (alembic)."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

HERE: Final = Path(__file__).parent
_LOCK: Final = 0x6B617270_626F74
"""PostgreSQL's advisory lock that replicas which start together take in turn ("karp" "bot")."""


def upgrade(connection: sa.Connection) -> None:
    """Runs the steps that the database lacks. Replicas that start together wait for each other."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    command.upgrade(configuration(connection), "head")


def configuration(connection: sa.Connection | None = None) -> Config:
    """alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["connection"] = connection
    return config
