"""`make run`: the service in the foreground, until Ctrl-C."""

from __future__ import annotations

import sys
import time

import config
from processes import START, Service, Unusable
from rich.console import Console

DEFAULTS = {
    "THUMBNAILER_DATA": "data",
    "THUMBNAILER_HOST": "127.0.0.1",
    "THUMBNAILER_PORT": "8080",
    "THUMBNAILER_API_HEALTH_PORT": "8081",
    "THUMBNAILER_WORKER_HEALTH_PORT": "8082",
    "THUMBNAILER_HOUSEKEEPER_HEALTH_PORT": "8083",
}

console = Console(highlight=False)


def main() -> None:
    surroundings = config.load()
    settings = {**DEFAULTS, **surroundings.settings}
    with Service(surroundings.others, settings) as service:
        service.find_ports_free()
        service.migrate()
        service.start()
        service.wait_until_ready()
        say_what_is_where(service, settings)
        while True:
            service.check()
            time.sleep(0.5)


def say_what_is_where(service: Service, settings: dict[str, str]) -> None:
    url = f"http://{settings['THUMBNAILER_HOST']}:{settings['THUMBNAILER_PORT']}"
    console.print(
        f"The service is at [bold]{url}[/], its pages at {url}/docs, its data in {settings['THUMBNAILER_DATA']}/.",
        soft_wrap=True,
    )
    for program in START:
        console.print(f"  {program.name}: /healthz, /readyz and /metrics at {service.health_url(program)}")
    key = " -H 'Authorization: Bearer KEY'" if settings.get("THUMBNAILER_AUTH") == "keys" else ""
    console.print(f"Try: [bold]curl{key} -F image=@photo.jpg {url}/jobs[/]   Stop: Ctrl-C", soft_wrap=True)
    if key:
        make = (
            f"THUMBNAILER_DATA={settings['THUMBNAILER_DATA']} .venv/bin/thumbnailer-api keys create NAME --owner OWNER"
        )
        console.print(f"A key: [bold]{make}[/]", soft_wrap=True)


if __name__ == "__main__":
    try:
        main()
    except Unusable as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
