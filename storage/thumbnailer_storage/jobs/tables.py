"""The tables, and the two types and one function that differ between databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    cast,
    literal,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TIMESTAMP

SQLITE_MOMENT = "%Y-%m-%dT%H:%M:%fZ"
"""A moment as SQLite's strftime writes it: text that sorts by time, with milliseconds, in UTC."""


class Moment(TypeDecorator[datetime]):
    """A point in time: `timestamptz` on PostgreSQL, sortable text on SQLite, which has no such type."""

    impl = String(24)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else String(24))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return datetime.fromisoformat(value) if isinstance(value, str) else value


class clock(FunctionElement[datetime]):  # noqa: N801 - it reads as the SQL function that it is
    """The database's own clock, `seconds` from now.

    Nobody else's clock is ever compared with it. On PostgreSQL `clock_timestamp()`, since `now()` stands still
    within a transaction; read in a query of its own, once a statement, since an index is no help against a value that
    may differ from row to row.
    """

    type = Moment()
    name = "clock"
    inherit_cache = True

    def __init__(self, seconds: float | ColumnElement[Any] = 0.0) -> None:
        super().__init__(cast(literal(seconds) if isinstance(seconds, int | float) else seconds, String))


@compiles(clock, "sqlite")
def _sqlite_clock(element: clock, compiler: SQLCompiler, **kw: Any) -> str:
    return f"strftime('{SQLITE_MOMENT}', 'now', {compiler.process(element.clauses, **kw)} || ' seconds')"


@compiles(clock, "postgresql")
def _postgresql_clock(element: clock, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT clock_timestamp() + ({compiler.process(element.clauses, **kw)} || ' seconds')::interval)"


class seconds_since(FunctionElement[float]):  # noqa: N801 - it reads as the SQL function that it is
    """Seconds from a moment in a column until now, by the database's clock."""

    type = Float()
    name = "seconds_since"
    inherit_cache = True


@compiles(seconds_since, "sqlite")
def _sqlite_seconds(element: seconds_since, compiler: SQLCompiler, **kw: Any) -> str:
    return f"((julianday('now') - julianday({compiler.process(element.clauses, **kw)})) * 86400.0)"


@compiles(seconds_since, "postgresql")
def _postgresql_seconds(element: seconds_since, compiler: SQLCompiler, **kw: Any) -> str:
    return f"extract(epoch from clock_timestamp() - {compiler.process(element.clauses, **kw)})::float"


MESSAGE_LENGTH = 500
KEY_LENGTH = 200
NAME_LENGTH = 100
OWNER_LENGTH = 200

metadata = MetaData()
Serial = BigInteger().with_variant(Integer, "sqlite")

facts = Table(
    "facts",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", String(200), nullable=False),
    comment="what is known about this database as a whole: its own id, which the object store's marker names",
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", String(OWNER_LENGTH), nullable=False),
    Column("status", String(12), nullable=False),
    Column("priority", String(12), nullable=False),
    Column("job_class", String(40)),
    Column("queue", String(40), nullable=False),
    Column("code", Integer, nullable=False),
    Column("message", String(MESSAGE_LENGTH), nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("filename", String(300)),
    Column("source_bytes", BigInteger, nullable=False),
    Column("source_sha256", String(64), nullable=False),
    Column("source_format", String(12)),
    Column("source_width", Integer),
    Column("source_height", Integer),
    Column("start", Moment, nullable=False),
    Column("claimed", Moment),
    Column("finish", Moment),
    Column("expires", Moment),
    Column("attempt", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("worker", String(100)),
    Column("lease", Moment, comment="until when the claim holds"),
    Column("not_before", Moment, comment="before that nobody claims it"),
    Column("missing_since", Moment, comment="when a worker first found the upload missing"),
    Column("sent", Moment, comment="when its message was last sent; null: never"),
    Column("sends", Integer, nullable=False),
    Column("resend_after", Moment, comment="before that it is not sent again"),
    Index("jobs_of_owner", "owner", "start", "id"),
    Index("jobs_by_status", "owner", "status"),
    Index("jobs_by_age", "queue", "status", "start"),
    Index("jobs_by_lease", "status", "lease"),
    Index("jobs_by_sending", "queue", "status", "sent", "start"),
    Index("jobs_by_claim", "queue", "claimed"),
)

outputs = Table(
    "outputs",
    metadata,
    Column("job", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("format", String(12), comment="as asked; null: PNG where the source has transparency, else JPEG"),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("fit", String(12), nullable=False),
    Column("quality", Integer),
    Column("background", String(7)),
    Column("enlarge", Boolean),
    Column("made_format", String(12)),
    Column("made_width", Integer),
    Column("made_height", Integer),
    Column("made_bytes", BigInteger),
)

events = Table(
    "events",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("job", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column(
        "key", String(KEY_LENGTH), nullable=False, comment="tells events of one kind apart: the same again is counted"
    ),
    Column("at", Moment, nullable=False),
    Column("last", Moment, nullable=False),
    Column("count", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("message", String(MESSAGE_LENGTH), nullable=False),
    UniqueConstraint("job", "kind", "key", name="events_once"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("queue", String(40), nullable=False),
    Column("job", Uuid, nullable=False),
    Column("sent", Moment, nullable=False),
    Column("visible", Moment, nullable=False, comment="from when on it can be received"),
    Column("received", Integer, nullable=False, comment="how often it was; tells a delayed message from one in flight"),
    Column("receipt", String(36), comment="of the latest receive: an older one can do nothing"),
    Index("messages_in_order", "queue", "visible", "id"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("owner", String(OWNER_LENGTH), nullable=False),
    Column("hash", String(64), nullable=False, comment="SHA-256 of the key, which itself is kept nowhere"),
    Column("start", Moment, nullable=False),
    Column("end", Moment, comment="from when on it is refused; null: never"),
    Column("revoked", Moment, comment="since when it is refused; null: it is not"),
    Column("last_used", Moment, comment="to the minute; null: never"),
    UniqueConstraint("hash", name="keys_by_hash"),
    Index(
        "keys_by_name",
        "owner",
        "name",
        unique=True,
        sqlite_where=text("revoked IS NULL"),
        postgresql_where=text("revoked IS NULL"),
    ),
)
