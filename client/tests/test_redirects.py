"""A service may send its callers to the object store for pictures."""

import pytest

from thumbnailer import Client
from thumbnailer.errors import NotThumbnailer


def test_a_picture_is_fetched_from_the_store_that_has_it_without_the_key(service, another, tmp_path):
    another.scripted = [(200, {"Content-Type": "image/png"}, b"a picture")]
    service.scripted = [(307, {"Location": f"{another.url}/bucket/a?signed"}, b"")]
    with Client(service.url, "thn_secret") as client:
        assert client.download("a", 0, tmp_path / "a.png").read_bytes() == b"a picture"
    ((_, _, asked), (_, path, followed)) = service.requests + another.requests
    assert path == "/bucket/a?signed"
    assert asked["Authorization"] == "Bearer thn_secret"
    assert "Authorization" not in followed


def test_a_login_page_is_no_picture(service, another, tmp_path):
    another.scripted = [(200, {"Content-Type": "text/html"}, b"who are you?")]
    service.scripted = [(302, {"Location": another.url}, b"")]
    with Client(service.url) as client, pytest.raises(NotThumbnailer):
        client.download("a", 0, tmp_path / "a.png")
    service.scripted = [(307, {"Location": f"{service.url}/jobs/a/outputs/0"}, b"")] * 30
    with Client(service.url) as client, pytest.raises(NotThumbnailer):
        client.download("a", 0, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
