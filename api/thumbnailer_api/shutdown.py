"""The order in which an API ends, so that no caller is turned away who was promised an answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from thumbnailer_api.api_program import Api

log = structlog.get_logger()


def shut_down(api: Api) -> None:
    """End the API; takes at most the drain and the grace of its settings, and a little."""
    was_serving = api.state == "serving"
    api.state = "draining"  # /readyz fails from now on: no new callers are sent here
    if was_serving:
        log.info("draining", seconds=api.settings.drain_seconds)
        time.sleep(api.settings.drain_seconds)  # until everybody who sends callers has seen that
        api.wiring.waiting.stop()  # whoever waits for a job is told how it is
        api.server.stop()  # accepts nothing more, and finishes what it has within the grace
        api.wiring.authenticator.stop()  # nobody calls any more
    api.stores.close()
    api.health.stop()
    log.info("stopped")
