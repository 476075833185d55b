"""Upgrades of the API add, and never break: whoever was written for an older release goes on working."""

import json
from copy import deepcopy
from pathlib import Path

import make_openapi
import pytest
from breaking import broken

DOCS = Path(__file__).parent.parent / "docs"
OLDER = sorted(DOCS.glob("openapi-*.json"))


@pytest.mark.parametrize("older", OLDER, ids=lambda file: file.stem)
def test_nothing_that_an_older_release_describes_is_gone_or_narrower(older: Path) -> None:
    assert broken(json.loads(older.read_text()), make_openapi.made()) == []


def without(*path):
    def cut(document):
        *way, last = path
        for part in way:
            document = document[part]
        document.remove(last) if isinstance(last, str) and isinstance(document, list) else document.pop(last)

    return cut


def with_(value, *path):
    def put(document):
        *way, last = path
        for part in way:
            document = document[part]
        document[last] = value

    return put


JOBS, JOB = ("paths", "/jobs"), ("paths", "/jobs/{job}")
SCHEMAS = ("components", "schemas")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without(*JOB, "get"), "GET /jobs/{job} is gone"),
        (without("paths", "/queue"), "GET /queue is gone"),
        (without(*JOBS, "get", "parameters", 0), "the parameter ('query', 'status') is gone"),
        (with_(True, *JOBS, "get", "parameters", 0, "required"), "the parameter ('query', 'status') is required"),
        (without(*JOBS, "post", "requestBody", "content", "image/*"), "a body of image/* is gone"),
        (without(*JOBS, "post", "responses", "415"), "the answer 415 is gone"),
        (with_("`/problems/other`", *JOB, "get", "responses", "404", "description"), "/problems/job-not-found is gone"),
        (without(*JOBS, "post", "responses", "202", "headers", "Location"), "the header Location is gone"),
        (without(*SCHEMAS, "Job", "properties", "code"), "the field code is gone"),
        (without(*SCHEMAS, "Job", "required", "finish"), "finish may be left out"),
        (with_("number", *SCHEMAS, "Job", "properties", "code", "type"), "type is number in place of integer"),
        (with_({"anyOf": [{"type": "string"}, {"type": "null"}]}, *SCHEMAS, "Job", "properties", "message"),
         "{'type': 'null'} was not to be expected"),
        (without(*SCHEMAS, "Status", "enum", "expired"), "'expired' is gone"),
        (without(*SCHEMAS, "JobAsked", "properties", "output"), "the field output is gone"),
        (with_(["priority"], *SCHEMAS, "JobAsked", "required"), "priority is required"),
        (with_(50, *SCHEMAS, "OutputAsked", "properties", "quality", "anyOf", 0, "maximum"), "is not taken any more"),
        (without(*SCHEMAS, "Fit", "enum", "pad"), "'pad' is gone"),
    ],
)  # fmt: skip
def test_a_change_that_would_break_callers_is_found(change, says) -> None:
    old = make_openapi.made()
    new = deepcopy(old)
    change(new)
    assert any(says in line for line in broken(old, new)), broken(old, new)


def test_what_is_only_more_breaks_nobody() -> None:
    old = make_openapi.made()
    new = deepcopy(old)
    new["paths"]["/more"] = new["paths"]["/queue"]
    new["components"]["schemas"]["Job"]["properties"]["more"] = {"type": "string"}
    new["components"]["schemas"]["Job"]["required"].append("more")
    new["components"]["schemas"]["Fit"]["enum"].append("more")
    new["components"]["schemas"]["JobAsked"]["properties"]["more"] = {"type": "string"}
    assert broken(old, new) == []
