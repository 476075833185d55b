"""The document has an example for everything, each of the shape that it stands for."""

import jsonschema
import make_openapi
import pytest

from thumbnailer_api.openapi.examples import calls_of

DOCUMENT = make_openapi.made()
CALLS = {f"{call['operationId']}": call for call in calls_of(DOCUMENT)}


def fits(value: object, schema: dict) -> None:
    shape = {**schema, "components": DOCUMENT["components"]}
    format_checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.validate(value, shape, cls=jsonschema.Draft202012Validator, format_checker=format_checker)


def test_each_operation_has_a_name_of_its_own_and_a_tag_that_is_described() -> None:
    names = [call["operationId"] for call in calls_of(DOCUMENT)]
    assert all(name.isidentifier() for name in names)
    assert len(set(names)) == len(names)
    described = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for call in calls_of(DOCUMENT) for tag in call["tags"]} == described


@pytest.mark.parametrize("name", CALLS)
def test_each_parameter_and_body_has_an_example_of_its_shape(name: str) -> None:
    for parameter in CALLS[name]["parameters"]:
        fits(parameter["example"], parameter["schema"])
    for content in CALLS[name].get("requestBody", {}).get("content", {}).values():
        fits(content["example"], content["schema"])


@pytest.mark.parametrize("name", CALLS)
def test_each_answer_has_an_example_of_its_shape(name: str) -> None:
    for answer in CALLS[name]["responses"].values():
        for content in answer.get("content", {}).values():
            assert content["examples"]
            for example in content["examples"].values():
                fits(example["value"], content["schema"])


def test_each_problem_is_told_with_what_to_do() -> None:
    for call in calls_of(DOCUMENT):
        for answer in call["responses"].values():
            for example in answer.get("content", {}).get("application/problem+json", {}).get("examples", {}).values():
                assert example["value"]["detail"] != f"{example['value']['title']}.", example


def test_each_link_leads_to_an_operation_with_the_parameters_that_it_fills_in() -> None:
    answers = [answer for call in CALLS.values() for answer in call["responses"].values()]
    links = [link for answer in answers for link in answer.get("links", {}).values()]
    assert links
    for link in links:
        assert set(link["parameters"]) <= {one["name"] for one in CALLS[link["operationId"]]["parameters"]}
