"""`thumbnailer cancel` and `remove`: the two things that the service's one DELETE does."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

import click

from thumbnailer.batch.following import follow
from thumbnailer.batch.items import Item
from thumbnailer.batch.steps import cancelling, removing
from thumbnailer.client import Client
from thumbnailer.commands import options
from thumbnailer.terminal import confirmed, lines

if TYPE_CHECKING:
    from datetime import datetime

RUNNING = ("pending", "processing")
MOST_COUNTED = 1000


@click.command(
    epilog=options.examples(
        f"thumbnailer cancel {options.AN_ID}",
        "thumbnailer list --all --status pending --since 1h | cut -f1 | xargs thumbnailer cancel",
        "thumbnailer cancel --all --status pending --priority economy --yes",
    )
)
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--all", "everything", is_flag=True, help="All jobs of a status, in place of IDs.")
@click.option("--status", type=click.Choice(RUNNING), help="With --all, which has to say it.")
@click.option("--priority", type=click.Choice(options.PRIORITIES), help="With --all: only jobs of this urgency.")
@click.option(
    "--since", type=options.Since(), metavar="WHEN", help="With --all: only jobs sent since: 30m, 2h, 7d, or a time."
)
@options.yes
@options.parallel("Jobs")
@options.as_json
@click.pass_context
def cancel(
    ctx: click.Context,
    ids: tuple[str, ...],
    everything: bool,
    status: str | None,
    priority: str | None,
    since: datetime | None,
    yes: bool,
    parallel: int,
    as_json: bool,
) -> None:
    """Cancel jobs that are not finished.

    One that waits never starts, one that runs is stopped within seconds. A finished job is left as it is, and said so:
    `thumbnailer remove` removes its pictures. A job that gets finished in this very moment may lose them here too.

    --all asks first, with their number, on a terminal; elsewhere it wants --yes. A key needs the scope cancel, and read
    too, but for --all --yes.

    In a pipe each cancelled job is a line: id, status and file, with tabs between them; --all prints their number
    alone. With --json each ID is {"name", "job", "saved", "error"}, as in `thumbnailer submit --json`; --all prints
    {"cancelled"}.
    """
    if everything == bool(ids):
        raise click.UsageError("name the jobs by their IDs, or all of one status by --all --status pending")
    if not everything and (status or priority or since):
        raise click.UsageError("--status, --priority and --since go with --all: it would be IDs and all others")
    if everything and status is None:
        raise click.UsageError("--all wants --status pending or --status processing")
    with Client(ctx.obj) as client:
        if not everything:
            items = [Item(name) for name in dict.fromkeys(ids)]
            ctx.exit(follow(items, [cancelling(client, parallel)], as_json=as_json))
        assert status is not None  # noqa: S101 - for the type checker: seen to above
        confirmed(lambda: f"Cancel {_number(client, status, priority, since)}?", yes=yes)
        cancelled = client.cancel_all(status, priority=priority, since=since)
    if as_json:
        click.echo(json.dumps({"cancelled": cancelled}))
    else:
        lines([[cancelled]])


def _number(client: Client, status: str, priority: str | None, since: datetime | None) -> str:
    """How many jobs are meant, in words; a long list is not counted to its end."""
    found = client.jobs(status=status, priority=priority, since=since)
    number = sum(1 for _ in islice(found, MOST_COUNTED + 1))
    shown = f"more than {MOST_COUNTED}" if number > MOST_COUNTED else str(number)
    return f"{shown} {status} {'job' if number == 1 else 'jobs'}"


@click.command(
    epilog=options.examples(
        f"thumbnailer remove {options.AN_ID}",
        "thumbnailer list --all --status failed | cut -f1 | xargs thumbnailer remove --yes",
    )
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@options.yes
@options.parallel("Jobs")
@options.as_json
@click.pass_context
def remove(ctx: click.Context, ids: tuple[str, ...], yes: bool, parallel: int, as_json: bool) -> None:
    """Remove what jobs were sent and made.

    Their pictures are gone for good, and so is the image that was sent; what is known of the job stays a while, as
    expired. A job that is not finished is cancelled. Asks first, on a terminal; elsewhere it wants --yes.

    In a pipe each job is a line: id, status and file, with tabs between them.
    With --json each ID is {"name", "job", "saved", "error"}, as in `thumbnailer submit --json`.
    """
    items = [Item(name) for name in dict.fromkeys(ids)]
    whose = "1 job" if len(items) == 1 else f"{len(items)} jobs"
    confirmed(lambda: f"Remove images and pictures of {whose} for good?", yes=yes)
    with Client(ctx.obj) as client:
        ctx.exit(follow(items, [removing(client, parallel)], as_json=as_json))
