"""An owner's limits as one request meets them, and the headers that tell of them.

The headers are those of draft-ietf-httpapi-ratelimit-headers, in the form that it has since its tenth version.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from thumbnailer_api.auth.settings import LimitSettings
from thumbnailer_api.errors import TooMany
from thumbnailer_storage.jobs.limits import MINUTE, Limits, Rate, Spent

DAY = 86400
LOOK_AGAIN = 5.0
"""Seconds after which jobs that wait may have become fewer: nobody knows when."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit: what it is called in headers, what it allows, what is left, and in how many seconds there is more."""

    name: str
    quota: int
    about: str
    left: int
    seconds: float

    @property
    def policy(self) -> str:
        return f'"{self.name}";q={self.quota}{self.about}'

    @property
    def state(self) -> str:
        return f'"{self.name}";r={max(0, self.left)};t={whole(self.seconds)}'


class Limiter:
    """The limits of one owner, for one job that is sent. Where the settings have none, nothing is asked."""

    def __init__(self, limits: Limits, settings: LimitSettings, owner: str) -> None:
        self._limits = limits
        self._settings = settings
        self._owner = owner
        self._standings: dict[str, Standing] = {}
        self._bytes: Standing | None = None

    def count(self) -> None:
        """Count a request; raises TooMany."""
        if most := self._settings.owner_requests_per_minute:
            self._judge_rate(self._limits.take(self._owner, most), most)

    def before_body(self, at_least: int) -> None:
        """Judge a job whose image has that many bytes `at_least`; raises TooMany."""
        if self._settings.owner_jobs_waiting or self._settings.owner_bytes_per_day:
            self._judge_spent(self._limits.spent(self._owner), at_least)

    def _judge_rate(self, rate: Rate, most: int) -> None:
        standing = self._stands(Standing("requests", most, f";w={MINUTE:.0f}", rate.left, rate.seconds))
        if not rate.allowed:
            wait = whole(rate.seconds)
            raise self._refused(standing, f"{most} jobs may be sent in a minute: send this one again in {wait} s.")

    def _judge_spent(self, spent: Spent, at_least: int) -> None:
        if most := self._settings.owner_jobs_waiting:
            standing = self._stands(Standing("jobs-waiting", most, "", most - spent.waiting, LOOK_AGAIN))
            if standing.left < 1:
                why = f"{spent.waiting} of your jobs wait, and {most} may: send this one once there are fewer."
                raise self._refused(standing, why)
            self._stands(replace(standing, left=standing.left - 1))
        if most := self._settings.owner_bytes_per_day:
            about = f';qu="content-bytes";w={DAY}'
            self._bytes = Standing("bytes-per-day", most, about, most - spent.bytes, spent.day_ends)
            self.after_body(max(1, at_least))

    def after_body(self, size: int) -> None:
        """Judge an image of that many bytes by the bytes that were left when it began to come; raises TooMany."""
        if self._bytes is None:
            return
        if size > self._stands(self._bytes).left:
            left, most = max(0, self._bytes.left), self._bytes.quota
            why = f"{left} of the {most} bytes a day are left: send a smaller image, or this one tomorrow (UTC)."
            raise self._refused(self._bytes, why)
        self._stands(replace(self._bytes, left=self._bytes.left - size))

    def _stands(self, standing: Standing) -> Standing:
        self._standings[standing.name] = standing
        return standing

    def headers(self) -> dict[str, str]:
        """What an answer tells of the limits that were looked at, with this job as one that counts."""
        if not self._standings:
            return {}
        policies, states = (
            ", ".join(getattr(standing, what) for standing in self._standings.values()) for what in ("policy", "state")
        )
        return {"RateLimit-Policy": policies, "RateLimit": states}

    def _refused(self, standing: Standing, why: str) -> TooMany:
        return TooMany(why, {"Retry-After": str(whole(standing.seconds)), **self.headers()})


def whole(seconds: float) -> int:
    """Seconds as HTTP counts them: not a moment too early."""
    return max(1, math.ceil(seconds))
