"""What one service offers, beyond what all do: it judges what callers ask for, and its description lists it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationInfo

from thumbnailer_api.intake.spelling import spelled
from thumbnailer_storage.jobs.model import MAX_OUTPUT_PIXELS, MAX_OUTPUTS


@dataclass(frozen=True, slots=True)
class Preset:
    """An output that the settings give a name to; `spelling` is like `format=webp,size=128x128`."""

    name: str
    spelling: str

    @property
    def fields(self) -> dict[str, str]:
        """What stands for its name, as a caller would have written it."""
        return spelled(self.spelling)


@dataclass(frozen=True, slots=True)
class Offer:
    """The classes and presets that a job may name, and its limits: bytes of the image, outputs, pixels of them all,
    seconds that it is kept for, by default and at most.
    """

    max_upload_bytes: int = 50 << 20
    classes: tuple[str, ...] = ()
    presets: tuple[Preset, ...] = ()
    max_outputs: int = MAX_OUTPUTS
    max_output_pixels: int = MAX_OUTPUT_PIXELS
    keep_seconds: int = 7 * 86400
    keep_seconds_max: int = 30 * 86400


def offer_of(info: ValidationInfo) -> Offer:
    """The offer that whoever validates gives as the context; without one, what all services offer."""
    return info.context if isinstance(info.context, Offer) else Offer()
