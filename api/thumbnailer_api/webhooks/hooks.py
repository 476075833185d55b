"""From what a caller asks for to the webhook that is recorded: judged, completed, its secret encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from thumbnailer_api.errors import Invalid
from thumbnailer_api.intake.webhooks import WebhookAsked
from thumbnailer_api.webhooks.guard import Forbidden, Rules, place_of
from thumbnailer_api.webhooks.secret_keys import NoSecretKeys, SecretKeys
from thumbnailer_api.webhooks.settings import WebhookSettings
from thumbnailer_api.webhooks.signing import new_secret
from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs.callbacks import Callbacks
from thumbnailer_storage.jobs.model import Webhook


@dataclass(frozen=True, slots=True)
class Hooks:
    """The webhooks of all owners, as callers set them."""

    callbacks: Callbacks
    rules: Rules
    keys: SecretKeys

    @classmethod
    def of(cls, settings: WebhookSettings, storage: StorageSettings, callbacks: Callbacks) -> Self:
        return cls(callbacks, settings.webhook_rules, SecretKeys(settings.secret_keys, storage))

    def for_job(self, owner: str, asked: WebhookAsked) -> Webhook:
        """What a job asks for; without a secret it is signed with that of the owner's default. Raises Invalid."""
        default = None if asked.secret else self.callbacks.default(owner)
        return self._webhook(asked, default.secret if default else None, "webhook.")

    def default(self, owner: str) -> Webhook | None:
        return self.callbacks.default(owner)

    def set_default(self, owner: str, asked: WebhookAsked) -> tuple[Webhook, str | None]:
        """Replace the owner's default; returns it, and its secret where one was made. Raises Invalid.

        A secret that there was stays where none is named. None is made for a chat, which would not look at it.
        """
        before = None if asked.secret else self.callbacks.default(owner)
        kept = before.secret if before else None
        made = None if asked.secret or asked.template or kept else new_secret()
        completed = asked.model_copy(update={"secret": asked.secret or made})
        webhook = self._webhook(completed, kept)
        self.callbacks.set_default(owner, webhook)
        return webhook, made

    def _webhook(self, asked: WebhookAsked, kept: str | None, within: str = "") -> Webhook:
        self._judge(asked.url, f"{within}url")
        secret = self._encrypted(asked.secret, f"{within}secret") if asked.secret else kept
        return Webhook(asked.url, asked.kinds, secret, asked.template)

    def _judge(self, url: str, field: str) -> None:
        try:
            place_of(url, self.rules)
        except Forbidden as error:
            raise Invalid(f"We send nothing to that address: {error}.", [(field, str(error))]) from None

    def _encrypted(self, secret: str, field: str) -> str:
        try:
            return self.keys.encrypt(secret)
        except NoSecretKeys as error:
            raise Invalid(f"The webhook cannot have a secret: {error}.", [(field, str(error))]) from None
