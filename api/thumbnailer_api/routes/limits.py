"""What the caller's owner may use, and has used of it."""

from __future__ import annotations

from flask import Response, g

from thumbnailer_api.routes.shaping import json_answer
from thumbnailer_api.wire.limits import LimitsAnswer, UsedAnswer
from thumbnailer_api.wiring import Wiring


def get(wiring: Wiring) -> Response:
    """The limits, and what stands against them; asking counts for nothing."""
    settings, limits = wiring.settings, wiring.stores.limits
    most = settings.owner_requests_per_minute
    requests = most - limits.look(g.owner, most).left if most else None
    spent = limits.spent(g.owner)
    return json_answer(
        LimitsAnswer(
            requests_per_minute=most or None,
            jobs_waiting=settings.owner_jobs_waiting or None,
            bytes_per_day=settings.owner_bytes_per_day or None,
            used=UsedAnswer(requests=requests, jobs_waiting=spent.waiting, bytes=spent.bytes),
        )
    )
