"""What people set for themselves in the Home tab."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "people",
        sa.Column("person", sa.String(32), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("person", name="pk_people"),
    )


def downgrade() -> None:
    """Removes the table."""
    op.drop_table("people")
