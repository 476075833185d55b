"""`thumbnailer cancel` and `remove` against the stand-in of the service."""

from __future__ import annotations

import json

import pytest

from thumbnailer import Client

NOBODY = "00000000-0000-0000-0000-000000000000"


def waiting(service, name="a.jpg"):
    return service.accept(name, b"SLOW", {})["id"]


def complete(service):
    job = service.accept("done.jpg", b"an image", {})
    service.progress(job)
    return job["id"]


def test_named_jobs_are_cancelled_without_a_question(thumbnailer, service):
    ids = [waiting(service) for _ in range(3)]
    code, out, err = thumbnailer("cancel", *ids[:2])
    assert (code, err) == (0, "")
    assert sorted(out.splitlines()) == sorted(f"{job}\tcancelled\ta.jpg" for job in ids[:2])
    assert service.jobs[ids[2]]["status"] == "pending"
    assert thumbnailer("cancel", ids[0])[0] == 0  # again: the same


def test_a_finished_job_keeps_its_pictures_and_is_named(thumbnailer, service):
    done, going = complete(service), waiting(service)
    code, out, err = thumbnailer("cancel", done, going)
    assert code == 4
    assert f"Job {done} is complete already, and stays so; thumbnailer remove" in err
    assert out == f"{going}\tcancelled\ta.jpg\n"
    assert service.jobs[done]["status"] == "complete"


def test_an_unknown_job_is_told_and_the_others_are_cancelled(thumbnailer, service):
    going = waiting(service)
    code, out, _ = thumbnailer("cancel", NOBODY, going, "--json")
    lines = {line["name"]: line for line in map(json.loads, out.splitlines())}
    assert code == 4
    assert lines[NOBODY]["error"]["status"] == 404
    assert lines[going]["job"]["status"] == "cancelled"


def test_many_are_cancelled_by_one_request(thumbnailer, service):
    for _ in range(3):
        waiting(service)
    kept = complete(service)
    arguments = ["cancel", "--all", "--status", "pending", "--priority", "standard", "--since", "2h", "--yes"]
    assert thumbnailer(*arguments) == (0, "3\n", "")
    (request,) = service.requests
    assert request[0] == "DELETE"
    assert "status=pending&priority=standard&since=" in request[1]
    assert service.jobs[kept]["status"] == "complete"
    assert json.loads(thumbnailer("cancel", "--all", "--status", "pending", "--yes", "--json")[1]) == {"cancelled": 0}


def test_more_than_the_service_cancels_at_once_are_cancelled_all_the_same(service, monkeypatch):
    monkeypatch.setattr("thumbnailer.client.MOST_CANCELLED", 3)
    service.most_cancelled = 3
    for _ in range(7):
        waiting(service)
    with Client(service.url) as client:
        assert client.cancel_all("pending") == 7
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name the jobs by their IDs, or all of one status"),
        ([NOBODY, "--all"], "name the jobs by their IDs, or all of one status"),
        (["--all"], "--all wants --status pending or --status processing"),
        ([NOBODY, "--status", "pending"], "go with --all"),
        (["--all", "--status", "complete"], "'complete' is not one of"),
        (["--all", "--status", "pending"], "say --yes"),
    ],
)
def test_what_would_cancel_something_else_than_meant_is_refused(thumbnailer, service, arguments, says):
    code, _, err = thumbnailer("cancel", *arguments)
    assert code == 2
    assert says in err
    assert service.requests == []


def test_pictures_are_removed_only_if_that_was_agreed_to(thumbnailer, service):
    done = complete(service)
    assert thumbnailer("remove", done)[0] == 2
    assert service.jobs[done]["status"] == "complete"
    assert thumbnailer("remove", done, "--yes") == (0, f"{done}\texpired\tdone.jpg\n", "")
