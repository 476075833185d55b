"""`thumbnailer status`, `list` and `queue`: what the service knows."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from thumbnailer.batch.following import follow
from thumbnailer.batch.items import Item
from thumbnailer.batch.reporting import complain_of, print_json
from thumbnailer.batch.steps import waiting
from thumbnailer.client import Client
from thumbnailer.commands import options
from thumbnailer.errors import JobFailed, Problem
from thumbnailer.exits import code_of
from thumbnailer.models import FINAL
from thumbnailer.terminal import interactive, lines, local, print_wire, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from thumbnailer.models import Job

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

    In a pipe each job is a line as in `thumbnailer list`. With --wait it is a line of `thumbnailer submit`, once the
    job is finished.

    With --json each ID is {"name", "job", "saved", "error"}, as in `thumbnailer submit --json`.
    """
    items = [Item(name) for name in dict.fromkeys(ids)]
    with Client(ctx.obj) as client:
        if wait or timeout is not None:
            ctx.exit(follow(items, [waiting(client, timeout)], as_json=as_json))
        seen = _look(client, items)
        if as_json:
            for item in seen:
                print_json(item)
        else:
            _show(item.job for item in seen if item.job)
        ctx.exit(code_of(item.error for item in items))


def _look(client: Client, items: Iterable[Item]) -> Iterator[Item]:
    """Give each its job or what is wrong with it, which is complained of if no job can show it."""
    for item in items:
        try:
            item.job = client.get(item.name)
        except Problem as problem:
            item.error = problem
            complain_of(item)
        else:
            if item.job.finished and not item.job.complete:
                item.error = JobFailed(item.job)
        yield item


@click.command(
    "list",
    epilog=options.examples(
        "thumbnailer list --status failed --since 2h",
        "thumbnailer list --all --json | jq -r .id",
    ),
)
@click.option("--status", type=click.Choice(STATUSES), help="Only jobs that are now so.")
@click.option("--priority", type=click.Choice(options.PRIORITIES), help="Only jobs of this urgency.")
@click.option(
    "--since", type=options.Since(), metavar="WHEN", help="Only jobs started since: 30m, 2h, 7d, or a time with date."
)
@options.limit
@options.everything
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
    """List jobs, newest first.

    In a pipe each job is a line: id, status, priority, start, file and message, with tabs between them. A table on a
    terminal has local times, and messages only of jobs that failed.

    With --json each job is what the service says of it: {"id", "status", "priority", "class", "start", "claimed",
    "finish", "expires", "expires_in", "location", "code", "message", "attempts", "metadata", "filename", "request_id",
    "webhook": {"url", "events", "template", "signed"}, "source": {"bytes", "format", "width", "height"}, "outputs":
    [{"format", "size", "fit", "crop", "quality", "lossless", "background", "enlarge", "preset", and once made
    "location", "width", "height", "bytes", "media_type"}]}. Times are UTC.
    """
    with Client(ctx.obj) as client:
        page = 100 if everything else min(limit, 100)
        jobs = client.jobs(status=status, priority=priority, since=since, page=page)
        found = jobs if everything else islice(jobs, limit)
        if as_json:
            print_wire(found)
        else:
            _show(found)


@click.command(epilog=options.examples("thumbnailer queue"))
@options.as_json
@click.pass_context
def queue(ctx: click.Context, as_json: bool) -> None:
    """Tell how much there is to do.

    In a pipe the lines are, with tabs between the fields: "jobs", status and number, for each status of your jobs; then
    "queue", name, waiting, in flight, delayed, and the age in seconds of its oldest job, for each queue.

    With --json it is one object: {"jobs": {STATUS: number}, "queues": {NAME: {"waiting", "in_flight", "delayed",
    "oldest_seconds"}}}.
    """
    with Client(ctx.obj) as client:
        state = client.queue()
    jobs = list(state.jobs.items())
    queues = [(name, q.waiting, q.in_flight, q.delayed, q.oldest_seconds) for name, q in state.queues.items()]
    if as_json:
        print_wire([state])
    elif interactive():
        table(("jobs", "number"), jobs)
        table(("queue", "waiting", "in flight", "delayed", "oldest, s"), queues)
    else:
        lines(("jobs", *row) for row in jobs)
        lines(("queue", *row) for row in queues)


def _show(jobs: Iterable[Job]) -> None:
    if not interactive():
        lines((j.id, j.status, j.priority, j.wire["start"], j.filename, j.message) for j in jobs)
        return
    shown = list(jobs)
    table(("id", "status", "start", "file"), ((j.id, j.status, local(j.start), j.filename) for j in shown))
    # A table of its own: beside ids and times, 80 columns leave a message no room.
    if failed := [(job.id, job.message) for job in shown if job.status == "failed"]:
        table(("failed", "message"), failed)
