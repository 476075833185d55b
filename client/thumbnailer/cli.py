"""The command `thumbnailer`: its commands, and what becomes of their errors."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from thumbnailer import exits
from thumbnailer.commands import options
from thumbnailer.commands.accounts import limits, usage
from thumbnailer.commands.cancel import cancel, remove
from thumbnailer.commands.completion import completion
from thumbnailer.commands.download import download
from thumbnailer.commands.events import events
from thumbnailer.commands.keys import keys
from thumbnailer.commands.looking import list_jobs, queue, status
from thumbnailer.commands.submit import submit
from thumbnailer.commands.webhooks import deliveries, redeliver, webhook
from thumbnailer.errors import ThumbnailerError
from thumbnailer.terminal import complain


class Commands(click.Group):
    """A group that turns errors into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("Interrupted.")
            ctx.exit(exits.Exit.INTERRUPTED)
        except BrokenPipeError:
            # Whoever read our output has seen enough. What is still in the buffer would fail again at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(exits.Exit.NO_READER)
        except (ThumbnailerError, OSError) as error:
            complain(error)
            ctx.exit(exits.code_of([error]))


@click.group(
    cls=Commands,
    commands=[
        *(submit, status, list_jobs, download, cancel, remove, events, queue, usage, limits),
        *(webhook, deliveries, redeliver, keys, completion),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=options.examples("thumbnailer submit photos/*.jpg --output format=webp,size=200x200 --to thumbnails")
    + "\n\n"
    + exits.HELP,
)
@click.option("--url", metavar="URL", help="Where the service is; else THUMBNAILER_URL.")
@click.version_option(package_name="thumbnailer-client", prog_name="thumbnailer")
@click.pass_context
def main(ctx: click.Context, url: str | None) -> None:
    """Make thumbnails: send images to the service, watch the jobs, download the pictures."""
    ctx.obj = url
