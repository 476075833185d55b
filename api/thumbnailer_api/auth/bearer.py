"""What a caller shows: `Authorization: Bearer ...`."""

from __future__ import annotations

import re

from werkzeug.datastructures import Headers

from thumbnailer_api.errors import NoKey

BEARER = re.compile(r"bearer(?: +(.*))?", re.IGNORECASE)


def shown_in(headers: Headers) -> str:
    """What was sent as a key or a token; raises NoKey."""
    sent = BEARER.fullmatch(headers.get("Authorization", ""))
    if sent is None:
        raise NoKey
    return sent[1] or ""
