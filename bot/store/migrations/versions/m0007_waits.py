"""What the weekly digest counts; what people set for themselves besides their language."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Moment

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds the tables and a column."""
    op.create_table(
        "waits",
        *(sa.Column(name, sa.String(255), nullable=False) for name in ("cluster", "namespace", "pod")),
        sa.Column("since", Moment, nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("gpus", sa.Integer, nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.Column("until", Moment),
        sa.Column("ended", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("cluster", "namespace", "pod", "since", name="pk_waits"),
    )
    op.create_index("ix_waits_seen_at", "waits", ["seen_at"])
    op.create_table(
        "asked",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        *(sa.Column(name, sa.String(255), nullable=False) for name in ("cluster", "namespace", "owner")),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_asked"),
    )
    op.create_index("ix_asked_at", "asked", ["at"])
    op.create_index("ix_asked_channel", "asked", ["channel"])
    op.create_table(
        "counting",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("since", Moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counting"),
    )
    op.add_column("people", sa.Column("settings", sa.Text, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Removes them."""
    op.drop_column("people", "settings")
    for table in ("counting", "asked", "waits"):
        op.drop_table(table)
