"""`thumbnailer usage` and `limits`: what was used, and what may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thumbnailer.client import Client
from thumbnailer.commands import options
from thumbnailer.terminal import interactive, lines, print_wire, table

if TYPE_CHECKING:
    from datetime import date


@click.command(
    epilog=options.examples(
        "thumbnailer usage --since 2026-11-01 --until 2026-11-30",
        "thumbnailer usage --json | jq '[.days[].compute_seconds] | add'",
    )
)
@click.option("--since", type=options.Day(), metavar="DAY", help="The first: 2026-11-01, or 7d ago; else 29 days ago.")
@click.option("--until", type=options.Day(), metavar="DAY", help="The last day; else today.")
@click.option("--owner", metavar="NAME", help="Another owner's; for keys with the scope admin.")
@options.as_json
@click.pass_context
def usage(ctx: click.Context, since: date | None, until: date | None, owner: str | None, as_json: bool) -> None:
    """Tell what was used, by day and priority.

    Days are those of UTC; one on which nothing was used is left out. In a pipe each line is: day, priority, jobs, bytes
    sent, and seconds of workers, with tabs between them.

    With --json it is one object: {"owner", "since", "until", "days": [{"day", "priority", "jobs", "bytes",
    "compute_seconds"}]}.
    """
    with Client(ctx.obj) as client:
        used = client.usage(since=since, until=until, owner=owner)
    rows = [(day.day, day.priority, day.jobs, day.bytes, day.compute_seconds) for day in used.days]
    if as_json:
        print_wire([used])
    elif interactive():
        table(("day", "priority", "jobs", "bytes", "compute, s"), rows)
    else:
        lines(rows)


@click.command(epilog=options.examples("thumbnailer limits"))
@options.as_json
@click.pass_context
def limits(ctx: click.Context, as_json: bool) -> None:
    """Tell what you may use, and what you have used of it.

    In a pipe each line is: what is limited, what is used now, and what is allowed, with tabs between them; nothing
    stands where there is no limit, or nothing is counted. The service refuses more with 429 and says when to come
    back; the commands wait for up to a minute by themselves.

    With --json it is one object: {"requests_per_minute", "jobs_waiting", "bytes_per_day", "used": {"requests",
    "jobs_waiting", "bytes"}}, with null for no limit.
    """
    with Client(ctx.obj) as client:
        found = client.limits()
    rows = [
        ("requests a minute", found.used_requests, found.requests_per_minute),
        ("jobs waiting", found.used_jobs_waiting, found.jobs_waiting),
        ("bytes a day", found.used_bytes, found.bytes_per_day),
    ]
    if as_json:
        print_wire([found])
    elif interactive():
        table(("limit", "used", "allowed"), rows)
    else:
        lines(rows)
