"""Times and days as callers write them. A bare number is none, though pydantic would count it from an epoch."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from thumbnailer_api.intake.mistakes import shown


def a_time(given: object) -> object:
    return spelled(given, "no time such as 2026-11-24T07:07:42Z")


def a_day(given: object) -> object:
    return spelled(given, "no day such as 2026-11-24")


def spelled(given: object, wrong: str) -> object:
    if isinstance(given, str) and re.match(r"\d{4}-\d{2}-\d{2}", given):
        return given
    raise ValueError(f"{shown(given)} is {wrong}")


def in_utc(given: datetime) -> datetime:
    """The first and the last hours of the calendar are none there."""
    try:
        return given.astimezone(UTC)
    except OverflowError:
        raise ValueError("it lies outside the years 1 to 9999 in UTC") from None


Moment = Annotated[AwareDatetime, BeforeValidator(a_time), AfterValidator(in_utc)]
Day = Annotated[date, BeforeValidator(a_day)]
