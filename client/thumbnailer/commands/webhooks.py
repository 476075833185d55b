"""`thumbnailer webhook`, `deliveries` and `redeliver`: whom the service calls back, and what came of it."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import click

from thumbnailer.client import Client
from thumbnailer.commands import options
from thumbnailer.terminal import complain, interactive, lines, local, print_wire, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thumbnailer.models import Delivery, Webhook

EVENTS = ("complete", "failed", "cancelled", "expired")
TEMPLATES = ("slack", "teams")


@click.group(epilog=options.examples("thumbnailer webhook set https://example.com/thumbnails"))
def webhook() -> None:
    """Show, set or remove the webhook of jobs that name none."""


@webhook.command(epilog=options.examples("thumbnailer webhook show"))
@options.as_json
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Show your default webhook; its secret is never shown.

    In a pipe it is a line: address, events and template, with tabs between them. The template is empty where the job is
    sent as it is; without a webhook there is no line.

    With --json it is one object: {"url", "events", "template", "signed"}.
    """
    with Client(ctx.obj) as client:
        found = client.webhook.get()
    if found is None:
        complain("You have no default webhook: thumbnailer webhook set https://...")
    else:
        _print(found, as_json=as_json)


@webhook.command(
    "set",
    epilog=options.examples(
        "thumbnailer webhook set https://example.com/thumbnails",
        "thumbnailer webhook set https://hooks.slack.com/services/T0/B0/x --template slack --event failed",
    ),
)
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(EVENTS),
    help="What to tell of; else all but expired. Repeatable.",
)
@click.option(
    "--secret-file",
    type=click.File(),
    metavar="FILE",
    help="A file with what signs the messages, whsec_...; - for stdin.",
)
@click.option("--template", type=click.Choice(TEMPLATES), help="A message for a chat, in place of the job as JSON.")
@options.as_json
@click.pass_context
def set_webhook(
    ctx: click.Context,
    url: str,
    events: tuple[str, ...],
    secret_file: IO[str] | None,
    template: str | None,
    as_json: bool,
) -> None:
    """Have URL called back when your jobs end, unless they name a webhook of their own.

    It takes the place of the one before, and keeps its secret. Where there is none and none is given, the service makes
    one, which is printed, this once: what signs the messages, for your receiver to check. A chat needs none.

    In a pipe it is a line: the secret that was made; nothing where none was.

    With --json it is one object: {"url", "events", "template", "signed", "secret"}, the last only if it was made now.
    """
    secret = read_secret(secret_file) if secret_file else None
    asked: dict[str, Any] = {"url": url, "events": list(events), "secret": secret, "template": template}
    with Client(ctx.obj) as client:
        made = client.webhook.set({name: value for name, value in asked.items() if value})
    if as_json:
        print_wire([made])
        return
    complain(f"{', '.join(made.events)}: told to {made.url}.")
    if made.secret:
        complain("Its secret is shown this once:")
        click.echo(made.secret)
    elif made.signed and not secret:
        complain("It keeps the secret that it had, so none is printed.")


def read_secret(file: IO[str]) -> str:
    try:
        secret = file.read().strip()
    except UnicodeDecodeError:
        secret = ""
    if not secret:
        raise click.UsageError("there is no secret in the file of --secret-file: it looks like whsec_...")
    return secret


@webhook.command("remove", epilog=options.examples("thumbnailer webhook remove"))
@click.pass_context
def remove_webhook(ctx: click.Context) -> None:
    """Call nobody back; jobs that were sent already keep theirs."""
    with Client(ctx.obj) as client:
        client.webhook.remove()


@click.command(epilog=options.examples(f"thumbnailer deliveries {options.AN_ID}"))
@click.argument("id")
@options.as_json
@click.pass_context
def deliveries(ctx: click.Context, id: str, as_json: bool) -> None:  # noqa: A002 - the field's name
    """Tell what a job's webhook was sent, and what it answered.

    In a pipe each is a line: id, event, state (waiting, delivered or failed), tries, next try, answer, and error, with
    tabs between them.

    With --json each is {"id", "event", "at", "state", "tries", "last", "next", "answer", "error"}; times are UTC.
    """
    with Client(ctx.obj) as client:
        _show(client.deliveries(id), as_json=as_json)


@click.command(epilog=options.examples(f"thumbnailer redeliver {options.AN_ID} {options.AN_ID}"))
@click.argument("id")
@click.argument("delivery")
@options.as_json
@click.pass_context
def redeliver(ctx: click.Context, id: str, delivery: str, as_json: bool) -> None:  # noqa: A002 - the field's name
    """Send a delivery again, at once.

    ID is the job's, DELIVERY that of a line of `thumbnailer deliveries`. The receiver knows it by the same webhook-id.

    In a pipe it is a line, and with --json an object, as in `thumbnailer deliveries`: {"id", "event", "at", "state",
    "tries", "last", "next", "answer", "error"}.
    """
    with Client(ctx.obj) as client:
        _show([client.redeliver(id, delivery)], as_json=as_json)


def _print(found: Webhook, *, as_json: bool) -> None:
    row = (found.url, ",".join(found.events), found.template)
    if as_json:
        print_wire([found])
    elif interactive():
        table(("address", "events", "template"), [row])
    else:
        lines([row])


def _show(found: Iterable[Delivery], *, as_json: bool) -> None:
    if as_json:
        print_wire(found)
    elif interactive():
        rows = ((d.id, d.event, d.state, d.tries, d.next and local(d.next), d.error or d.answer) for d in found)
        table(("id", "event", "state", "tries", "next", "message"), rows)
    else:
        lines((d.id, d.event, d.state, d.tries, d.wire.get("next"), d.answer, d.error) for d in found)
