"""What is printed: a table on a terminal, tab-separated lines in a pipe, and nothing that a terminal would obey."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def printable(text: object) -> str:
    """Without control characters: names come from anywhere, and a tab or line break would end a field."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(text))


def interactive() -> bool:
    """Whether somebody looks: bars and tables are for them alone."""
    return sys.stdout.isatty() and sys.stderr.isatty()


def complain(message: object) -> None:
    click.echo(f"thumbnailer: {printable(message)}", err=True)


def show(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows; in a pipe without their heading, and each as soon as it is there."""
    lines = ([printable("" if cell is None else cell) for cell in row] for row in rows)
    if not interactive():
        for line in lines:
            click.echo("\t".join(line))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column == "id", overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    Console().print(table)
