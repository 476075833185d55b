"""Every call passes auth/, whatever it is that tells callers apart."""

from werkzeug.datastructures import Headers

from thumbnailer_api import app
from thumbnailer_api.auth.nobody import Nobody
from thumbnailer_api.errors import Busy


def test_without_authentication_everybody_is_one_owner() -> None:
    assert Nobody().caller(Headers({"Authorization": "Bearer x"})) == Nobody().caller(Headers())


def test_every_route_but_the_open_ones_asks_who_calls_before_anything_else(service, monkeypatch) -> None:
    def refused(*_) -> None:
        raise Busy("The authenticator is asked.")

    monkeypatch.setattr(Nobody, "caller", refused)
    for method, path, *_ in app.ROUTES:
        answer = service.http.request(method, path.replace("<job>", "x").replace("<n>", "0") + "?wrong=option")
        assert answer.json()["detail"] == "The authenticator is asked."
    for method, path, _ in app.OPEN_ROUTES:
        assert service.http.request(method, path.replace("<name>", "busy")).status_code in (200, 302)
