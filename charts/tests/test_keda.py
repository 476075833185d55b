"""What KEDA is given: fields that its CRDs know, targets that nobody else scales, sources that are there."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from missing import leave_out
from rendering import CHART, Object, Rendered, name_of, render

SOURCES = {"aws-sqs-queue", "postgresql", "metrics-api", "kubernetes-workload"}


@pytest.fixture(scope="session")
def crds() -> dict[str, Object]:
    """KEDA's schemas by kind."""
    manifest = os.environ.get("KEDA_MANIFEST", "")
    if not Path(manifest).is_file():
        leave_out("KEDA_MANIFEST names no file: set it to KEDA's release manifest")
    return {
        each["spec"]["names"]["kind"]: closed(each["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
        for each in yaml.load_all(Path(manifest).read_text(), yaml.CSafeLoader)
        if each and each["kind"] == "CustomResourceDefinition"
    }


def closed(schema: Any) -> Any:
    """The schema, in which a field that is not named is refused; the API server would drop it without a word."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if isinstance(inner.get("properties"), dict) and "additionalProperties" not in inner:
        inner["additionalProperties"] = inner.get("x-kubernetes-preserve-unknown-fields", False)
    return inner


def test_kedas_crds_know_every_field(rendered: Rendered, crds: dict[str, Object]) -> None:
    for each in rendered.of("ScaledObject", "TriggerAuthentication"):
        # The API server knows what metadata is, so the CRD does not say it.
        whole = {key: value for key, value in each.items() if key != "metadata"}
        for error in jsonschema.Draft202012Validator(crds[each["kind"]]).iter_errors(whole):
            pytest.fail(f"{name_of(each)}: {error.json_path}: {error.message}")


def test_what_keda_scales_carries_no_replicas_of_its_own(rendered: Rendered) -> None:
    for scaled in rendered.of("ScaledObject"):
        target = scaled["spec"]["scaleTargetRef"]["name"]
        assert "replicas" not in rendered.one("Deployment", target)["spec"], target


def test_what_a_hpa_scales_carries_none_either() -> None:
    rendered = render("reached-from-outside")
    (scaler,) = rendered.of("HorizontalPodAutoscaler")
    assert "replicas" not in rendered.one("Deployment", scaler["spec"]["scaleTargetRef"]["name"])["spec"]


def test_each_pool_has_its_scaled_object_and_its_authentication(rendered: Rendered) -> None:
    pools = {each["metadata"]["name"] for each in rendered.of("Deployment") if "-worker-" in each["metadata"]["name"]}
    assert pools
    if rendered.of("ScaledObject"):
        assert {each["metadata"]["name"] for each in rendered.of("ScaledObject")} == pools
        assert {each["metadata"]["name"] for each in rendered.of("TriggerAuthentication")} == pools


def test_formulas_name_triggers_and_triggers_are_identifiers(rendered: Rendered) -> None:
    for scaled in rendered.of("ScaledObject"):
        modifiers = scaled["spec"]["advanced"]["scalingModifiers"]
        names = [trigger["name"] for trigger in scaled["spec"]["triggers"]]
        assert len(set(names)) == len(names), names
        assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names), names
        used = set(re.findall("[a-z_][a-z0-9_]*", modifiers["formula"])) - {"max", "true", "nil", "let"}
        assert used == set(names), name_of(scaled)
        assert (modifiers["activationTarget"], modifiers["metricType"]) == ("0", "AverageValue")
        assert int(modifiers["target"]) > 0
        assert {trigger["type"] for trigger in scaled["spec"]["triggers"]} <= SOURCES


def test_a_failing_trigger_leaves_the_decision_to_the_formula(rendered: Rendered) -> None:
    """And before that happens, some polls count as inactive: they must not add up to the pause before zero."""
    for scaled in rendered.of("ScaledObject"):
        spec = scaled["spec"]
        assert spec["fallback"]["behavior"] == "scalingModifiers"
        assert spec["cooldownPeriod"] > spec["pollingInterval"] * (spec["fallback"]["failureThreshold"] + 1)


@functools.cache
def triggers(scaled_name: str, *values: str) -> dict[str, Object]:
    scaled = render(*values).one("ScaledObject", scaled_name)
    return {trigger["name"]: trigger for trigger in scaled["spec"]["triggers"]}


def test_queues_are_read_where_the_bundled_elasticmq_is() -> None:
    trigger = triggers("-worker-standard", "default")["depth_express"]
    assert trigger["type"] == "aws-sqs-queue"
    service = render("default").one("Service", "-elasticmq")["metadata"]["name"]
    assert trigger["metadata"]["awsEndpoint"] == f"http://{service}.media.svc:9324"
    assert trigger["metadata"]["queueURL"].startswith(f"http://{service}.media.svc:9324/000000000000/")
    assert trigger["metadata"]["queueURL"].endswith("/thumbnailer-express")


def test_queues_are_read_at_aws_with_the_role_that_is_named() -> None:
    trigger = triggers("-worker-economy", "aws-irsa")["depth_economy"]
    assert trigger["metadata"]["queueURL"] == ("https://sqs.eu-central-1.amazonaws.com/123456789012/production-economy")
    assert trigger["metadata"]["awsRegion"] == "eu-central-1"
    assert "awsEndpoint" not in trigger["metadata"]
    identity = render("aws-irsa").one("TriggerAuthentication", "-economy")["spec"]
    assert identity == {
        "podIdentity": {"provider": "aws", "roleArn": "arn:aws:iam::123456789012:role/thumbnailer-keda"}
    }
    own = render("aws-pod-identity").one("TriggerAuthentication", "-economy")["spec"]
    assert own == {"podIdentity": {"provider": "aws"}}


def test_queues_of_another_sqs_are_read_with_its_keys() -> None:
    trigger = triggers("-worker-economy", "keys-and-endpoints")["depth_economy"]
    assert trigger["metadata"]["awsEndpoint"] == "https://sqs.example.net:9324"
    assert trigger["metadata"]["queueURL"] == "https://sqs.example.net:9324/000000000000/thumbnailer-economy"
    keys = render("keys-and-endpoints").one("TriggerAuthentication", "-economy")["spec"]["secretTargetRef"]
    assert {(key["parameter"], key["name"], key["key"]) for key in keys} == {
        ("awsAccessKeyID", "s3-keys", "id"),
        ("awsSecretAccessKey", "s3-keys", "secret"),
    }


def test_in_flight_messages_count_or_busy_workers_would_be_ended(rendered: Rendered) -> None:
    for scaled in rendered.of("ScaledObject"):
        for trigger in scaled["spec"]["triggers"]:
            if trigger["type"] == "aws-sqs-queue":
                assert trigger["metadata"].get("scaleOnInFlight", "true") == "true"
                assert trigger["metadata"].get("scaleOnDelayed", "false") == "false"


@pytest.mark.parametrize("way", ["sql-queue", "sql-queue-external"])
def test_in_the_database_unfinished_jobs_of_the_pools_queues_count(way: str) -> None:
    trigger = triggers("-worker-standard", way)["depth"]
    query = trigger["metadata"]["query"]
    assert "'express', 'standard'" in query
    assert "'pending', 'processing'" in query
    assert "LIMIT" in query
    (password,) = render(way).one("TriggerAuthentication", "-standard")["spec"]["secretTargetRef"]
    assert password["parameter"] == "password"
    if way == "sql-queue-external":
        said = {key: trigger["metadata"][key] for key in ("host", "port", "userName", "dbName")}
        assert said == {"host": "db.example.net", "port": "6432", "userName": "writer", "dbName": "pictures"}
        assert password["name"] == "db-password"


def test_a_spot_price_is_read_from_the_housekeeper_which_is_told_to_look_it_up() -> None:
    price = triggers("-worker-economy", "price-gate")["price"]
    service = render("price-gate").one("Service", "-housekeeper")["metadata"]["name"]
    assert price["metadata"]["url"] == f"http://{service}.media.svc:8083/scaling"
    assert price["metadata"]["valueLocation"] == r"prices.g4dn\.xlarge"
    (container,) = render("price-gate").one("Deployment", "-housekeeper")["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["THUMBNAILER_SPOT_PRICES"] == "c7g.large,g4dn.xlarge"


def test_any_address_may_say_the_price() -> None:
    metadata = triggers("-worker-at-night", "price-gate")["price"]["metadata"]
    assert metadata["url"] == "https://prices.example.net/now.json"
    assert metadata["valueLocation"] == "areas.0.price"


def test_without_a_gate_nobody_asks_for_a_price() -> None:
    assert "price" not in triggers("-worker-standard", "price-gate")


@pytest.mark.parametrize(
    "why", [{"activation": 1}, {"priceGate": {"below": 1, "openAfter": 60, "source": {"spot": "g4dn.xlarge"}}}]
)
def test_where_the_formula_asks_for_ages_they_are_read_from_the_housekeeper_for_each_queue(why: Object) -> None:
    pools = {"mixed": {"queues": ["express", "large-pictures"]} | why}
    found = render({"workers": {"pools": pools}}).one("ScaledObject", "-worker-mixed")["spec"]["triggers"]
    ages = {trigger["name"]: trigger["metadata"] for trigger in found if trigger["name"].startswith("oldest_")}
    url = triggers("-worker-economy", "price-gate")["price"]["metadata"]["url"]
    assert ages == {
        "oldest_express": {"url": url, "valueLocation": "queues.express.oldest"},
        "oldest_large_pictures": {"url": url, "valueLocation": "queues.large-pictures.oldest"},
    }


def test_pods_are_counted_by_labels_that_the_pools_pods_have_and_no_others(rendered: Rendered) -> None:
    for scaled in rendered.of("ScaledObject"):
        trigger = next(each for each in scaled["spec"]["triggers"] if each["name"] == "pods")
        wanted = dict(pair.split("=") for pair in trigger["metadata"]["podSelector"].split(","))
        found = {owner for owner, pod in rendered.pods().items() if wanted.items() <= pod["metadata"]["labels"].items()}
        assert found == {f"Deployment {scaled['spec']['scaleTargetRef']['name']}"}


def test_no_crd_is_shipped_since_keda_brings_its_own() -> None:
    assert not (CHART / "crds").exists()
