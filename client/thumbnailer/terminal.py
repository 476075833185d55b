"""What is printed: a table on a terminal, tab-separated lines in a pipe, and nothing that a terminal would obey."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Protocol

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thumbnailer.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

WRAPPED = {"file", "message", "address"}
"""Columns that may take several lines; broken, an id or a time could not be copied."""


def printable(text: object) -> str:
    """Without control characters: names come from anywhere, and a tab or line break would end a field."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(text))


def interactive() -> bool:
    """Whether somebody looks: bars and tables are for them alone."""
    return sys.stdout.isatty() and sys.stderr.isatty()


def complain(message: object) -> None:
    click.echo(f"thumbnailer: {printable(message)}", err=True)


def confirmed(question: Callable[[], str], *, yes: bool) -> None:
    """Go on if the user agrees, or has said so before (`yes`); where nobody can be asked, raises UsageError."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("this asks first, and nobody can answer here: say --yes")
    if not click.confirm(question(), err=True):
        complain("Nothing was done.")
        click.get_current_context().exit(Exit.INTERRUPTED)


class Answered(Protocol):
    """What the service answered with."""

    @property
    def wire(self) -> Mapping[str, Any]: ...


def print_wire(answers: Iterable[Answered]) -> None:
    """One JSON object a line, as the service said it."""
    for answer in answers:
        click.echo(json.dumps(dict(answer.wire)))


def local(moment: datetime) -> str:
    """Month, day and time of day here: what a table has room for."""
    return f"{moment.astimezone():%m-%d %H:%M:%S}"


def lines(rows: Iterable[Sequence[object]]) -> None:
    """Print rows for a pipe: no heading, tabs between the fields, and each row as soon as it is there."""
    for row in rows:
        click.echo("\t".join(_cells(row)))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows for somebody who looks, and an empty line behind them."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for column in columns:
        shown.add_column(column, no_wrap=column not in WRAPPED, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in _cells(row)))
    console = Console()
    console.print(shown)
    console.print()


def _cells(row: Sequence[object]) -> list[str]:
    return [printable("" if cell is None else cell) for cell in row]
