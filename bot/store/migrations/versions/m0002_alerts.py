"""Alerts that wait, incidents with what is shown of them, channels."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Moment

revision = "0002"
down_revision = "0005"


def upgrade() -> None:
    """Adds the tables."""
    op.create_table(
        "alert_inbox",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        *(sa.Column(name, Moment, nullable=False) for name in ("received_at", "taken_until")),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert_inbox"),
    )
    op.create_index("ix_alert_inbox_received_at", "alert_inbox", ["received_at"])
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("thread_ts", sa.String(32), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("body", "wanted")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("version", "shown")),
        sa.Column("message_ts", sa.String(32), nullable=False),
        sa.Column("posting_since", Moment),
        *(sa.Column(name, Moment, nullable=False) for name in ("not_before", "opened_at", "changed_at")),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
    )
    still_open = sa.text("state = 'open'")
    op.create_index(
        "uq_incidents_open",
        "incidents",
        ["channel", "key"],
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_table(
        "incident_alerts",
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("channel", "fingerprint", "incident")),
        sa.Column("firing", sa.Boolean, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("channel", "fingerprint", name="pk_incident_alerts"),
    )
    op.create_index("ix_incident_alerts_incident", "incident_alerts", ["incident"])
    op.create_table(
        "alert_channels",
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("next_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_alert_channels"),
    )


def downgrade() -> None:
    """Removes the tables."""
    for table in ("alert_channels", "incident_alerts", "incidents", "alert_inbox"):
        op.drop_table(table)
