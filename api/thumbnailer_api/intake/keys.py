"""What an admin may ask for of keys."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from thumbnailer_api.intake.base import NO_TRUTH, Asked
from thumbnailer_api.intake.times import Moment
from thumbnailer_storage.jobs.keys import USUAL, NewKey, Scope
from thumbnailer_storage.jobs.tables import NAME_LENGTH, OWNER_LENGTH


def printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds what does not print")
    return text


Owner = Annotated[str, Field(min_length=1, max_length=OWNER_LENGTH), AfterValidator(printable)]


class KeyAsked(Asked):
    """A key that is to be made."""

    name: str = Field(
        description="What logs and events call it: one of a kind among those keys of the owner that are not revoked.",
        min_length=1,
        max_length=NAME_LENGTH,
        examples=["laptop"],
    )
    owner: Owner | None = Field(
        default=None, description="Whom its jobs belong to; left out: to you.", examples=["ada"]
    )
    scopes: list[Scope] = Field(default=list(USUAL), min_length=1, max_length=len(Scope), description="What it may do.")
    days: Annotated[int, Field(ge=1, le=36500), NO_TRUTH] | None = Field(
        default=None, description="Refuse it after so many days."
    )
    end: Moment | None = Field(default=None, description="Refuse it from this time on (RFC 3339); instead of `days`.")

    @model_validator(mode="after")
    def the_record_takes_it(self) -> Self:
        if self.days is not None and self.end is not None:
            raise ValueError("days and end say the same in two ways: leave one of them out")
        self.new("me")
        return self

    def new(self, me: str) -> NewKey:
        """As it is recorded, for a caller who is `me`; raises InvalidKey."""
        return NewKey(self.name, self.owner or me, self.days, self.end, tuple(self.scopes))


class KeysAsked(Asked):
    """Which keys are listed."""

    owner: Owner | None = Field(default=None, description="Only this owner's.")
    limit: int = Field(default=50, ge=1, le=200, description="How many at most.")
    cursor: str | None = Field(default=None, max_length=200, description="`next` of the page before.")
