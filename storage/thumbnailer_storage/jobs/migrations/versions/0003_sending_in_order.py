"""The index by which messages are sent holds the order in which jobs were accepted"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("jobs_by_sending", "jobs")
    op.create_index("jobs_by_sending", "jobs", ["queue", "status", "sent", "start"])
