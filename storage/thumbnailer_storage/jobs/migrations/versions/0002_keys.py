"""Keys; the tables that were there stay as they are"""

import sqlalchemy as sa
from alembic import op

from thumbnailer_storage.jobs.clocks import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("start", Moment(), nullable=False),
        sa.Column("end", Moment(), nullable=True),
        sa.Column("revoked", Moment(), nullable=True),
        sa.Column("last_used", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash", name="keys_by_hash"),
    )
    live = sa.text("revoked IS NULL")
    op.create_index("keys_by_name", "keys", ["owner", "name"], unique=True, sqlite_where=live, postgresql_where=live)
