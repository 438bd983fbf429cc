"""What happened to nodes and their pods, for a week."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Moment

revision = "0004"
down_revision = "0002"


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "happenings",
        sa.Column("cluster", sa.String(255), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("happened_at", Moment, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("namespace", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(128), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("component", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("cluster", "key", name="pk_happenings"),
    )
    op.create_index("ix_happenings_happened_at", "happenings", ["happened_at"])


def downgrade() -> None:
    """Removes the table."""
    op.drop_table("happenings")
