"""What a job's receiver was told, and telling it again."""

from __future__ import annotations

from uuid import UUID

from flask import Response, g

from thumbnailer_api.routes.jobs import act, job_id
from thumbnailer_api.routes.shaping import json_answer
from thumbnailer_api.wire.webhooks import DeliveriesAnswer, DeliveryAnswer
from thumbnailer_api.wiring import Wiring
from thumbnailer_storage.errors import DeliveryNotFound


def of_job(wiring: Wiring, job: str) -> Response:
    """What the job's receiver was and is to be told."""
    found = wiring.stores.jobs.get(job_id(job), g.owner)
    deliveries = wiring.stores.deliveries.of_job(found.id)
    return json_answer(DeliveriesAnswer(deliveries=[DeliveryAnswer.of(delivery) for delivery in deliveries]))


def again(wiring: Wiring, job: str, delivery: str) -> Response:
    """Have one of these tried again, now."""
    found = wiring.stores.jobs.get(job_id(job), g.owner)
    asked = wiring.stores.deliveries.again(delivery_id(delivery), found, act())
    return json_answer(DeliveryAnswer.of(asked), 202)


def delivery_id(text: str) -> UUID:
    """The id in an address; raises DeliveryNotFound where it is none."""
    try:
        return UUID(text)
    except ValueError:
        raise DeliveryNotFound(f"there is no delivery {text[:100]!r}: GET the job's deliveries") from None
