"""x"""

from typing import Any


def document(most: int) -> dict[str, Any]:
    return {}
