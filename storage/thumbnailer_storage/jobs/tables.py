"""The tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from thumbnailer_storage.jobs.clocks import Moment

MESSAGE_LENGTH = 500
KEY_LENGTH = 200
NAME_LENGTH = 100
OWNER_LENGTH = 200
REQUEST_LENGTH = 100
ADDRESS_LENGTH = 45
"""Of an IPv6 address that holds an IPv4 one."""


def only(name: str, *columns: str, where: str) -> Index:
    """An index of those rows alone that are looked for by it."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


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
    Column("expires_in", BigInteger, comment="seconds from finish; null: a release accepted it that knew no expiry"),
    Column("tidy_after", Moment, comment="from when on there is data to remove; null: there is none"),
    Column("request", String(REQUEST_LENGTH), comment="the id of the request that it came with"),
    Column("calls_back", Boolean, comment="whether `webhooks` has a row for it"),
    Index("jobs_of_owner", "owner", "start", "id"),
    Index("jobs_by_status", "owner", "status", "start", "id"),
    Index("jobs_by_priority", "owner", "priority", "start", "id"),
    Index("jobs_by_status_and_priority", "owner", "status", "priority", "start", "id"),
    Index("jobs_by_age", "queue", "status", "start"),
    Index("jobs_by_lease", "status", "lease"),
    Index("jobs_by_sending", "queue", "status", "sent", "start"),
    Index("jobs_by_expiry", "status", "expires"),
    only("jobs_without_expiry", "finish", where="finish IS NOT NULL AND expires IS NULL"),
    only("jobs_to_tidy", "tidy_after", where="tidy_after IS NOT NULL"),
    only("jobs_by_claim", "queue", "owner", "claimed", where="claimed IS NOT NULL"),
    only("jobs_unsent_by_owner", "queue", "owner", "start", where="status = 'pending' AND sent IS NULL"),
    only("jobs_sent_by_owner", "queue", "owner", "sent", where="status = 'pending' AND sent IS NOT NULL"),
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
    Column("preset", String(40), comment="the preset's name, where it was asked for by one"),
    Column("lossless", Boolean),
    Column("focus_x", Float, comment="what a crop keeps, as a share of the width; null: the centre"),
    Column("focus_y", Float, comment="likewise of the height"),
    Column("made_format", String(12)),
    Column("made_width", Integer),
    Column("made_height", Integer),
    Column("made_bytes", BigInteger),
)

events = Table(
    "events",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("job", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), comment="null: of an owner, and no job"),
    Column("kind", String(20), nullable=False),
    Column(
        "key", String(KEY_LENGTH), nullable=False, comment="tells events of one kind apart: the same again is counted"
    ),
    Column("at", Moment, nullable=False),
    Column("last", Moment, nullable=False),
    Column("count", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("message", String(MESSAGE_LENGTH), nullable=False),
    Column("owner", String(OWNER_LENGTH), comment="null: of a release that did not write it"),
    Column("by", String(NAME_LENGTH), comment="the name of the key, the worker or the duty that did it"),
    Column("address", String(ADDRESS_LENGTH), comment="where the request came from"),
    Column("request", String(REQUEST_LENGTH), comment="the request's id, as in the access log"),
    UniqueConstraint("job", "kind", "key", name="events_once"),
    Index("events_of_owner", "owner", "id"),
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
    Column(
        "rank", BigInteger, nullable=False, server_default="0", comment="whose turn it is: the lowest is received first"
    ),
    Index("messages_in_order", "queue", "visible", "id"),
    Index("messages_by_rank", "queue", "rank", "id"),
)

ranks = Table(
    "ranks",
    metadata,
    Column("queue", String(40), primary_key=True),
    Column("owner", String(OWNER_LENGTH), primary_key=True),
    Column("rank", BigInteger, nullable=False, comment="of the first message that the owner sent last"),
    Column("next", BigInteger, nullable=False, comment="the least that the owner's next message gets"),
    Index("ranks_by_next", "queue", "next"),
    comment="how far each owner has come in each queue, also when nothing of his is left in it",
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
    Column("scopes", String(60), nullable=False, server_default="submit,read,cancel"),
    UniqueConstraint("hash", name="keys_by_hash"),
    Index("keys_by_age", "start", "id"),
    Index("keys_of_owner", "owner", "start", "id"),
    Index(
        "keys_by_name",
        "owner",
        "name",
        unique=True,
        sqlite_where=text("revoked IS NULL"),
        postgresql_where=text("revoked IS NULL"),
    ),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("owner", String(OWNER_LENGTH), nullable=False),
    Column("what", String(20), nullable=False, comment="a status, or what usage counts"),
    Column("day", String(10), nullable=False, comment="2026-11-24 in UTC; empty: of all days"),
    Column("priority", String(12), nullable=False),
    Column("n", BigInteger, nullable=False),
    Index("ledger_of_owner", "owner", "what"),
    comment="what transitions add up to, one row for each change: adding rows makes nobody wait for anybody",
)

totals = Table(
    "totals",
    metadata,
    Column("owner", String(OWNER_LENGTH), primary_key=True),
    Column("what", String(20), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("priority", String(12), primary_key=True),
    Column("n", BigInteger, nullable=False),
    comment="the sums of those rows of the ledger that the housekeeper has taken out of it",
)

rates = Table(
    "rates",
    metadata,
    Column("owner", String(OWNER_LENGTH), primary_key=True),
    Column("free_at", Float, nullable=False, comment="seconds since 1970: when the owner's requests are paid off"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", String(OWNER_LENGTH), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("token", Uuid, nullable=False, comment="of the request that has it: an older one can do nothing"),
    Column("start", Moment, nullable=False),
    Column("lease", Moment, comment="until when a request is in flight; null: there is a job"),
    Column("fingerprint", String(64), comment="SHA-256 of the image's and the normalised options"),
    Column("job", Uuid, ForeignKey("jobs.id", ondelete="CASCADE")),
    Index("idempotency_by_age", "start"),
    Index("idempotency_of_job", "job"),
)


def callback() -> tuple[Column[Any], ...]:
    """What is known of a receiver of webhooks."""
    return (
        Column("url", String(2000), nullable=False),
        Column("kinds", String(200), nullable=False, comment="the events that are told, separated by commas"),
        Column("secret", Text, comment="encrypted; null: what is sent is not signed"),
        Column("template", String(20), comment="the body's shape; null: ours"),
    )


webhooks = Table(
    "webhooks",
    metadata,
    Column("job", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    *callback(),
)

default_webhooks = Table(
    "default_webhooks", metadata, Column("owner", String(OWNER_LENGTH), primary_key=True), *callback()
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("lane", String(520), nullable=False, comment="receiver and owner: none of them may hold up the others"),
    Column("kind", String(20), nullable=False, comment="the event that it tells of"),
    Column("at", Moment, nullable=False),
    Column("state", String(12), nullable=False, comment="waiting, delivered or failed"),
    Column("due", Moment, comment="when it is tried next, or again should its housekeeper die; null: never"),
    Column("tries", Integer, nullable=False, comment="taken so often; the fence: only the latest try can settle it"),
    Column("failures", Integer, nullable=False, comment="of these since it was last asked for anew: not those cut off"),
    Column("last", Moment, comment="when it was last tried"),
    Column("answer", Integer, comment="the status code of the last try; null: there was no answer"),
    Column("error", String(500), comment="what was wrong with the last try"),
    Index("deliveries_of_job", "job", "at"),
    only("deliveries_due", "lane", "due", where="due IS NOT NULL"),
    comment="the outbox: written in the transaction of what it tells of",
)
