"""How a batch tells what happens: bars on a terminal, lines in a pipe, JSON lines for programs. Errors go to stderr."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from thumbnailer.errors import Problem
from thumbnailer.terminal import complain, interactive, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from thumbnailer.batch.items import Item
    from thumbnailer.batch.steps import Step


class Report(Protocol):
    """Told of each item after each step, and of those that were left when the run stopped early."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def passed(self, item: Item, step: Step) -> None: ...
    def left(self, item: Item) -> None: ...


class Lines:
    """One line for each item once it has ended: id, status, file, and what was saved, with tabs between them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is kept open."""

    def passed(self, item: Item, step: Step) -> None:
        if item.error is not None:
            complain_of(item)
        elif item.ended:
            self.left(item)

    def left(self, item: Item) -> None:
        if item.job is not None:
            click.echo("\t".join(map(printable, [item.job.id, item.job.status, item.file, *item.saved])))


class JsonLines(Lines):
    """One JSON object for each item once it has ended."""

    def passed(self, item: Item, step: Step) -> None:
        super().passed(item, step)
        if item.error is not None:
            self.left(item)

    def left(self, item: Item) -> None:
        print_json(item)


class Bars:
    """A bar for each step, and above them a line for each item that has ended."""

    def __init__(self, total: int, steps: Sequence[Step]) -> None:
        self._failed = 0
        self._progress = Progress(
            TextColumn("{task.description:>6}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[note]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._bars: dict[str, TaskID] = {
            step.name: self._progress.add_task(step.name, total=total, note="") for step in steps
        }

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def passed(self, item: Item, step: Step) -> None:
        if item.error is None:
            self._progress.advance(self._bars[step.name])
            if item.ended:
                self.left(item)
            return
        self._failed += 1
        self._progress.update(self._bars[step.name], note=f"{self._failed} failed")
        complain_of(item)

    def left(self, item: Item) -> None:
        if item.saved:
            click.echo(f"{printable(item.file)} → {', '.join(map(printable, item.saved))}")
        elif item.job is not None:
            click.echo(f"{item.job.id}  {item.job.status:<8}  {printable(item.file)}")


def report(total: int, steps: Sequence[Step], *, as_json: bool) -> Report:
    """The report that fits where our output goes."""
    if as_json:
        return JsonLines()
    return Bars(total, steps) if interactive() else Lines()


def print_json(item: Item) -> None:
    """One line: {"name", "job", "saved", "error"}, the last with {"kind", "message"} and a Problem's own fields."""
    job = dict(item.job.wire) if item.job else None
    saved = [str(path) for path in item.saved]
    click.echo(json.dumps({"name": item.name, "job": job, "saved": saved, "error": _error_as_json(item.error)}))


def complain_of(item: Item) -> None:
    error = item.error
    complain(f"{item.name}: {(error.strerror or error) if isinstance(error, OSError) else error}")


def _error_as_json(error: Exception | None) -> dict[str, object] | None:
    if error is None:
        return None
    shown: dict[str, object] = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, Problem):
        shown |= {"type": error.type, "status": error.status, "detail": error.detail, "request_id": error.request_id}
    return shown
