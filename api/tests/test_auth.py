"""Every call passes auth/, and nobody sees what is another owner's."""

import pytest
from werkzeug.datastructures import Headers

from thumbnailer_api import app
from thumbnailer_api.auth.nobody import Nobody
from thumbnailer_api.errors import Busy


def test_without_authentication_everybody_is_one_owner() -> None:
    assert Nobody().owner(Headers({"Authorization": "Bearer x"})) == Nobody().owner(Headers())


def test_every_route_but_the_open_ones_asks_who_calls(service, monkeypatch) -> None:
    def refused(*_) -> str:
        raise Busy("The authenticator is asked.")

    monkeypatch.setattr(Nobody, "owner", refused)
    for method, path, _ in app.ROUTES:
        answer = service.http.request(method, path.replace("<job>", "x").replace("<n>", "0"))
        assert answer.json()["detail"] == "The authenticator is asked."
    for method, path, _ in app.OPEN_ROUTES:
        assert service.http.request(method, path.replace("<name>", "busy")).status_code in (200, 302)


@pytest.fixture
def by_header(monkeypatch) -> None:
    monkeypatch.setattr(Nobody, "owner", lambda _, headers: headers.get("Owner", "nobody"))


@pytest.mark.usefixtures("by_header")
def test_a_job_of_another_owner_does_not_exist(service) -> None:
    job, stranger = service.completed(), {"Owner": "somebody else"}
    for path in ("", "/events", "/outputs/0"):
        assert service.http.get(f"/jobs/{job.id}{path}").status_code == 200
        answer = service.http.get(f"/jobs/{job.id}{path}", headers=stranger)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/job-not-found")
    assert service.http.get("/jobs", headers=stranger).json()["jobs"] == []
    assert sum(service.http.get("/queue", headers=stranger).json()["jobs"].values()) == 0
