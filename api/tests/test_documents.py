"""What the service says about itself is what it does, and the files in docs/ say it too."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client import REGISTRY

from thumbnailer_api import app, metrics
from thumbnailer_api.housekeeping import loop, observe, prices
from thumbnailer_api.problems import every_problem
from thumbnailer_storage.jobs.key_format import new_key
from thumbnailer_storage.jobs.keys import NewKey

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def document(service) -> dict:
    return service.http.get("/openapi.json").json()


def openapi_path(path: str) -> str:
    return re.sub(r"<(\w+)>", r"{\1}", path)


def test_the_document_is_valid_openapi(document) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_the_document_has_every_route_and_no_other(document) -> None:
    routes = {(method.lower(), openapi_path(path)) for method, path, *_ in app.ROUTES}
    described = {(method, path) for path, calls in document["paths"].items() for method in calls}
    assert described == routes | {("get", "/openapi.json")}


def test_docs_describe_every_route_and_problem() -> None:
    text = (DOCS / "api.md").read_text()
    for method, path, *_ in (*app.ROUTES, *app.OPEN_ROUTES):
        assert f"`{method} {path}`" in text
    for problem in every_problem().values():
        assert re.search(rf"^\| {problem.status} \|.*`{problem.type}`", text, re.MULTILINE), problem.type


@pytest.mark.parametrize("module", [metrics, loop, observe, prices])
def test_docs_describe_every_metric_and_its_labels(module) -> None:
    text = (DOCS / "metrics.md").read_text()
    ours = [metric for metric in vars(module).values() if hasattr(metric, "_labelnames") and hasattr(metric, "collect")]
    assert ours
    for metric in ours:
        (name,) = {found.name for found in metric.collect()}
        shown = f"{name}_total" if f"{name}_total" in REGISTRY._names_to_collectors else name
        assert f"| `{shown}` | {', '.join(metric._labelnames)}".rstrip() in text


def test_answers_are_of_the_shapes_that_are_described(service, document) -> None:
    complete, failed = service.completed(), service.failed()
    answers = {
        ("/jobs", "post", 202): service.post(),
        ("/jobs", "get", 200): service.http.get("/jobs"),
        ("/jobs/{job}", "get", 200): service.http.get(f"/jobs/{complete.id}"),
        ("/jobs/{job}/events", "get", 200): service.http.get(f"/jobs/{complete.id}/events"),
        ("/queue", "get", 200): service.http.get("/queue"),
        ("/keys", "post", 201): service.http.post("/keys", json={"name": "described", "owner": "ada"}),
        ("/keys", "get", 200): service.http.get("/keys"),
        ("/keys/{key}", "get", 404): service.http.get("/keys/42"),
        ("/jobs/{job}", "get", 404): service.http.get("/jobs/42"),
        ("/jobs", "post", 415): service.post(b"text"),
        ("/jobs", "post", 422): service.http.post("/jobs?output=size=0,0", content=b"x"),
        ("/jobs/{job}/outputs/{n}", "get", 409): service.http.get(f"/jobs/{failed.id}/outputs/0"),
        ("/jobs/{job}/outputs/{n}", "get", 416): service.http.get(
            f"/jobs/{complete.id}/outputs/0", headers={"Range": "bytes=99999-"}
        ),
    }
    for (path, method, status), answer in answers.items():
        assert answer.status_code == status, answer.text
        described = document["paths"][path][method]["responses"][str(status)]
        (kind, content), *_ = described["content"].items()
        assert answer.headers["content-type"] == kind
        shape = {**content["schema"], "components": document["components"]}
        jsonschema.validate(answer.json(), shape, cls=jsonschema.Draft202012Validator)
        assert set(described["headers"]) - set(map(str.title, answer.headers)) <= {
            "ETag", "Accept-Ranges", "Retry-After", "Preference-Applied", "Idempotency-Replayed",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "fits"),
    [({}, True), ({"outputs": {"size": "1x1"}}, True), ({"output": [{"format": "jpg"}]}, True), ({"color": 1}, False),
     ({"outputs": [{"size": "abc"}]}, False), ({"outputs": [{}] * 21}, False), ({"outputs": []}, False),
     ({"outputs": [{}] * 20}, True), ({"priority": "now"}, False)],
)  # fmt: skip
def test_the_described_shape_judges_requests_as_the_service_does(service, document, asked, fits) -> None:
    shape = {"$ref": "#/components/schemas/JobAsked", "components": document["components"]}
    validator = jsonschema.Draft202012Validator(shape)
    assert validator.is_valid(asked) is fits
    assert (service.post(data={"job": json.dumps(asked)}).status_code == 202) is fits


class Page(HTMLParser):
    """Collects what a page refers to, what its parts are called, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.names: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            if name in ("href", "src"):
                self.addresses.append(value)
            if name == "id":
                self.names.append(value)


def test_the_page_loads_nothing_and_leads_nowhere_else(service) -> None:
    answer = service.http.get("/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    page = Page()
    page.feed(answer.text)
    assert not page.tags & {"script", "link", "img", "iframe"}
    for address in page.addresses:
        assert address == "/openapi.json" or address.removeprefix("#") in page.names
    assert len(page.names) == len(set(page.names))
    assert "{{" not in answer.text


def test_every_problem_type_leads_to_its_place_on_the_page(service) -> None:
    page = Page()
    page.feed(service.http.get("/docs").text)
    for problem in every_problem().values():
        answer = service.http.get(problem.type)
        assert (answer.status_code, answer.headers["location"]) == (302, f"/docs#{problem.name}")
        assert problem.name in page.names


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_curl_examples_work_as_they_stand(service, document, small, tmp_path) -> None:
    (tmp_path / "photo.jpg").write_bytes(small)
    job = service.completed(asked={"webhook": "https://example.com/thumbnails"})
    (delivery,) = service.stores.deliveries.of_job(job.id)
    spare = str(service.stores.keys.add(NewKey("spare", "ada"), new_key()).id)
    lines = [line for calls in document["paths"].values() for call in calls.values() for line in call["x-curl"]]
    lines.sort(key=lambda line: "-X DELETE" in line)  # what is deleted has no outputs any more
    lines += re.findall(r"^curl .*$", (DOCS / "api.md").read_text(), re.MULTILINE)
    assert len(lines) > 8
    for line in sorted(lines, key=lambda line: "DELETE" in line):
        command = line.replace("http://127.0.0.1:8080", service.url).replace(
            "curl ", "curl --silent --fail-with-body ", 1
        )
        ids = {"JOB": str(job.id), "KEY": spare, "DELIVERY": str(delivery.id)}
        environment = {"URL": service.url, **ids, "PATH": "/usr/bin:/bin"}
        ran = subprocess.run(
            ["/bin/bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False
        )
        assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
    assert (tmp_path / "thumbnail.jpg").read_bytes() == b"thumbnail"
