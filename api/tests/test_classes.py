"""A job may ask for a kind of machine, of those that the service has."""

import json
from collections.abc import Iterator

import jsonschema
import pytest

from thumbnailer_api.housekeeping.observe import Looks, Observe, messages
from thumbnailer_api.housekeeping.scaling import Scaling
from thumbnailer_storage.jobs.model import Job, Source


@pytest.fixture
def service(start) -> Iterator:
    return start(classes=("gpu", "big-memory"))


def test_a_job_with_a_class_waits_in_its_queue_whatever_its_priority(service, small) -> None:
    form = service.post(data={"job": json.dumps({"class": "gpu", "priority": "express"})})
    bare = service.http.post("/jobs?class=gpu&priority=economy", content=small)
    assert (form.status_code, bare.status_code) == (202, 202)
    assert (form.json()["class"], form.json()["priority"]) == ("gpu", "express")
    queues = service.http.get("/queue").json()["queues"]
    assert {name: depth["waiting"] for name, depth in queues.items()} == {
        "express": 0, "standard": 0, "economy": 0, "gpu": 2, "big-memory": 0,
    }  # fmt: skip
    assert queues["gpu"]["oldest_seconds"] is not None


@pytest.mark.parametrize("name", ["GPU", "express", "", "gpu "])
def test_a_class_that_is_not_configured_is_refused_with_those_that_are(service, small, name) -> None:
    for answer in (
        service.post(data={"job": json.dumps({"class": name})}),
        service.http.post("/jobs", params={"class": name}, content=small),
    ):
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
        says = f"class: {name!r} is not configured: name one of gpu, big-memory, or leave it out"
        assert says in answer.json()["detail"]
    assert service.uploads() == []


def test_the_description_lists_the_classes(service) -> None:
    document = service.http.get("/openapi.json").json()
    parameters = {each["name"]: each for each in document["paths"]["/jobs"]["post"]["parameters"]}
    assert parameters["class"]["schema"] == {"type": "string", "enum": ["gpu", "big-memory"]}
    shape = {"$ref": "#/components/schemas/JobAsked", "components": document["components"]}
    judge = jsonschema.Draft202012Validator(shape).is_valid
    assert [judge({"class": name}) for name in ("gpu", None, "tpu")] == [True, True, False]


def test_the_housekeeper_measures_the_queues_of_classes_also_one_that_is_not_configured_any_more(service) -> None:
    service.stores.jobs.add(Job.new(owner="ada", source=Source(bytes=1, sha256="0" * 64), job_class="old"))
    assert Observe(service.stores, Looks(service.stores), Scaling(15))() == 6
    measured = {sample.labels["queue"] for metric in messages.collect() for sample in metric.samples}
    assert {"gpu", "big-memory", "old", "express"} <= measured
