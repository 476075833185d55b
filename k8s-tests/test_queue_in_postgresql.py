"""The queue as a table: KEDA's postgresql scaler, from zero and back."""

import time
from collections.abc import Callable

from pictures import LONG
from release import Release

VALUES = {"elasticmq": {"enabled": False}, "queue": {"type": "sql"}}


def test_a_queue_on_postgresql_scales_from_zero_and_back(release: Release, say: Callable[[str], None]) -> None:
    release.wait_until_zero("standard")
    began = time.monotonic()
    first = release.submit()
    release.client.wait(first[0], 150)
    say(f"queue on PostgreSQL: first job from zero workers after {time.monotonic() - began:.1f} s")
    jobs = first + release.submit(9, outputs=LONG)
    release.wait("more workers", lambda: release.replicas("standard") == 3)
    release.assert_whole(jobs, 300)
    release.wait_until_zero("standard")
