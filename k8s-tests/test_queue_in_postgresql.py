"""The queue as a table: KEDA's postgresql scaler, from zero and back; and on it jobs that are cancelled and told of."""

import time
from collections.abc import Callable

from pictures import LONG
from receiver import INTO_THE_CLUSTER, Receiver
from release import Release

from thumbnailer import webhooks

VALUES = {"elasticmq": {"enabled": False}, "queue": {"type": "sql"}, "webhooks": INTO_THE_CLUSTER}
CANCEL_SECONDS = 20
"""A hang limit; two seconds are promised."""


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


def test_an_owner_is_called_back_in_the_cluster_of_what_was_done_and_of_what_was_cancelled(
    release: Release, say: Callable[[str], None]
) -> None:
    receiver = Receiver(release)
    secret = release.client.webhook.set(receiver.url).secret
    assert secret
    [done] = release.submit()
    release.client.wait(done, 150)
    running, waiting = release.submit(2, outputs=LONG * 8)
    release.wait("one of them runs", lambda: release.processing([running, waiting]))
    began = time.monotonic()
    assert release.client.cancel_all("pending") + release.client.cancel_all("processing") == 2
    release.wait("its slot is free", lambda: not release.client.queue().jobs["processing"], CANCEL_SECONDS)
    [after] = release.submit()
    release.client.wait(after, 150)
    say(
        f"a job that came after two long ones were cancelled was done {time.monotonic() - began:.1f} s after the cancel"
    )
    told = {done.id: "job.complete", after.id: "job.complete", running.id: "job.cancelled", waiting.id: "job.cancelled"}

    def heard() -> dict[str, str]:
        messages = [webhooks.verify(body, headers, secret) for headers, body in receiver.received()]
        return {message["data"]["id"]: message["type"] for message in messages}

    release.wait("everything is told", lambda: heard() == told)
    assert list(release.client.keys.list()), "the first key may look after keys"
