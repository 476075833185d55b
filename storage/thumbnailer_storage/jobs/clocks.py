"""Points in time, and the database's own clock: what differs between SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Float, String, TypeDecorator, cast, literal
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


class epoch(FunctionElement[float]):  # noqa: N801 - it reads as the SQL function that it is
    """Seconds since 1970 by the database's clock: what is to be added up and compared as a number."""

    type = Float()
    name = "epoch"
    inherit_cache = True


@compiles(epoch, "sqlite")
def _sqlite_epoch(element: epoch, compiler: SQLCompiler, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(epoch, "postgresql")
def _postgresql_epoch(element: epoch, compiler: SQLCompiler, **kw: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"
