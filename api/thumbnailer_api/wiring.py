"""What the parts of one API process are, wired once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from thumbnailer_api import metrics
from thumbnailer_api.admission import Admission
from thumbnailer_api.auth import Authenticator
from thumbnailer_api.auth.both import KeysAndTokens
from thumbnailer_api.auth.issuer import IssuerKeys
from thumbnailer_api.auth.keys import Keys
from thumbnailer_api.auth.nobody import Nobody
from thumbnailer_api.auth.tokens import Tokens
from thumbnailer_api.config import ApiSettings
from thumbnailer_api.intake.offer import Offer
from thumbnailer_api.sending import Sender
from thumbnailer_api.waiting import Waiting
from thumbnailer_api.webhooks.hooks import Hooks
from thumbnailer_storage.errors import SettingError
from thumbnailer_storage.opening import Stores

TRANSFERS_BUSY = "As many transfers as this server takes at a time are under way: try again in a moment."
WAITING_BUSY = "As many callers as this server holds at a time wait already: ask again without waiting."


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything that handlers need."""

    settings: ApiSettings
    stores: Stores
    authenticator: Authenticator
    transfers: Admission
    sender: Sender
    waiting: Waiting
    offer: Offer
    hooks: Hooks

    @classmethod
    def of(cls, settings: ApiSettings, stores: Stores) -> Self:
        """At most half of the threads move bytes and a quarter hold waiting callers: a quarter is always left.

        Raises SettingError where callers are to be sent to a store that they cannot reach.
        """
        if settings.downloads == "redirect" and not stores.settings.objects_url.startswith("s3://"):
            raise SettingError(
                f"THUMBNAILER_DOWNLOADS is 'redirect', but {stores.settings.objects_url!r} is no place that callers "
                "reach: say stream, or name an s3:// bucket in THUMBNAILER_OBJECTS"
            )
        return cls(
            settings=settings,
            stores=stores,
            authenticator=authenticator_of(settings, stores),
            transfers=Admission(settings.threads // 2, metrics.transfers, TRANSFERS_BUSY),
            sender=Sender(stores),
            waiting=Waiting(stores.jobs, Admission(settings.threads // 4, metrics.waiting, WAITING_BUSY)),
            offer=Offer(
                settings.max_upload_bytes,
                stores.settings.classes,
                settings.presets,
                settings.max_outputs,
                settings.max_output_pixels,
                settings.keep_seconds,
                settings.keep_seconds_max,
            ),
            hooks=Hooks.of(settings, stores.settings, stores.callbacks),
        )


def authenticator_of(settings: ApiSettings, stores: Stores) -> Authenticator:
    """The one way to tell callers apart that the settings name, or both."""
    if settings.auth == "nobody":
        return Nobody()
    keys = Keys(stores.keys)
    if not settings.oidc_issuer:
        return keys
    return KeysAndTokens(keys, Tokens(settings, IssuerKeys(settings.oidc_issuer, settings.oidc_jwks_url)))
