"""What the demo takes from the environment: the only place here that reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFIX = "THUMBNAILER_"


@dataclass(frozen=True)
class Surroundings:
    """The caller's photos, the settings of ours that are set, and the environment without them."""

    photos: Path | None
    settings: Mapping[str, str]
    others: Mapping[str, str]


def load(environ: Mapping[str, str] = os.environ) -> Surroundings:
    return Surroundings(
        photos=Path(environ["PHOTOS"]) if environ.get("PHOTOS") else None,
        settings={name: value for name, value in environ.items() if name.startswith(PREFIX)},
        others={name: value for name, value in environ.items() if not name.startswith(PREFIX)},
    )
