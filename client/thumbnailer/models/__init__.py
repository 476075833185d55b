"""The shapes that the service answers with: one file per resource.

Each is read from its JSON with what we know of it. What a newer service adds is ignored here and kept in `wire`; what
an older one does not say is None. Statuses and kinds are strings, so that a newer service's do not break an older
client.
"""

from thumbnailer.models.accounts import Key, Limits, Usage, UsedDay
from thumbnailer.models.events import Event
from thumbnailer.models.jobs import FINAL, Job, Output, Source, Webhook
from thumbnailer.models.queues import Queue, QueueState
from thumbnailer.models.webhooks import Delivery

__all__ = [
    "FINAL",
    "Delivery",
    "Event",
    "Job",
    "Key",
    "Limits",
    "Output",
    "Queue",
    "QueueState",
    "Source",
    "Usage",
    "UsedDay",
    "Webhook",
]
