"""What goes through the steps of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from thumbnailer.models import Job


@dataclass(eq=False)
class Item:
    """A file to submit, or a job by its id; the steps fill in the rest.

    `name` is what the user wrote, `stem` begins the names of its thumbnails.
    """

    name: str
    image: Path | IO[bytes] | None = None
    stem: str | None = None
    begun: bool = False
    ended: bool = False
    job: Job | None = None
    saved: list[Path] = field(default_factory=list)
    error: Exception | None = None

    @property
    def file(self) -> str:
        """The file as the user wrote it, or as it was called when its job was submitted."""
        if self.image is None and self.job is not None:
            return self.job.filename or ""
        return self.name

    @property
    def id(self) -> str:
        return self.job.id if self.job else self.name
