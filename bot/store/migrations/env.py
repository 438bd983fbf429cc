"""alembic's entry: runs the steps on the connection that it is given, inside that connection's transaction."""

from alembic import context

from bot.store import answers, happenings, incidents, ledger, people, questions  # noqa: F401 (their tables)
from bot.store.tables import METADATA

connection = context.config.attributes["connection"]
# batch: SQLite cannot alter a table, so alembic writes it anew
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
