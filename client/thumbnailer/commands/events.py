"""`thumbnailer events`: what happened to a job, or to all of them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from thumbnailer.client import Client
from thumbnailer.commands import options
from thumbnailer.terminal import interactive, lines, local, print_wire, table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from thumbnailer.models import Event


@click.command(
    epilog=options.examples(
        f"thumbnailer events {options.AN_ID}",
        "thumbnailer events --owner ada --since 1d --all --json",
    )
)
@click.argument("id", required=False)
@click.option("--owner", metavar="NAME", help="Without ID: only what is this owner's.")
@click.option("--since", type=options.Since(), metavar="WHEN", help="Without ID: only since: 30m, 2h, 7d, or a time.")
@options.limit
@options.everything
@options.as_json
@click.pass_context
def events(
    ctx: click.Context,
    id: str | None,  # noqa: A002 - the field's name
    owner: str | None,
    since: datetime | None,
    limit: int,
    everything: bool,
    as_json: bool,
) -> None:
    """Tell what happened to a job, or to all.

    To the job ID, in order; without ID to all jobs and keys, newest first, for keys with the scope admin. --limit and
    --all are for the latter: of one job all is told.

    In a pipe each event of a job is a line: time, event, attempt, how many times, and message, with tabs between them;
    of all, what happened to which job of whom comes first: time, owner, job, event, key, address and message.

    With --json each event is {"at", "kind", "attempt", "message", "count", "last", "by", "address", "request_id"}: it
    happened `count` times, from `at` to `last` (UTC), by a key (null: the service itself). Of all, "job" and "owner"
    are there too.
    """
    if id and (owner or since):
        raise click.UsageError("--owner and --since are for the events of all jobs: leave out ID")
    with Client(ctx.obj) as client:
        if id:
            _show(client.events(id), as_json=as_json)
            return
        found = client.all_events(owner=owner, since=since, page=100 if everything else min(limit, 100))
        _show_all(found if everything else islice(found, limit), as_json=as_json)


def _show(found: Iterable[Event], *, as_json: bool) -> None:
    if as_json:
        print_wire(found)
    elif interactive():
        rows = ((local(event.at), event.kind, event.attempt, event.count, event.message) for event in found)
        table(("at", "event", "attempt", "times", "message"), rows)
    else:
        lines((event.wire["at"], event.kind, event.attempt, event.count, event.message) for event in found)


def _show_all(found: Iterable[Event], *, as_json: bool) -> None:
    if as_json:
        print_wire(found)
    elif interactive():
        rows = ((local(event.at), event.owner, event.by, event.kind, event.message) for event in found)
        table(("at", "owner", "by", "event", "message"), rows)
    else:
        lines(
            (event.wire["at"], event.owner, event.job, event.kind, event.by, event.address, event.message)
            for event in found
        )
