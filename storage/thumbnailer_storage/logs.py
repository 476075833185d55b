"""How every program of ours logs: JSON, one object a line; readable lines on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from pydantic import Field

from thumbnailer_storage.config import Settings


class LogSettings(Settings):
    """How much is logged, and in which shape."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least severe lines shown.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Shape of log lines; `auto` is text on a terminal and JSON elsewhere."
    )


def configure(settings: LogSettings, program: str) -> None:
    """Log to standard error. What is bound with structlog's contextvars (a job's id) is on every line."""
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]

    def say_program(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"program": program, **line}

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        say_program,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    shape: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()] if text else [structlog.processors.JSONRenderer(default=str)]
    )
    structlog.configure(
        processors=[*(shared[:-1] if text else shared), *shape],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
