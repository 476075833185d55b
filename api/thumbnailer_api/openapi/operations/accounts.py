"""What an owner used, and what happened to all that is theirs."""

from __future__ import annotations

from thumbnailer_api.intake.accounts import EventsAsked, UsageAsked
from thumbnailer_api.openapi.pieces import Json, ok, operation, options_of, ref


def get_usage() -> Json:
    return operation(
        "What you used",
        "Jobs accepted, bytes of their images and seconds of workers, by day (UTC) and priority. A day on which "
        "nothing was used is left out.",
        ok(200, "The days.", ref("Usage")),
        problems=("invalid-request",),
        parameters=options_of(UsageAsked),
        curl=("curl $URL/usage",),
        id="getUsage",
    )


def get_events() -> Json:
    return operation(
        "What happened to everybody's jobs and keys",
        "For administrators: who did what, from where and in which request, newest first.",
        ok(200, "A page of events.", ref("EventPage")),
        problems=("invalid-request",),
        parameters=options_of(EventsAsked),
        curl=('curl "$URL/events?limit=10"',),
        id="listAllEvents",
    )
