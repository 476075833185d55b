"""Times as the service writes them: RFC 3339, in UTC."""

from __future__ import annotations

from datetime import datetime


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def moment_if_any(text: str | None) -> datetime | None:
    return moment(text) if text else None
