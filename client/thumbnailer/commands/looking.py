"""`thumbnailer status`, `list`, `events` and `queue`: what the service knows."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

import click

from thumbnailer.batch.following import follow
from thumbnailer.batch.items import Item
from thumbnailer.batch.steps import waiting
from thumbnailer.client import Client
from thumbnailer.commands import options
from thumbnailer.errors import JobFailed, Problem
from thumbnailer.exits import code_of
from thumbnailer.models import FINAL, Job
from thumbnailer.terminal import complain, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

STATUSES = ("pending", "processing", *sorted(FINAL))


@click.command(
    epilog=options.examples(
        f"thumbnailer status {options.AN_ID}",
        f"thumbnailer status --wait --timeout 60 {options.AN_ID}",
    )
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--wait", is_flag=True, help="Wait until the jobs are finished.")
@options.timeout
@options.as_json
@click.pass_context
def status(ctx: click.Context, ids: tuple[str, ...], wait: bool, timeout: float | None, as_json: bool) -> None:
    """Say how jobs are.

    In a pipe each job is a line: id, status, priority, start, file and message, with tabs between them. With --wait
    it is a line of `submit`, once the job is finished.
    """
    with Client(ctx.obj) as client:
        if wait or timeout is not None:
            ctx.exit(follow([Item(name) for name in dict.fromkeys(ids)], [waiting(client, timeout)], as_json=as_json))
        errors: list[Exception] = []
        _show_jobs(_known(client, ids, errors), as_json=as_json)
        ctx.exit(code_of(errors))


def _known(client: Client, ids: Iterable[str], errors: list[Exception]) -> Iterator[Job]:
    """The jobs that there are; what is wrong with the others is told, and what is wrong with any goes to `errors`."""
    for id in ids:  # noqa: A001 - the field's name
        try:
            job = client.get(id)
        except Problem as problem:
            complain(f"{id}: {problem}")
            errors.append(problem)
            continue
        if job.finished and not job.complete:
            errors.append(JobFailed(job))
        yield job


@click.command(
    "list",
    epilog=options.examples(
        "thumbnailer list --status failed --since 2h",
        "thumbnailer list --all --json | jq -r .id",
    ),
)
@click.option("--status", type=click.Choice(STATUSES), help="Only those.")
@options.priority
@click.option(
    "--since", type=options.Since(), metavar="WHEN", help="Only jobs started since: 30m, 2h, 7d, or a time with date."
)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option("--all", "everything", is_flag=True, help="All there are, whatever the limit.")
@options.as_json
@click.pass_context
def list_jobs(
    ctx: click.Context,
    status: str | None,
    priority: str | None,
    since: datetime | None,
    limit: int,
    everything: bool,
    as_json: bool,
) -> None:
    """List jobs, newest first."""
    with Client(ctx.obj) as client:
        page = 100 if everything else min(limit, 100)
        jobs = client.jobs(status=status, priority=priority, since=since, page=page)
        _show_jobs(jobs if everything else islice(jobs, limit), as_json=as_json)


@click.command(epilog=options.examples(f"thumbnailer events {options.AN_ID}"))
@click.argument("id")
@options.as_json
@click.pass_context
def events(ctx: click.Context, id: str, as_json: bool) -> None:  # noqa: A002 - the field's name
    """Tell what happened to a job, in order."""
    with Client(ctx.obj) as client:
        found = client.events(id)
    if as_json:
        _print_json(event.wire for event in found)
    else:
        columns = ("at", "event", "attempt", "times", "message")
        rows = ((event.wire["at"], event.kind, event.attempt, event.count, event.message) for event in found)
        show(columns, rows)


@click.command(epilog=options.examples("thumbnailer queue"))
@options.as_json
@click.pass_context
def queue(ctx: click.Context, as_json: bool) -> None:
    """Tell how much there is to do: your jobs by status, and the depth and oldest age of each queue."""
    with Client(ctx.obj) as client:
        state = client.queue()
    if as_json:
        _print_json([state.wire])
        return
    show(("jobs", "number"), state.jobs.items())
    rows = ((name, one.waiting, one.in_flight, one.delayed, one.oldest_seconds) for name, one in state.queues.items())
    show(("queue", "waiting", "in flight", "delayed", "oldest, s"), rows)


def _show_jobs(jobs: Iterable[Job], *, as_json: bool) -> None:
    if as_json:
        _print_json(job.wire for job in jobs)
        return
    columns = ("id", "status", "priority", "start", "file", "message")
    show(columns, ((j.id, j.status, j.priority, j.wire["start"], j.filename, j.message) for j in jobs))


def _print_json(objects: Iterable[Mapping[str, object]]) -> None:
    for wire in objects:
        click.echo(json.dumps(dict(wire)))
