"""`thumbnailer download`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from thumbnailer.batch.following import follow
from thumbnailer.batch.items import Item
from thumbnailer.batch.saving import Folder
from thumbnailer.batch.steps import saving, waiting
from thumbnailer.client import Client
from thumbnailer.commands import options


@click.command(
    epilog=options.examples(
        f"thumbnailer download {options.AN_ID} --to thumbnails",
        "thumbnailer submit photos/ | cut -f1 | xargs thumbnailer download --wait --to thumbnails",
    )
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The folder to write to, made if it is not there; else this one.",
)
@click.option("--wait", is_flag=True, help="Wait for jobs that are not finished.")
@options.overwrite
@options.parallel("Files")
@options.timeout
@options.as_json
@click.pass_context
def download(
    ctx: click.Context,
    ids: tuple[str, ...],
    to: Path,
    wait: bool,
    overwrite: bool,
    parallel: int,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Download all pictures of jobs.

    They are called FILE-WIDTHxHEIGHT.EXTENSION after the file that was sent. A job that is not finished counts as timed
    out, at once where --wait and --timeout are not given. In a pipe each job is a line: id, status, file, and the
    files that were written, with tabs between them.

    With --json each ID is {"name", "job", "saved", "error"}, as in `thumbnailer submit --json`.
    """
    items = [Item(name) for name in dict.fromkeys(ids)]
    patience = timeout if wait or timeout is not None else 0.0
    with ExitStack() as stack:
        client = stack.enter_context(Client(ctx.obj))
        folder = stack.enter_context(Folder(to, overwrite=overwrite))
        ctx.exit(follow(items, [waiting(client, patience), saving(client, folder, parallel)], as_json=as_json))
