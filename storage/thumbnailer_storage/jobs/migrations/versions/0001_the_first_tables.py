"""The first tables"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from thumbnailer_storage.jobs.clocks import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    facts = sa.table("facts", sa.column("name"), sa.column("value"))
    op.execute(facts.insert().values(name="id", value=str(uuid4())))
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("priority", sa.String(length=12), nullable=False),
        sa.Column("job_class", sa.String(length=40), nullable=True),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("filename", sa.String(length=300), nullable=True),
        sa.Column("source_bytes", sa.BigInteger(), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("source_format", sa.String(length=12), nullable=True),
        sa.Column("source_width", sa.Integer(), nullable=True),
        sa.Column("source_height", sa.Integer(), nullable=True),
        sa.Column("start", Moment(), nullable=False),
        sa.Column("claimed", Moment(), nullable=True),
        sa.Column("finish", Moment(), nullable=True),
        sa.Column("expires", Moment(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=100), nullable=True),
        sa.Column("lease", Moment(), nullable=True),
        sa.Column("not_before", Moment(), nullable=True),
        sa.Column("missing_since", Moment(), nullable=True),
        sa.Column("sent", Moment(), nullable=True),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("resend_after", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("jobs_by_age", "jobs", ["queue", "status", "start"])
    op.create_index("jobs_by_status", "jobs", ["owner", "status"])
    op.create_index("jobs_by_claim", "jobs", ["queue", "claimed"])
    op.create_index("jobs_by_lease", "jobs", ["status", "lease"])
    op.create_index("jobs_by_sending", "jobs", ["queue", "status", "sent"])
    op.create_index("jobs_of_owner", "jobs", ["owner", "start", "id"])

    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("sent", Moment(), nullable=False),
        sa.Column("visible", Moment(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("receipt", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("messages_in_order", "messages", ["queue", "visible", "id"])

    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("last", Moment(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job", "kind", "key", name="events_once"),
    )
    op.create_table(
        "outputs",
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("format", sa.String(length=12), nullable=True),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("fit", sa.String(length=12), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=True),
        sa.Column("background", sa.String(length=7), nullable=True),
        sa.Column("enlarge", sa.Boolean(), nullable=True),
        sa.Column("made_format", sa.String(length=12), nullable=True),
        sa.Column("made_width", sa.Integer(), nullable=True),
        sa.Column("made_height", sa.Integer(), nullable=True),
        sa.Column("made_bytes", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", "n"),
    )
