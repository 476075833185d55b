"""Write docs/openapi.json from the code; a test fails where the file differs from what this gives.

openapi-<release>.json are those of older releases, to which a test holds the newer ones: upgrades add, and never break.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from thumbnailer_api.app import ROUTES
from thumbnailer_api.intake.offer import Offer, Preset
from thumbnailer_api.openapi.document import document

FILE = Path(__file__).parent / "openapi.json"


def made() -> dict[str, Any]:
    """The description of a service as it ships, with keys, the class `gpu` and the preset `avatar`."""
    offer = Offer(classes=("gpu",), presets=(Preset("avatar", "format=webp,size=128x128"),))
    return document(offer, [(method, path, scope) for method, path, _, scope in ROUTES])


def text() -> str:
    """The whole file."""
    return json.dumps(made(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"{FILE.name}: {len(made()['paths'])} paths")
