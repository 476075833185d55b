"""`client.webhook`: whom the service calls back about jobs that name nobody themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thumbnailer.errors import NotFound
from thumbnailer.models import Webhook
from thumbnailer.retrying import surely_not_accepted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thumbnailer.connection import Connection

PATH = "/webhook"


class DefaultWebhook:
    """The owner's default: one webhook for all jobs that have none of their own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> Webhook | None:
        """None where there is none."""
        try:
            return self._connection.ask("GET", PATH, Webhook.from_wire)
        except NotFound:
            return None

    def set(self, webhook: str | Mapping[str, Any]) -> Webhook:
        """Put this one in the place of what there was: its address, or what `Client.submit` takes too.

        A secret that the service makes is shown in this answer alone. So it is not asked again where the answer is
        lost (AnswerLost): remove the webhook then, and set it anew.
        """
        asked = webhook_as_json(webhook)
        return self._connection.ask("PUT", PATH, Webhook.from_wire, again=surely_not_accepted, json=asked)

    def remove(self) -> None:
        """Call nobody back from now on; jobs that were sent already keep theirs."""
        self._connection.ask("DELETE", PATH, bool)


def webhook_as_json(webhook: str | Mapping[str, Any]) -> dict[str, Any]:
    """What the service is sent: an address alone stands for a webhook that has nothing else."""
    return {"url": webhook} if isinstance(webhook, str) else dict(webhook)
