"""An owner's account: what was used, and what happened."""

from __future__ import annotations

from datetime import date

from flask import Response, g, request

from thumbnailer_api.errors import Invalid, MissingScope
from thumbnailer_api.intake.accounts import EventsAsked, UsageAsked
from thumbnailer_api.intake.queries import options
from thumbnailer_api.routes.shaping import json_answer
from thumbnailer_api.wire.accounts import DayAnswer, EventPageAnswer, OwnersEventAnswer, UsageAnswer
from thumbnailer_api.wiring import Wiring
from thumbnailer_storage.jobs.keys import Scope

DAYS = 30
MOST_DAYS = 366


def usage(wiring: Wiring) -> Response:
    """What the caller used, by day and priority."""
    asked = options(UsageAsked, request.environ["QUERY_STRING"])
    until = asked.until or wiring.stores.upkeep.now().date()
    since = asked.since or date.fromordinal(max(1, until.toordinal() - DAYS + 1))
    if not 0 <= (until - since).days < MOST_DAYS:
        wrong = f"`until` has to be the same day or later, and no more than {MOST_DAYS} days in all"
        raise Invalid(f"The query is not as it should be: since: {wrong}.", [("since", wrong)])
    owner = asked.owner or g.owner
    if owner != g.owner and Scope.ADMIN not in g.scopes:
        raise MissingScope(Scope.ADMIN)
    used = wiring.stores.ledger.usage(owner, since.isoformat(), until.isoformat())
    return json_answer(UsageAnswer(owner=owner, since=since, until=until, days=[DayAnswer.of(day) for day in used]))


def events(wiring: Wiring) -> Response:
    """What happened to everybody's jobs and keys, or to one owner's."""
    asked = options(EventsAsked, request.environ["QUERY_STRING"])
    page = wiring.stores.events.newest(**dict(asked))
    return json_answer(EventPageAnswer(events=[OwnersEventAnswer.of(event) for event in page.events], next=page.next))
