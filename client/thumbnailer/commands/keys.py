"""`thumbnailer keys`: who may call, for keys with the scope admin."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from thumbnailer import exits
from thumbnailer.client import Client
from thumbnailer.commands import options
from thumbnailer.errors import Problem
from thumbnailer.terminal import complain, interactive, lines, local, print_wire, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thumbnailer.models import Key

SCOPES = ("submit", "read", "cancel", "admin")


class Scopes(click.ParamType[tuple[str, ...]]):
    """Scopes with commas between them."""

    name = "list"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        scopes = tuple(name.strip() for name in value.split(","))
        if not set(scopes) <= set(SCOPES):
            self.fail(f"{value!r} is no list of scopes: separate some of {', '.join(SCOPES)} by commas", param, ctx)
        return scopes


@click.group(epilog=options.examples("thumbnailer keys create laptop --owner ada"))
def keys() -> None:
    """Make, list and revoke keys; yours has to have the scope admin."""


@keys.command(
    epilog=options.examples(
        "thumbnailer keys create laptop --owner ada",
        "KEY=$(thumbnailer keys create ci --owner build --scopes submit,read --days 90)",
    )
)
@click.argument("name")
@click.option("--owner", metavar="NAME", help="Whom its jobs belong to; else to you.")
@click.option(
    "--scopes",
    type=Scopes(),
    metavar="LIST",
    help="What it may do: some of submit, read, cancel, admin, separated by commas; else all but admin.",
)
@click.option("--days", type=options.Number(1, 36500), metavar="N", help="Refuse it after so many days; else never.")
@options.as_json
@click.pass_context
def create(
    ctx: click.Context, name: str, owner: str | None, scopes: tuple[str, ...] | None, days: int | None, as_json: bool
) -> None:
    """Make a key, and print it.

    It is shown this once: the service keeps its hash alone. NAME is what logs and events call it.

    With --json it is one object: {"id", "name", "owner", "scopes", "state", "start", "end", "revoked", "last_used",
    "key"}.
    """
    with Client(ctx.obj) as client:
        made = client.keys.create(name, owner=owner, scopes=scopes or (), days=days)
    if as_json:
        print_wire([made])
        return
    complain(f"The key {made.name} of {made.owner} (id {made.id}). It is shown this once.")
    click.echo(made.key)


@keys.command(
    "list",
    epilog=options.examples(
        "thumbnailer keys list --owner ada", "thumbnailer keys list --all --json | jq -r .last_used"
    ),
)
@click.option("--owner", metavar="NAME", help="Only the keys of this owner.")
@options.limit
@options.everything
@options.as_json
@click.pass_context
def list_keys(ctx: click.Context, owner: str | None, limit: int, everything: bool, as_json: bool) -> None:
    """List keys, newest first, also those that are revoked or have ended.

    In a pipe each key is a line: id, name, owner, state, scopes, start, end and last use, with tabs between them.

    With --json each key is {"id", "name", "owner", "scopes", "state", "start", "end", "revoked", "last_used"}.
    """
    with Client(ctx.obj) as client:
        page = 100 if everything else min(limit, 100)
        found = client.keys.list(owner=owner, page=page)
        _show(found if everything else islice(found, limit), as_json=as_json)


@keys.command(epilog=options.examples(f"thumbnailer keys revoke {options.AN_ID}"))
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@options.as_json
@click.pass_context
def revoke(ctx: click.Context, ids: tuple[str, ...], as_json: bool) -> None:
    """Revoke keys: from the next request on they are refused, for good.

    ID is the key's id, as `thumbnailer keys list` shows it. The jobs stay their owner's.

    In a pipe each key is a line, and with --json an object, as in `thumbnailer keys list`: {"id", "name", "owner",
    "scopes", "state", "start", "end", "revoked", "last_used"}.
    """
    revoked, errors = [], []
    with Client(ctx.obj) as client:
        for id in dict.fromkeys(ids):  # noqa: A001 - the field's name
            try:
                revoked.append(client.keys.revoke(id))
            except Problem as error:
                complain(f"{id}: {error}")
                errors.append(error)
    _show(revoked, as_json=as_json)
    if errors:
        ctx.exit(exits.code_of(errors))


def _show(found: Iterable[Key], *, as_json: bool) -> None:
    if as_json:
        print_wire(found)
    elif interactive():
        rows = ((key.id, key.name, key.owner, key.state, key.last_used and local(key.last_used)) for key in found)
        table(("id", "name", "owner", "state", "last used"), rows)
    else:
        lines(
            (*(key.id, key.name, key.owner, key.state, ",".join(key.scopes)),
             *(key.wire["start"], key.wire.get("end"), key.wire.get("last_used")))
            for key in found
        )  # fmt: skip
