"""Room in queues of limited size. `THUMBNAILER_QUEUE_LIMIT` is for a queue that keeps all of its messages in memory."""

from __future__ import annotations

from thumbnailer_storage.opening import Stores

SHARES = 10
"""A look grants a tenth of the limit, so that of senders who look at once each oversteps it by no more than that."""


def room(stores: Stores, queue: str, *, most: int, again: bool = False) -> int:
    """How many messages may be sent to the queue now, `most` at most.

    The last tenth is for messages that are sent `again`: those of a long backlog would leave them none.
    """
    limit = stores.settings.queue_limit
    if not limit:
        return most
    depth = stores.queue.depth(queue)
    usable = limit if again else limit - limit // SHARES
    free = usable - depth.waiting - depth.in_flight - depth.delayed
    return max(0, min(free, max(1, limit // SHARES), most))
