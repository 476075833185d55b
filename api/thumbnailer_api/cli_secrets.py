"""The command `thumbnailer-api secrets`. It needs the database and THUMBNAILER_SECRET_KEYS."""

from __future__ import annotations

import click

from thumbnailer_api.config import from_environment, of_every_program
from thumbnailer_api.webhooks.secret_keys import NoSecretKeys, SecretKeys
from thumbnailer_api.webhooks.settings import WebhookSettings
from thumbnailer_storage import logs
from thumbnailer_storage.errors import SettingError
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.callbacks import Callbacks
from thumbnailer_storage.opening import open_database


@click.group()
def secrets() -> None:
    """Keep the secrets of webhooks, which are encrypted with THUMBNAILER_SECRET_KEYS."""


@secrets.command()
def renew() -> None:
    """Encrypt all of them anew, with the first of the keys.

    After that the others may go from THUMBNAILER_SECRET_KEYS. API and housekeeper may run meanwhile, once they have the
    new key too.

    Example: THUMBNAILER_SECRET_KEYS=new,old thumbnailer-api secrets renew
    """
    storage, logging = of_every_program()
    logs.configure(logging, "secrets")
    keys = SecretKeys(from_environment(WebhookSettings).secret_keys, storage)
    database = open_database(storage)
    try:
        schema.check(database)
        renewed = Callbacks(database).renew(keys.renew)
    except NoSecretKeys as error:
        raise SettingError(str(error)) from error
    finally:
        database.close()
    click.echo(f"Secrets encrypted with the first key: {renewed.done}.")
    if renewed.lost:
        raise SettingError(
            f"none of THUMBNAILER_SECRET_KEYS decrypts {renewed.lost} other secrets: they are as they were. Add the "
            "key that encrypted them and say this again; the webhooks that have them cannot be sent without it"
        )
