"""Webhooks, and what became of telling their receivers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from thumbnailer_api.wire.base import Answer, Moment, is_none
from thumbnailer_storage.jobs.deliveries import Delivery
from thumbnailer_storage.jobs.model import Status, Webhook

Template = Literal["slack", "teams"]


class WebhookAnswer(Answer):
    """Who is told what becomes of a job; its secret is never shown."""

    url: str = Field(examples=["https://example.com/thumbnails"])
    events: list[Status]
    template: Template | None
    signed: bool = Field(description="Whether it has a secret.")

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        return cls(
            url=webhook.url,
            events=list(webhook.kinds),
            template=webhook.template,  # type: ignore[arg-type]  # the record's templates are these
            signed=webhook.secret is not None,
        )


class DefaultWebhookAnswer(WebhookAnswer):
    """What those of your jobs have that name no webhook."""

    secret: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="The secret that was made just now: it is shown this once.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )

    @classmethod
    def with_secret(cls, webhook: Webhook, secret: str | None) -> Self:
        return cls(**dict(WebhookAnswer.of(webhook)), secret=secret)


class DeliveryAnswer(Answer):
    """One thing that a job's receiver is told; `answer` and `error` are of the last try."""

    id: str = Field(json_schema_extra={"format": "uuid"}, description="What the receiver gets as `webhook-id`.")
    event: Status = Field(description="The status that it tells of.")
    at: Moment = Field(description="When that happened.")
    state: Literal["waiting", "delivered", "failed"]
    tries: int
    last: Moment | None = Field(description="When it was last tried.")
    next: Moment | None = Field(description="When it is tried next; null: not any more.")
    answer: int | None = Field(description="The status code of the receiver's answer; null: there was none.")
    error: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(
            id=str(delivery.id),
            event=delivery.kind,
            at=delivery.at,
            state=delivery.state,  # type: ignore[arg-type]  # the record's states are these
            tries=delivery.tries,
            last=delivery.last,
            next=delivery.next,
            answer=delivery.answer,
            error=delivery.error,
        )


class DeliveriesAnswer(Answer):
    """What a job's receiver was and is to be told, in order."""

    deliveries: list[DeliveryAnswer]
