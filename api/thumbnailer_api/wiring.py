"""What the parts of one API process are, wired once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from thumbnailer_api import metrics
from thumbnailer_api.auth import AUTHENTICATORS, Authenticator
from thumbnailer_api.config import ApiSettings
from thumbnailer_api.slots import Slots
from thumbnailer_api.waiting import Waiting
from thumbnailer_storage.opening import Stores


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything that handlers need."""

    settings: ApiSettings
    stores: Stores
    authenticator: Authenticator
    transfers: Slots
    waiting: Waiting

    @classmethod
    def of(cls, settings: ApiSettings, stores: Stores) -> Self:
        """At most half of the threads move bytes and a quarter hold waiting callers: a quarter is always left."""
        return cls(
            settings=settings,
            stores=stores,
            authenticator=AUTHENTICATORS[settings.auth](),
            transfers=Slots(settings.threads // 2, metrics.transfers),
            waiting=Waiting(stores.jobs, Slots(settings.threads // 4, metrics.waiting)),
        )
