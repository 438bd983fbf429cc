"""Questions in work, so that another replica or the next process can finish them; answers, so that their evidence stays."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Moment

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    """Adds the tables."""
    op.create_table(
        "questions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("asked", sa.LargeBinary, nullable=False),
        sa.Column("asked_at", Moment, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("message_ts", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_questions"),
    )
    op.create_index("ix_questions_due_at", "questions", ["due_at"])
    op.create_table(
        "answers",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("rendered", sa.LargeBinary, nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
    )
    op.create_index("ix_answers_made_at", "answers", ["made_at"])


def downgrade() -> None:
    """Removes the tables."""
    op.drop_table("answers")
    op.drop_table("questions")
