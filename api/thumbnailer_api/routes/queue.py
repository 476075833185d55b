"""The state of the queues, from lightweight queries."""

from __future__ import annotations

from flask import Response, g

from thumbnailer_api.routes.shaping import json_answer
from thumbnailer_api.wire.queue import DepthAnswer, QueueAnswer
from thumbnailer_api.wiring import Wiring


def get(wiring: Wiring) -> Response:
    """The caller's jobs by status, and how much stands in each queue."""
    stores = wiring.stores
    queues = {
        queue: DepthAnswer.of(stores.queue.depth(queue), stores.jobs.oldest_seconds(queue))
        for queue in stores.settings.queues
    }
    return json_answer(QueueAnswer(jobs=stores.ledger.counts(g.owner), queues=queues))
