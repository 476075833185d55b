"""DELETE of one job and of many, and what callers see of what is gone."""

from uuid import uuid4

import pytest

from thumbnailer_storage.jobs.model import Status


def test_a_pending_job_is_cancelled_and_the_same_again_changes_nothing(service) -> None:
    job = service.job()
    cancelled = service.http.delete(f"/jobs/{job}")
    told = cancelled.json()
    assert (cancelled.status_code, told["status"], told["code"]) == (200, "cancelled", 410)
    assert "cancelled" in told["message"]
    assert service.http.delete(f"/jobs/{job}").json() == told
    gone = service.http.get(f"/jobs/{job}/outputs/0")
    assert (gone.status_code, gone.json()["type"]) == (410, "/problems/gone")


def test_the_data_of_a_finished_job_goes_and_its_record_stays(service) -> None:
    for job in (service.completed(), service.failed()):
        removed = service.http.delete(f"/jobs/{job.id}").json()
        assert (removed["status"], removed["code"]) == ("expired", 410)
        assert removed["location"] == f"/jobs/{job.id}"
        assert "location" not in removed["outputs"][0]
        assert service.http.get(f"/jobs/{job.id}/outputs/0").status_code == 410
        assert service.http.get(f"/jobs/{job.id}").json() == removed


def test_an_unknown_job_cannot_be_cancelled(service) -> None:
    answer = service.http.delete(f"/jobs/{uuid4()}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/job-not-found")


def test_the_event_names_the_request_and_where_it_came_from(service) -> None:
    job = service.job()
    service.http.delete(f"/jobs/{job}", headers={"X-Request-Id": "my-request"})
    accepted, cancelled = service.http.get(f"/jobs/{job}/events").json()["events"]
    assert (cancelled["kind"], cancelled["request_id"], cancelled["address"]) == (
        "cancelled",
        "my-request",
        "127.0.0.1",
    )
    assert accepted["request_id"] == service.http.get(f"/jobs/{job}").json()["request_id"]


def test_the_event_names_the_key(guarded) -> None:
    job = guarded.job()
    guarded.http.delete(f"/jobs/{job}")
    assert [event["by"] for event in guarded.http.get(f"/jobs/{job}/events").json()["events"]] == ["laptop", "laptop"]


def test_many_pending_jobs_are_cancelled_at_once(start) -> None:
    own = start()
    held = own.stores.jobs.claim(own.job(), worker="w", lease=30)
    for priority in ("express", "economy", "economy"):
        own.job(data={"job": f'{{"priority": "{priority}"}}'})
    assert own.http.delete("/jobs?status=pending&priority=economy").json() == {"cancelled": 2}
    assert own.http.delete("/jobs?status=pending").json() == {"cancelled": 1}
    assert own.http.delete("/jobs?status=pending").json() == {"cancelled": 0}
    assert own.stores.jobs.get(held.id).status is Status.PROCESSING
    assert own.http.delete("/jobs?status=processing").json() == {"cancelled": 1}


@pytest.mark.parametrize("query", ["", "?status=complete", "?status=pending&status=pending", "?status=pending&x=1"])
def test_what_is_to_be_cancelled_has_to_be_said(service, query) -> None:
    answer = service.http.delete(f"/jobs{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


@pytest.mark.parametrize(("asked", "kept"), [(None, 7 * 86400), (60, 60), (30 * 86400, 30 * 86400)])
def test_a_job_says_for_how_long_it_is_kept(service, asked, kept) -> None:
    wanted = {} if asked is None else {"expires_in": asked}
    job = service.http.get(f"/jobs/{service.completed(asked=wanted).id}").json()
    assert job["expires_in"] == kept
    assert job["expires"] > job["finish"]


@pytest.mark.parametrize("seconds", ["0", "-1", "2592001", "1e400", '"a day"'])
def test_it_cannot_ask_to_be_kept_for_any_time(service, seconds) -> None:
    answer = service.post(data={"job": f'{{"expires_in": {seconds}}}'})
    assert answer.status_code in (400, 422)


def test_the_query_says_it_too(service, small) -> None:
    assert service.http.post("/jobs?expires_in=90", content=small).json()["expires_in"] == 90


def test_usage_is_told_by_day_and_priority(start) -> None:
    own = start()
    own.completed()
    own.job(data={"job": '{"priority": "express"}'})
    answer = own.http.get("/usage").json()
    assert answer["owner"] == "nobody"
    express, standard = answer["days"]
    assert (express["priority"], express["jobs"], express["compute_seconds"]) == ("express", 1, 0)
    assert (standard["priority"], standard["jobs"]) == ("standard", 1)
    assert standard["bytes"] > 0
    day = standard["day"]
    assert own.http.get(f"/usage?since={day}&until={day}").json()["days"] == answer["days"]
    assert own.http.get("/usage?since=2020-01-01&until=2020-01-31").json()["days"] == []


@pytest.mark.parametrize(
    "query",
    ["since=2026-13-01", "since=2026-11-02&until=2026-11-01", "since=1999-01-01", "until=0", "x=1", "owner=%00"],
)
def test_a_span_that_is_none_is_refused(service, query) -> None:
    assert service.http.get(f"/usage?{query}").status_code == 422


def test_the_first_days_of_the_calendar_have_a_span_too(service) -> None:
    assert service.http.get("/usage?until=0001-01-05").json()["since"] == "0001-01-01"


def test_all_events_are_read_by_pages(start) -> None:
    own = start()
    jobs = [own.job() for _ in range(3)]
    page = own.http.get("/events?limit=2").json()
    rest = own.http.get("/events", params={"cursor": page["next"]}).json()
    assert [event["job"] for event in page["events"] + rest["events"]] == [str(job) for job in reversed(jobs)]
    assert rest["next"] is None
    assert own.http.get("/events?cursor=nonsense").status_code == 422
