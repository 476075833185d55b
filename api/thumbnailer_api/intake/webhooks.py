"""Whom callers want to be told. The model judges the spelling, `webhooks/guard.py` where the address leads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from thumbnailer_api.intake.base import Asked
from thumbnailer_api.webhooks.guard import MAX_URL
from thumbnailer_api.webhooks.signing import key_of
from thumbnailer_storage.jobs.model import TOLD, Status

Kind = Literal["complete", "failed", "cancelled", "expired"]
USUAL: tuple[Kind, ...] = ("complete", "failed", "cancelled")


def a_secret(text: str) -> str:
    key_of(text)
    return text


def each_once(kinds: list[Kind]) -> list[Kind]:
    return [kind for kind in TOLD if kind in kinds]  # type: ignore[misc]  # the same words, in their own order


class WebhookAsked(Asked):
    """Who is told what becomes of a job, by a POST."""

    url: str = Field(
        max_length=MAX_URL,
        description="An `https://` address that the whole internet can reach.",
        examples=["https://example.com/thumbnails"],
    )
    events: Annotated[list[Kind], AfterValidator(each_once)] = Field(
        default=list(USUAL), min_length=1, max_length=8, description="What is told: statuses that the job reaches."
    )
    secret: Annotated[str, AfterValidator(a_secret)] | None = Field(
        default=None,
        description="Signs what is sent, as Standard Webhooks has it: `whsec_` and 24 to 64 random bytes in base64. "
        "Left out of a job: that of your default webhook, if there is one; left out of the default: one is made.",
        max_length=100,
    )
    template: Literal["slack", "teams"] | None = Field(
        default=None, description="Send a message for people in a chat instead of the job."
    )

    @property
    def kinds(self) -> tuple[Status, ...]:
        return tuple(Status(kind) for kind in self.events)


def short(given: object) -> object:
    """An address alone, as it stands in a query; `false` there is what it is in JSON."""
    if given == "false":
        return False
    return {"url": given} if isinstance(given, str) else given


JobWebhook = Annotated[
    WebhookAsked | Literal[False] | None,
    BeforeValidator(short, json_schema_input_type=WebhookAsked | str | Literal[False] | None),
]
"""What a job says of its webhook; one that says nothing gets its owner's default, and `null` and `false` say none."""
