"""Who took a delivery: of two who could not ask the store in time, one gives way."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("deliveries", sa.Column("owner", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    """Removes it."""
    op.drop_column("deliveries", "owner")
