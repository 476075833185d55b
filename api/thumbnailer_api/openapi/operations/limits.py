"""Limits."""

from __future__ import annotations

from thumbnailer_api.openapi.pieces import Json, ok, operation, ref


def get_limits() -> Json:
    return operation(
        "Your limits",
        "What may be used by you, and what is used of it. POST /jobs answers 429 where a limit is reached, before "
        "anything of the body is read.",
        ok(200, "The limits.", ref("Limits")),
        id="getLimits",
        problems=(),
        curl=("curl $URL/limits",),
    )
