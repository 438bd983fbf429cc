"""The ledger of changes: what the buttons mean, the proposals, and an audit that the database itself keeps append-only."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Moment

revision = "0003"
down_revision = "0001"

_SQLITE = """CREATE TRIGGER audit_is_append_only_{verb} BEFORE {verb} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"""
_FUNCTION = """CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"""
_POSTGRESQL = """CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"""


def upgrade() -> None:
    """Adds the tables and the triggers."""
    op.create_table(
        "offers",
        sa.Column("token", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("cluster", "namespace", "pod")),
        sa.Column("remedy", sa.String(64), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_offers"),
    )
    op.create_index("ix_offers_created_at", "offers", ["created_at"])
    texts = ("cluster", "object", "body", "facts", "place", "approvers", "attempt")
    op.create_table(
        "proposals",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("parent", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("requester", sa.String(64), nullable=False),
        *(sa.Column(name, Moment, nullable=False) for name in ("created_at", "expires_at")),
        *(sa.Column(name, Moment) for name in ("approved_at", "applied_at")),
        sa.Column("lease_by", sa.String(64), nullable=False),
        sa.Column("lease_until", Moment),
        sa.PrimaryKeyConstraint("id", name="pk_proposals"),
    )
    op.create_index("ix_proposals_state", "proposals", ["state"])
    applying = sa.text("state = 'applying'")
    op.create_index(
        "uq_proposals_applying",
        "proposals",
        ["object"],
        unique=True,
        sqlite_where=applying,
        postgresql_where=applying,
    )
    op.create_table(
        "audit",
        sa.Column("proposal", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("proposal", "number", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(_SQLITE.format(verb=verb))
    else:
        op.execute(_FUNCTION)
        op.execute(_POSTGRESQL)


def downgrade() -> None:
    """Removes them; the audit is gone then."""
    for table in ("audit", "proposals", "offers"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION audit_is_append_only()")
