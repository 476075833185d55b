"""The worker's settings. This file is the only place of the package that reads the environment."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from thumbnailer_storage.config import (
    GRACE_SECONDS,
    HOST,
    LEASE_SECONDS,
    MAX_UPLOAD_BYTES,
    PREFIX,
    QueueNames,
    Settings,
    StorageSettings,
    load,
)
from thumbnailer_storage.logs import LogSettings
from thumbnailer_worker.imaging.limits import Limits

LIMITS = Limits()


class WorkerSettings(Settings):
    """What one worker process takes and how much of the machine it may use."""

    queues: QueueNames = Field(
        ("express", "standard", "economy"),
        min_length=1,
        description="The queues it serves, the most urgent first: those of priorities, and of `THUMBNAILER_CLASSES`.",
    )
    borrows: QueueNames = Field(
        (),
        description="Queues of other pools that it takes from while its own are empty, one message at a time; of "
        "several slots the last free one is kept for its own.",
    )
    concurrency: int | None = Field(
        None, ge=1, description="Jobs at once; by default as many as cores, CPU quota and memory allow."
    )
    lease_seconds: float = LEASE_SECONDS
    grace_seconds: float = GRACE_SECONDS
    missing_seconds: float = Field(
        30.0, ge=0, le=86400, description="How long an upload that cannot be seen is waited for."
    )
    max_upload_bytes: int = MAX_UPLOAD_BYTES
    max_pixels: int = Field(LIMITS.max_pixels, ge=1, description="The most pixels of an image (width times height).")
    max_frames: int = Field(LIMITS.max_frames, ge=1, description="The most frames of an animation.")
    child_memory_mib: int = Field(1024, ge=128, description="Memory that the work on one image may take, in MiB.")
    child_cpu_seconds: float = Field(30.0, gt=0, le=3600, description="CPU time that the work on one image may take.")
    scratch: Path = Field(
        Path(tempfile.gettempdir()), description="Where the worker keeps images while it works on them."
    )
    host: str = HOST
    worker_health_port: int = Field(
        8082,
        ge=0,
        le=65535,
        description="Port of the worker's health and metrics; 0 takes a free one and logs it.",
    )

    @model_validator(mode="after")
    def borrows_are_others(self) -> Self:
        if own := [name for name in self.borrows if name in self.queues]:
            raise ValueError(f"{PREFIX}BORROWS names {', '.join(own)}, which {PREFIX}QUEUES serves: name it in one")
        return self


def from_environment() -> tuple[WorkerSettings, StorageSettings, LogSettings]:
    """All settings of a worker process; raises SettingError for the first one that is wrong."""
    return load(WorkerSettings, os.environ), load(StorageSettings, os.environ), load(LogSettings, os.environ)
