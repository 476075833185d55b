"""Where a page of a list ends, so that the next one begins there, whatever was added to the list meanwhile."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Column, ColumnElement, and_, or_

from thumbnailer_storage.errors import InvalidCursor

NOT_OURS = "the cursor is none of ours: take it from `next` of the page before"


def cursor_after(start: datetime, row: UUID) -> str:
    """A text for callers that names the last row of a page, newest first."""
    return base64.urlsafe_b64encode(json.dumps([start.isoformat(), str(row)]).encode()).decode()


def older_than(cursor: str, start: Column[datetime], row: Column[UUID]) -> ColumnElement[bool]:
    """Those rows of a list by `start` and `row`, newest first, that follow; raises InvalidCursor."""
    try:
        moment, last = json.loads(base64.urlsafe_b64decode(cursor))
        before, beside = datetime.fromisoformat(moment).astimezone(UTC), UUID(last)
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
        raise InvalidCursor(NOT_OURS) from None
    # The first condition is what an index begins at: by the second alone all rows before it would be read.
    return and_(start <= before, or_(start < before, row < beside))


def cursor_at(number: int) -> str:
    return base64.urlsafe_b64encode(str(number).encode()).decode()


def number_in(cursor: str) -> int:
    try:
        number = int(base64.urlsafe_b64decode(cursor).decode("ascii"))
    except (ValueError, binascii.Error):
        raise InvalidCursor(NOT_OURS) from None
    if not 0 <= number < 1 << 63:
        raise InvalidCursor(NOT_OURS)
    return number
