"""Options and kinds of values that several commands share."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from thumbnailer.errors import InvalidOutput
from thumbnailer.outputs import parse

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any] | click.Command")

PRIORITIES = ("express", "standard", "economy")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

AN_ID = "0a6e4a0e-7a35-4d5c-9a53-0d5a4d4b1c11"


def examples(*lines: str) -> str:
    """The end of a command's help, kept as it is written."""
    return "\b\n" + "\n".join(["Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)])


class Number(click.IntRange):
    """A whole number; `name` is what click's message calls it."""

    name = "whole number"


class Seconds(click.FloatRange):
    """Seconds, whole or not; `name` is what click's message calls them."""

    name = "number of seconds"


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line, for programs.")
overwrite = click.option(
    "--overwrite", is_flag=True, help="Replace files that are there; else a number is added to the name."
)
limit = click.option("--limit", type=Number(min=1), metavar="N", default=20, show_default=True, help="At most so many.")
everything = click.option("--all", "everything", is_flag=True, help="All there are, whatever the limit.")
yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
timeout = click.option(
    "--timeout", type=Seconds(min=0), metavar="SECONDS", help="Wait no longer than this; implies --wait."
)


def parallel(things: str) -> Callable[[Command], Command]:
    """How many `things` are under way at once."""
    help = f"{things} under way at once."  # noqa: A001 - click's name
    return click.option("--parallel", type=Number(1, 64), metavar="N", default=4, show_default=True, help=help)


class OutputSpelling(click.ParamType[dict[str, object]]):
    """`format=webp,size=200x200`."""

    name = "output"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, object]:
        try:
            return parse(value)
        except InvalidOutput as error:
            self.fail(str(error), param, ctx)


class Pair(click.ParamType[tuple[str, str]]):
    """`name=value`."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, equals, text = value.partition("=")
        if not (name and equals):
            self.fail(f"{value!r} is not written as NAME=VALUE", param, ctx)
        return name, text


def named_once(ctx: click.Context, param: click.Parameter, pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The pairs as a mapping; of two values for one name neither would be the right one."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise click.BadParameter(f"{twice!r} is given twice: a name has one value", ctx, param)
    return mapping


class Day(click.ParamType[date]):
    """`7d` ago, or a day such as 2026-11-24; in UTC, as the service counts."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if ago := re.fullmatch(r"(\d{1,4})d", value):
            return datetime.now(UTC).date() - timedelta(days=int(ago[1]))
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither an age such as 7d nor a day such as 2026-11-24", param, ctx)


class Lasting(click.ParamType[int]):
    """`30m`, `12h`, `7d`, in seconds; a bare number is in seconds already."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d{1,6})([smhd]?)", value)
        if found is None:
            self.fail(f"{value!r} is no time such as 30m, 12h or 7d", param, ctx)
        return int(timedelta(**{UNITS[found[2] or "s"]: int(found[1])}).total_seconds())


class Since(click.ParamType[datetime]):
    """`30m`, `2h`, `7d` ago, or a time such as 2026-11-24T07:00:00Z; one without a zone is local."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            if ago := re.fullmatch(r"(\d{1,6})([smhd])", value):
                return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither an age such as 2h nor a time such as 2026-11-24T07:00:00Z", param, ctx)
