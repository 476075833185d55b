"""The Python client against the stand-in of the service."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from thumbnailer import (
    Client,
    InvalidOutput,
    InvalidSetting,
    JobFailed,
    NotAllowed,
    NotFound,
    Refused,
    ServiceUnreachable,
    TimedOut,
    Unavailable,
)
from thumbnailer.errors import NotThumbnailer


def busy(**headers):
    return (503, headers, b'{"title": "Busy", "status": 503, "detail": "Try again later."}')


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"expires_in": 0}, {"expires_in": 0}),
        ({"webhook": ""}, {"webhook": {"url": ""}}),
        ({"webhook": False}, {"webhook": False}),
        ({"webhook": None, "expires_in": None, "metadata": {}, "outputs": ()}, {}),
    ],
)
def test_what_was_said_is_sent_also_where_it_is_nothing(service, given, sent):
    """The service says what is wrong with it; left out, it would mean something else."""
    with Client(service.url) as client:
        client.submit(b"an image", filename="a.jpg", **given)
    (options,) = service.submitted
    assert options == sent


def test_a_file_is_sent_with_its_name_and_options(service, client, tmp_path):
    path = tmp_path / "café 1.jpg"
    path.write_bytes(b"\xff\xd8 bytes")

    job = client.submit(
        path, outputs=["format=webp,size=20x30"], priority="express", job_class="gpu", metadata={"album": "1"}
    )

    assert service.bodies[job.id] == b"\xff\xd8 bytes"
    assert service.submitted == [
        {
            "outputs": [{"format": "webp", "size": "20x30"}],
            "priority": "express",
            "class": "gpu",
            "metadata": {"album": "1"},
        }
    ]
    assert (job.status, job.filename, job.priority, job.job_class) == ("pending", "café 1.jpg", "express", "gpu")
    assert job.start == datetime(2026, 11, 24, 7, 7, 0, 123000, tzinfo=UTC)


def test_what_is_not_asked_for_is_not_sent(service, client):
    client.submit(b"an image")
    assert service.submitted == [{}]


def test_bytes_files_and_pipes_are_sent_whole(service, client):
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        jobs = [client.submit(b"bytes"), client.submit(io.BytesIO(b"a file")), client.submit(pipe)]
    assert [service.bodies[job.id] for job in jobs] == [b"bytes", b"a file", b"from a pipe"]


def test_a_large_file_is_streamed(service, client, tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    script = (
        "import resource, sys; from thumbnailer import Client\n"
        "client = Client(sys.argv[1]); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "client.submit(sys.argv[2]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    grown = subprocess.run(
        [sys.executable, "-c", script, service.url, path], check=True, capture_output=True, timeout=60
    ).stdout
    assert int(grown) < 10_000  # KiB


def test_a_complete_job_is_downloaded_whole_or_not_at_all(service, client, tmp_path):
    job = client.wait(client.submit(b"an image"))
    target = tmp_path / "thumbnail.jpg"
    assert client.download(job, 0, target) == target
    whole = target.read_bytes()

    service.scripted = [(200, {"Content-Length": "1000"}, b"half"), (403, {}, b"")]
    with pytest.raises(NotAllowed):
        client.download(job, 0, target)

    assert whole.startswith(b"\xff\xd8")
    assert target.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [target]


def test_waiting_returns_the_complete_job(client):
    job = client.wait(client.submit(b"an image", outputs=["size=20x30", "format=png"]))
    assert job.complete
    assert [(output.width, output.height) for output in job.outputs] == [(20, 30), (100, 100)]
    assert job.working_seconds == 0


def test_waiting_for_a_job_that_fails_raises_its_message(client):
    with pytest.raises(JobFailed, match="cannot be decoded") as failed:
        client.wait(client.submit(b"BROKEN"))
    assert failed.value.job.code == 422


def test_waiting_ends_after_its_time(client):
    with pytest.raises(TimedOut, match="still pending"):
        client.wait(client.submit(b"SLOW"), timeout=0.2)


def test_a_service_that_does_not_hold_its_answer_is_not_flooded(service, client):
    service.holds_answers = False
    with pytest.raises(TimedOut):
        client.wait(client.submit(b"SLOW"), timeout=1.0)
    assert len(service.requests) < 12


def test_many_jobs_come_as_they_finish_at_one_request_each(service, client):
    jobs = [client.submit(image) for image in (b"an image", b"BROKEN", b"an image")]
    assert [job.status for job in client.as_finished(jobs)] == ["complete", "failed", "complete"]
    assert sum(method == "GET" for method, _, _ in service.requests) == 3


def test_a_slow_job_does_not_hold_back_the_others(service, client, monkeypatch):
    monkeypatch.setattr("thumbnailer.waiting.LONGEST_WAIT", 0.3)
    slow, quick = client.submit(b"SLOW"), client.submit(b"an image")
    finished = client.as_finished([slow, quick])
    assert next(finished).id == quick.id
    service.released.set()
    assert next(finished).id == slow.id


def test_all_pages_are_listed_newest_first(service, client):
    sent = [client.submit(b"an image").id for _ in range(5)]
    assert [job.id for job in client.jobs(page=2)] == sent[::-1]
    assert sum(path.startswith("/jobs?") for _, path, _ in service.requests) == 3


def test_events_and_queue_are_read(client):
    job = client.submit(b"an image")
    assert [event.kind for event in client.events(job.id)] == ["accepted"]
    assert client.queue().queues["express"].oldest_seconds == 3.5


def test_the_key_is_sent_with_every_request_and_never_shown(service, tmp_path):
    with Client(service.url, "sesame") as client:
        job = client.wait(client.submit(b"an image"))
        client.download(job, 0, tmp_path / "thumbnail.jpg")
        client.events(job.id)
        client.queue()
        assert len(list(client.jobs())) == 1
    assert len(service.requests) >= 6
    assert {headers.get("Authorization") for _, _, headers in service.requests} == {"Bearer sesame"}
    assert "sesame" not in repr(client) + repr(vars(client))


def test_reading_is_tried_again_after_errors_that_pass(service, client, no_pauses):
    service.scripted = [None, busy(), (502, {}, b"<html>")]
    assert client.queue().jobs == {"pending": 4}
    assert len(service.requests) == 4
    assert len(no_pauses) == 3


def test_a_pause_is_as_long_as_the_service_asks(service, client, no_pauses):
    service.scripted = [busy(**{"Retry-After": "7"}), (429, {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, b"")]
    client.queue()
    assert 7 <= no_pauses[0] < 8
    assert no_pauses[1] < 2


def test_a_pause_that_is_too_long_is_told_to_the_caller(service, client):
    service.scripted = [busy(**{"Retry-After": "3600"})]
    with pytest.raises(Unavailable, match="Try again later") as told:
        client.queue()
    assert told.value.retry_after == 3600


def test_patience_ends(service, client, no_pauses):
    service.scripted = [busy()] * 6
    with pytest.raises(Unavailable):
        client.queue()
    assert len(service.requests) == 6
    assert sum(no_pauses) < 24


def test_a_refusal_tells_what_the_service_said(client):
    with pytest.raises(Refused, match=r"The body is text: send an image\. \(415\)") as refused:
        client.submit(b"TEXT")
    assert (refused.value.type, refused.value.request_id) == ("about:blank#415", "r1")


def test_an_unknown_job_is_not_found(client):
    with pytest.raises(NotFound):
        client.get("00000000-0000-0000-0000-000000000000")


def test_an_id_cannot_lead_to_another_path(service, client):
    with pytest.raises(NotFound):
        client.get("../queue?x=")
    assert service.requests[0][1].startswith("/jobs/")


def test_nobody_listens(no_pauses):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with Client(address) as client, pytest.raises(ServiceUnreachable, match="is it running"):
            client.submit(b"an image")
    assert len(no_pauses) == 2  # it is more likely absent than restarting


def test_a_service_that_has_answered_is_given_time_to_restart(service, client, no_pauses):
    client.queue()
    service.scripted = [None] * 5
    assert client.queue().jobs == {"pending": 4}


@pytest.mark.parametrize("status", [200, 404, 405, 501])
@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b'{"hello": 1}'])
def test_something_else_that_answers_is_called_so(service, client, status, body):
    service.scripted = [(status, {}, body)]
    with pytest.raises(NotThumbnailer, match="is not the thumbnailer"):
        client.queue()


def test_a_redirect_is_not_followed_with_the_key(service):
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, Client(service.url, "sesame") as client:
        elsewhere.settimeout(0.2)
        to = {"Location": f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"}
        service.scripted = [(302, to, b""), (307, to, b"")]
        for call in (client.queue, lambda: client.submit(b"an image")):
            with pytest.raises(NotThumbnailer):
                call()
        with pytest.raises(TimeoutError):
            elsewhere.accept()
    assert len(service.requests) == 2


def test_a_refused_key_is_told_with_the_setting_that_holds_it(service, client):
    body = b'{"title": "A key is needed", "detail": "This service wants a key.", "type": "/problems/no-key"}'
    service.scripted = [(401, {"WWW-Authenticate": "Bearer"}, body)]
    with pytest.raises(NotAllowed, match=r"wants a key\. \(401\) .*THUMBNAILER_KEY") as refused:
        client.queue()
    assert refused.value.type == "/problems/no-key"


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", "http://host:x"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(InvalidSetting, match="write it like http"):
        Client(url)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("webp", "has no '='"),
        ("sise=1x1", "did you mean size"),
        ("quality=high", "no whole number"),
        ("enlarge=perhaps", "neither true nor false"),
    ],
)
def test_a_misspelt_output_is_refused_before_anything_is_sent(service, client, text, message):
    with pytest.raises(InvalidOutput, match=message):
        client.submit(b"an image", outputs=[text])
    assert service.requests == []


def test_an_output_is_spelled_as_in_the_query(service, client):
    client.submit(b"an image", outputs=["size=20x30,fit=pad,quality=80,background=#00ff00,enlarge=false"])
    asked = {"size": "20x30", "fit": "pad", "quality": 80, "background": "#00ff00", "enlarge": False}
    assert service.submitted[0]["outputs"] == [asked]


def test_presets_crops_and_lossless_pictures_are_spelled_so_too(service, client):
    client.submit(b"an image", outputs=["preset=card,size=20,30,crop=0.3, 0.7,lossless=true", {"crop": "centre"}])
    first, second = service.submitted[0]["outputs"]
    assert first == {"preset": "card", "size": "20,30", "crop": "0.3,0.7", "lossless": True}
    assert second == {"crop": "centre"}
