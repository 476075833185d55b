"""What belongs to an owner: scopes, limits, usage, webhooks, expiry, turns; what was there keeps its meaning.

Every new column may be left out: programs of the release before go on with these tables.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from thumbnailer_storage.jobs.clocks import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    of_jobs()
    of_outputs()
    of_events()
    of_keys()
    of_messages()
    new_tables()


def of_jobs() -> None:
    for column in (
        sa.Column("expires_in", sa.BigInteger(), nullable=True),
        sa.Column("tidy_after", Moment(), nullable=True),
        sa.Column("request", sa.String(length=100), nullable=True),
        sa.Column("calls_back", sa.Boolean(), nullable=True),
    ):
        op.add_column("jobs", column)
    op.drop_index("jobs_by_status", "jobs")
    op.create_index("jobs_by_status", "jobs", ["owner", "status", "start", "id"])
    op.create_index("jobs_by_priority", "jobs", ["owner", "priority", "start", "id"])
    op.create_index("jobs_by_status_and_priority", "jobs", ["owner", "status", "priority", "start", "id"])
    op.create_index("jobs_by_expiry", "jobs", ["status", "expires"])
    only("jobs_without_expiry", "jobs", ["finish"], "finish IS NOT NULL AND expires IS NULL")
    only("jobs_to_tidy", "jobs", ["tidy_after"], "tidy_after IS NOT NULL")
    op.drop_index("jobs_by_claim", "jobs")
    only("jobs_by_claim", "jobs", ["queue", "owner", "claimed"], "claimed IS NOT NULL")
    only("jobs_unsent_by_owner", "jobs", ["queue", "owner", "start"], "status = 'pending' AND sent IS NULL")
    only("jobs_sent_by_owner", "jobs", ["queue", "owner", "sent"], "status = 'pending' AND sent IS NOT NULL")


def of_outputs() -> None:
    for column in (
        sa.Column("preset", sa.String(length=40), nullable=True),
        sa.Column("lossless", sa.Boolean(), nullable=True),
        sa.Column("focus_x", sa.Float(), nullable=True),
        sa.Column("focus_y", sa.Float(), nullable=True),
    ):
        op.add_column("outputs", column)


def of_events() -> None:
    with op.batch_alter_table("events") as events:
        events.alter_column("job", existing_type=sa.Uuid(), nullable=True)
        events.add_column(sa.Column("owner", sa.String(length=200), nullable=True))
        events.add_column(sa.Column("by", sa.String(length=100), nullable=True))
        events.add_column(sa.Column("address", sa.String(length=45), nullable=True))
        events.add_column(sa.Column("request", sa.String(length=100), nullable=True))
    op.create_index("events_of_owner", "events", ["owner", "id"])


def of_keys() -> None:
    everything = "submit,read,cancel"
    op.add_column("keys", sa.Column("scopes", sa.String(length=60), nullable=False, server_default=everything))
    op.create_index("keys_by_age", "keys", ["start", "id"])
    op.create_index("keys_of_owner", "keys", ["owner", "start", "id"])


def of_messages() -> None:
    op.add_column("messages", sa.Column("rank", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("messages_by_rank", "messages", ["queue", "rank", "id"])
    op.create_table(
        "ranks",
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("queue", "owner"),
    )
    op.create_index("ranks_by_next", "ranks", ["queue", "next"])


def new_tables() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "ledger",
        sa.Column("id", serial, nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("priority", sa.String(length=12), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ledger_of_owner", "ledger", ["owner", "what"])
    op.create_table(
        "totals",
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("priority", sa.String(length=12), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "what", "day", "priority"),
    )
    op.create_table(
        "rates",
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("free_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("owner"),
    )
    op.create_table(
        "idempotency",
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("token", sa.Uuid(), nullable=False),
        sa.Column("start", Moment(), nullable=False),
        sa.Column("lease", Moment(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("job", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner", "key"),
    )
    op.create_index("idempotency_by_age", "idempotency", ["start"])
    op.create_index("idempotency_of_job", "idempotency", ["job"])
    op.create_table(
        "webhooks",
        sa.Column("job", sa.Uuid(), nullable=False),
        *callback(),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job"),
    )
    op.create_table(
        "default_webhooks",
        sa.Column("owner", sa.String(length=200), nullable=False),
        *callback(),
        sa.PrimaryKeyConstraint("owner"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.String(length=520), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("due", Moment(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last", Moment(), nullable=True),
        sa.Column("answer", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deliveries_of_job", "deliveries", ["job", "at"])
    only("deliveries_due", "deliveries", ["lane", "due"], "due IS NOT NULL")


def callback() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("kinds", sa.String(length=200), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("template", sa.String(length=20), nullable=True),
    )


def only(name: str, table: str, columns: list[str], condition: str) -> None:
    """An index of those rows alone that are looked for by it."""
    op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))
