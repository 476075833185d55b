"""The command `thumbnailer-api keys`. It needs the database alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import click

from thumbnailer_api.config import of_every_program
from thumbnailer_api.wire.keys import KeyAnswer, NewKeyAnswer
from thumbnailer_storage import logs
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.key_format import new_key
from thumbnailer_storage.jobs.keys import USUAL, Key, KeyStore, NewKey, Scope
from thumbnailer_storage.jobs.model import Act
from thumbnailer_storage.opening import open_database

COMMAND = Act(by="thumbnailer-api keys")
"""Who does it, for the events: whoever may reach the database."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line, for programs.")


def examples(*lines: str) -> str:
    """The end of a command's help, kept as it is written."""
    return "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in lines)])


@click.group(epilog=examples("KEY=$(thumbnailer-api keys create laptop --owner ada)"))
def keys() -> None:
    """Make, list and revoke the keys of callers.

    They are needed where THUMBNAILER_AUTH is `keys`.
    A key belongs to an owner, who sees the jobs of all their keys and nobody else's. The settings are the API's.
    """


class Day(click.ParamType[datetime]):
    """`2027-01-31`, or a time with its zone such as `2027-01-31T12:00:00Z`."""

    name = "date"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a date such as 2027-01-31 nor a time such as 2027-01-31T12:00:00Z")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


class Scopes(click.ParamType[tuple[Scope, ...]]):
    """`submit,read`."""

    name = "list"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Scope, ...]:
        try:
            return tuple(Scope(name.strip()) for name in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of scopes: separate some of {', '.join(Scope)} by commas")


@keys.command(
    epilog=examples(
        "KEY=$(thumbnailer-api keys create laptop --owner ada)",
        "thumbnailer-api keys create ci --owner build --days 90 --json",
        "thumbnailer-api keys create watcher --owner build --scopes read",
        "thumbnailer-api keys create first --owner ada --once --file /run/keys/first",
    )
)
@click.argument("name")
@click.option("--owner", required=True, help="Whom its jobs belong to.")
@click.option("--days", type=click.IntRange(1, 36500), metavar="N", help="Refuse it after so many days.")
@click.option("--end", type=Day(), metavar="DATE", help="Refuse it from this day on (UTC); or a time with its zone.")
@click.option(
    "--scopes",
    type=Scopes(),
    metavar="LIST",
    default=",".join(USUAL),
    show_default=True,
    help="What it may do: some of submit, read, cancel, admin. With admin it makes and revokes everybody's keys.",
)
@click.option("--once", is_flag=True, help="Only if no key was ever made so in this database. Wants --file.")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), metavar="PATH", help="Where --once keeps it.")
@as_json
def create(
    name: str,
    owner: str,
    days: int | None,
    end: datetime | None,
    scopes: tuple[Scope, ...],
    once: bool,
    file: Path | None,
    as_json: bool,
) -> None:
    """Make a key and print it, this once.

    Only its hash is kept: whoever loses a key needs a new one.

    NAME is what logs call it. It is one of a kind among those keys of the owner that are not revoked.

    With --once, the first key of a database comes into being without anybody: the key that the file PATH holds is
    registered, or a new one is written to it, readable by you alone. Ever after, in any number of copies, the same
    command does nothing, also once that key was revoked.
    """
    if days is not None and end is not None:
        raise click.UsageError("--days and --end say the same in two ways: leave one of them out.")
    if once != (file is not None) or (once and as_json):
        raise click.UsageError("--once and --file go together, without --json: the key is in the file.")
    new = NewKey(name, owner, days, end, scopes)
    with opened() as store:
        if file is not None:
            create_once(store, new, file)
        else:
            key = new_key()
            show_new(store.add(new, key, COMMAND), key, as_json)


def show_new(made: Key, key: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(NewKeyAnswer.of_new(made, key).model_dump(mode="json")))
        return
    click.echo(f"{described(made)} It is shown this once: only its hash is kept.", err=True)
    click.echo(key)


def create_once(store: KeyStore, new: NewKey, file: Path) -> None:
    made = store.add_first(new, lambda: kept_in(file), COMMAND)
    if made is None:
        click.echo("This database has had its first key: nothing is done. `keys create` without --once makes more.")
    else:
        click.echo(f"{described(made)} It is in the file {file}.")


def kept_in(file: Path) -> str:
    """The key that the file holds, or a new one once it is safe there."""
    if file.exists() and not file.is_file():
        raise click.UsageError(f"{file} is no plain file: name another one.")
    held = file.read_bytes().decode(errors="replace").strip() if file.exists() else ""
    return held or written_to(file)


def written_to(file: Path) -> str:
    """Write a new key, so that the file holds the whole of it or none."""
    key, part = new_key(), file.with_name(f".{uuid4().hex}.part")
    try:
        part.touch(0o600, exist_ok=False)
        with part.open("w") as writing:
            writing.write(f"{key}\n")
            writing.flush()
            os.fsync(writing.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return key


@keys.command(name="list", epilog=examples("thumbnailer-api keys list", "thumbnailer-api keys list --owner ada --json"))
@click.option("--owner", help="Only this owner's.")
@as_json
def list_keys(owner: str | None, as_json: bool) -> None:
    """Show all keys.

    Whose they are, whether they are live, what they may do, and when they were last used, to the minute.
    """
    with opened() as store:
        known = store.all(owner)
    if as_json:
        for key in known:
            click.echo(json.dumps(KeyAnswer.of(key).model_dump(mode="json")))
        return
    rows = [("NAME", "OWNER", "STATE", "MADE", "ENDS", "LAST USED", "SCOPES", "ID"), *(row_of(key) for key in known)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@keys.command(
    epilog=examples(
        "thumbnailer-api keys revoke laptop --owner ada",
        "thumbnailer-api keys revoke 3b241101-e2bb-4255-8caf-4136c566a962",
    )
)
@click.argument("which", metavar="ID-OR-NAME")
@click.option("--owner", help="Whose key it is, where several owners use the name.")
@as_json
def revoke(which: str, owner: str | None, as_json: bool) -> None:
    """Refuse a key from now on.

    All copies of the API refuse it at once. This cannot be taken back.
    """
    with opened() as store:
        revoked = store.revoke(which, owner, COMMAND)
    click.echo(
        json.dumps(KeyAnswer.of(revoked).model_dump(mode="json")) if as_json else f"{described(revoked)} It is revoked."
    )


@contextmanager
def opened() -> Iterator[KeyStore]:
    """The keys, in tables that fit this release; raises SchemaTooOld, SchemaTooNew, DatabaseUnavailable."""
    storage, logging = of_every_program()
    logs.configure(logging, "keys")
    database = open_database(storage)
    try:
        schema.check(database)
        yield KeyStore(database)
    finally:
        database.close()


def described(key: Key) -> str:
    end = "" if key.end is None else f", valid until {shown(key.end)}"
    return f"The key {key.name!r} of {key.owner!r} (id {key.id}{end})."


def row_of(key: Key) -> tuple[str, ...]:
    return (
        key.name,
        key.owner,
        key.state,
        shown(key.start),
        shown(key.end) if key.end else "never",
        shown(key.last_used) if key.last_used else "never",
        ",".join(key.scopes),
        str(key.id),
    )


def shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}"
