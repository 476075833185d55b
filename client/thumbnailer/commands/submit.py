"""`thumbnailer submit`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from thumbnailer.batch.finding import Found, find
from thumbnailer.batch.following import follow
from thumbnailer.batch.saving import Folder
from thumbnailer.batch.steps import Options, saving, sending, waiting
from thumbnailer.client import Client
from thumbnailer.commands import options
from thumbnailer.retrying import LONGEST
from thumbnailer.terminal import complain


@click.command(
    epilog=options.examples(
        "thumbnailer submit photo.jpg --to thumbnails",
        "thumbnailer submit photos/ --output format=webp,size=400x300 --output size=64x64 --to thumbnails",
        "thumbnailer submit '*.png' --priority economy --expires-in 7d | cut -f1 > ids",
        "thumbnailer submit photos/ --webhook https://example.com/thumbnails",
    )
)
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    type=options.OutputSpelling(),
    metavar="SPEC",
    help="A picture to make, such as format=webp,size=200x200, or preset=avatar (also: fit, crop, quality, lossless, "
    "background, enlarge). Repeatable.",
)
@click.option("--priority", type=click.Choice(options.PRIORITIES), help="How urgent it is.")
@click.option(
    "--class",
    "job_class",
    metavar="NAME",
    help="A kind of machine to run on, one that the service has.",
)
@click.option(
    "--metadata",
    multiple=True,
    type=options.Pair(),
    callback=options.named_once,
    metavar="NAME=VALUE",
    help="Kept with the job. Repeatable, each time with another name.",
)
@click.option(
    "--expires-in", type=options.Lasting(), metavar="TIME", help="Remove it so long after its end: 30m, 12h, 7d."
)
@click.option("--webhook", metavar="URL", help="Call this address back when the job ends; else your default, if any.")
@click.option("--no-webhook", is_flag=True, help="Call nobody back, not your default either.")
@click.option("--wait", is_flag=True, help="Wait until the jobs are finished.")
@click.option(
    "--to", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Download to here; implies --wait."
)
@options.overwrite
@options.parallel("Files")
@options.timeout
@options.as_json
@click.pass_context
def submit(
    ctx: click.Context,
    files: tuple[str, ...],
    outputs: tuple[dict[str, object], ...],
    priority: str | None,
    job_class: str | None,
    metadata: dict[str, str],
    expires_in: int | None,
    webhook: str | None,
    no_webhook: bool,
    wait: bool,
    to: Path | None,
    overwrite: bool,
    parallel: int,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Send images, and make thumbnails of them.

    FILES are files, folders, globs (quoted ones too), or - for standard input. A folder gives all images in it and
    below, by their extensions. Without --output, a job makes one picture of 100x100.

    Thumbnails are called FILE-WIDTHxHEIGHT.EXTENSION. In a pipe each accepted job is a line: its id, status and file,
    with tabs between them; with --wait each complete one, and behind it the files that were written.

    With --json each file is {"name", "job", "saved", "error"} once it has ended: its name as written, the job as in
    `thumbnailer list --json` or null, the files that were written, and null or {"kind", "message"}, to which a refusal
    adds {"type", "status", "detail", "request_id"}.
    """
    if webhook and no_webhook:
        raise click.UsageError("--webhook and --no-webhook exclude each other")
    found = find(files)
    _tell_left_out(found)
    if not found.items:
        raise click.UsageError("there is no image to send")
    asked = Options(outputs, priority, job_class, metadata, expires_in, False if no_webhook else webhook)
    with ExitStack() as stack:
        patience = LONGEST if timeout is None else min(LONGEST, timeout)
        client = stack.enter_context(Client(ctx.obj, patience=patience))
        steps = [sending(client, asked, parallel)]
        if wait or to or timeout is not None:
            steps.append(waiting(client, timeout))
        if to:
            steps.append(saving(client, stack.enter_context(Folder(to, overwrite=overwrite)), parallel))
        ctx.exit(follow(found.items, steps, as_json=as_json))


def _tell_left_out(found: Found) -> None:
    for folder, number in found.left_out.items():
        complain(f"{folder}: left out {number} that {'is no image' if number == 1 else 'are no images'} by name")
