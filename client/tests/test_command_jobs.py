"""`thumbnailer status`, `list`, `download`, `events` and `queue` against the stand-in of the service."""

from __future__ import annotations

import json
import subprocess

import pytest

NOBODY = "00000000-0000-0000-0000-000000000000"


def test_status_knows_jobs_and_tells_of_unknown_ones(thumbnailer, service):
    good, bad = (service.accept("a\tb.jpg", image, {})["id"] for image in (b"an image", b"BROKEN"))
    code, out, err = thumbnailer("status", good, NOBODY)
    assert code == 4
    start = service.jobs[good]["start"]
    assert out == f"{good}\tcomplete\tstandard\t{start}\ta\\tb.jpg\tThe pictures are there.\n"
    assert err.startswith(f"thumbnailer: {NOBODY}: There is no such job")
    assert thumbnailer("status", good)[0] == 0
    assert thumbnailer("status", bad)[0] == 1


def test_status_can_wait(start, service):
    job = service.accept("slow.jpg", b"SLOW", {})
    process = start("status", "--wait", job["id"])
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    service.released.set()
    assert process.communicate(timeout=10)[0] == f"{job['id']}\tcomplete\tslow.jpg\n"


def test_status_as_json_is_what_the_service_said(thumbnailer, service):
    job = service.accept("a.jpg", b"an image", {"metadata": {"album": "1"}})
    _, out, _ = thumbnailer("status", "--json", job["id"])
    assert json.loads(out)["job"] == service.jobs[job["id"]]


def test_status_as_json_has_a_line_for_an_unknown_job(thumbnailer, service):
    job = service.accept("a.jpg", b"an image", {})
    code, out, _ = thumbnailer("status", "--json", NOBODY, job["id"])
    unknown, known = map(json.loads, out.splitlines())
    assert code == 4
    assert (unknown["name"], unknown["job"], unknown["error"]["status"]) == (NOBODY, None, 404)
    assert (known["name"], known["error"]) == (job["id"], None)


def test_list_is_bounded_unless_all_are_asked_for(thumbnailer, service):
    ids = [service.accept("a.jpg", b"an image", {})["id"] for _ in range(30)]
    newest_first = ids[::-1]
    assert [line.split("\t")[0] for line in thumbnailer("list")[1].splitlines()] == newest_first[:20]
    assert [line.split("\t")[0] for line in thumbnailer("list", "--limit", "3")[1].splitlines()] == newest_first[:3]
    assert len(thumbnailer("list", "--all", "--json")[1].splitlines()) == 30


def test_list_passes_filters_on(thumbnailer, service):
    thumbnailer("list", "--status", "failed", "--priority", "express", "--since", "2026-11-24T07:00:00+01:00")
    (_, path, _), *_ = service.requests
    assert "status=failed" in path
    assert "priority=express" in path
    assert "since=2026-11-24T06%3A00%3A00" in path


def test_download_writes_all_outputs_under_the_name_that_was_sent(thumbnailer, service):
    job = service.accept("../../et\x1bc/passwd.png", b"an image", {"outputs": [{"size": "1x2"}, {"format": "png"}]})
    code, out, _ = thumbnailer("download", job["id"], "--to", "made")
    assert code == 0
    assert out.rstrip().split("\t")[3:] == ["made/passwd-1x2.jpg", "made/passwd-100x100.png"]


def test_download_of_an_unfinished_job_says_so(thumbnailer, service):
    job = service.accept("slow.jpg", b"SLOW", {})
    code, _, err = thumbnailer("download", job["id"])
    assert code == 5
    assert "is still pending" in err


def test_events_are_told_in_order(thumbnailer, service):
    job = service.accept("a.jpg", b"an image", {})
    _, out, _ = thumbnailer("events", job["id"])
    assert out == "2026-11-24T07:07:00.123Z\taccepted\t0\t1\tThe job was\\taccepted.\n"


def test_queue_tells_depth_and_age(thumbnailer):
    assert thumbnailer("queue")[1] == "jobs\tpending\t4\nqueue\texpress\t1\t2\t0\t3.5\n"
    assert json.loads(thumbnailer("queue", "--json")[1])["jobs"] == {"pending": 4}
