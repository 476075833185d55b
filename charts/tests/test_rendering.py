"""Every way to run the chart renders to what Kubernetes takes, on Helm 3 and on Helm 4."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate.utils
import pytest
from rendering import CHART, CI, Object, Refused, Rendered, name_of, render

NATIVE = {"v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1"}
FOREIGN = {
    "keda.sh/v1alpha1",
    "gateway.networking.k8s.io/v1",
    "monitoring.coreos.com/v1",
}


@pytest.fixture(scope="module", autouse=True)
def schemas_are_read_once() -> None:
    kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)


@pytest.mark.parametrize("way", CI)
def test_helm_finds_nothing_to_complain_about(way: str, helm: str) -> None:
    linted = subprocess.run(
        [helm, "lint", "--strict", CHART, "--values", CI[way]], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 chart(s) failed" in linted.stdout


@pytest.mark.parametrize("way", CI)
def test_helm_3_and_helm_4_render_the_same(way: str, helm4: str) -> None:
    assert without_secrets(render(way)) == without_secrets(render(way, helm=helm4))


def without_secrets(rendered: Rendered) -> dict[str, Object]:
    """What is generated differs each time; that it is there does not."""
    return {
        name_of(each): each | {"stringData": sorted(each.get("stringData", {})), "data": sorted(each.get("data", {}))}
        if each["kind"] == "Secret"
        else each
        for each in rendered.objects
    }


@pytest.mark.parametrize("version", ["1.31", "1.32", "1.33", "1.34"])
def test_kubernetes_knows_every_field(version: str) -> None:
    objects = {json.dumps(each, sort_keys=True): each for way in CI for each in render(way).objects}
    assert {each["apiVersion"] for each in objects.values()} <= NATIVE | FOREIGN
    for each in objects.values():
        if each["apiVersion"] in NATIVE:
            try:
                kubernetes_validate.validate(each, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                pytest.fail(f"{name_of(each)}: {list(error.path)}: {error.message}")


def test_nothing_is_there_twice(rendered: Rendered) -> None:
    names = [(each["apiVersion"], name_of(each)) for each in rendered.objects]
    assert len(names) == len(set(names))


def test_nothing_says_a_namespace_so_that_helms_own_counts(rendered: Rendered) -> None:
    """Else `helm template | kubectl apply -n` would put things into two."""
    said = {name_of(each) for each in rendered.objects if "namespace" in each["metadata"]}
    assert not said


def test_a_cluster_without_keda_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match=r"(?s)KEDA.*autoscaling\.enabled"):
        render("default", options=("--api-versions", "v1/Pod"))


def test_a_cluster_with_keda_is_not() -> None:
    assert render("default", options=("--api-versions", "v1/Pod,keda.sh/v1alpha1/ScaledObject")).of("ScaledObject")


def test_a_cluster_without_keda_is_enough_for_fixed_replicas() -> None:
    rendered = render("without-keda", options=("--api-versions", "v1/Pod"))
    assert not [each for each in rendered.objects if each["apiVersion"].startswith("keda.sh")]
    assert rendered.one("Deployment", "-worker-standard")["spec"]["replicas"] == 3


ODD = ["true", "null", "123", "1e3", "0x1f", "no"]
"""Names that YAML reads as something else where nothing says that they are text."""


@pytest.mark.parametrize("name", ODD)
def test_names_stay_text_whatever_they_look_like(name: str) -> None:
    pool = {"queues": [name], "priorityClassName": name, "runtimeClassName": name}
    store = {"existingSecret": name, "persistence": {"storageClass": name}, "priorityClassName": name}
    aws = {"existingSecret": name, "accessKeyIdKey": name, "secretAccessKeyKey": name, "region": name}
    bundled: Object = {
        "global": {"imagePullSecrets": [name]},
        "api": {"priorityClassName": name, "ingress": {"enabled": True, "className": name, "hosts": ["a"]}},
        "auth": {"firstKey": {"existingSecret": name, "key": name}},
        "webhooks": {"existingSecret": name, "key": name},
        "postgresql": store | {"passwordKey": name},
        "minio": store | {"accessKeyIdKey": name, "secretAccessKeyKey": name},
        "workers": {"pools": {name: pool}},
    }
    external: Object = {
        "postgresql": {"enabled": False},
        "database": {
            "host": "db",
            "existingSecret": name,
            "passwordKey": name,
            "caSecret": name,
            "name": name,
            "user": name,
        },
        "minio": {"enabled": False},
        "objects": aws | {"bucket": "pictures"},
        "elasticmq": {"enabled": False},
        "queue": aws | {"type": "sqs", "account": "123456789012"},
        "autoscaling": {"aws": {"identity": "keys"}},
        "workers": {"pools": {name: pool}},
    }
    for values in (bundled, external):
        rendered = render(values)
        assert (
            rendered.one("Deployment", f"-worker-{name}")["spec"]["selector"]["matchLabels"]["thumbnailer/pool"] == name
        )
        said = list(texts(list(rendered.objects)))
        assert name in said
        assert not [each for each in said if not isinstance(each, str)]


def texts(part: Any, key: str = "") -> Iterator[Any]:
    """Every value that Kubernetes takes as text only, by the name of its field."""
    if isinstance(part, list):
        for each in part:
            yield from texts(each, key)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name == "behavior":
                continue  # whose values are numbers
            yield from texts(value, f"{key}.{name}" if key in TEXT_MAPS else name)
    elif key in TEXT_FIELDS or key.partition(".")[0] in TEXT_MAPS:
        yield part


TEXT_MAPS = {"labels", "matchLabels", "annotations", "metadata", "data", "stringData"}
TEXT_FIELDS = {
    "name", "key", "value", "secretName", "priorityClassName", "runtimeClassName", "storageClassName",
    "ingressClassName", "host", "userName", "dbName", "awsRegion", "queueURL", "podSelector",
}  # fmt: skip


def test_a_release_and_a_secret_entry_named_like_a_truth_stay_text() -> None:
    entries = {"postgresql": {"passwordKey": "1e3"}, "auth": {"firstKey": {"key": "true"}}}
    rendered = render(entries, {"nameOverride": "true"}, release="true")
    assert rendered.one("Secret", "true-postgresql")["data"].keys() == {"1e3"}
    assert rendered.one("Secret", "true-first-key")["data"].keys() == {"true"}
    assert [each for each in rendered.of("Service") if each["metadata"]["name"] == "true"]


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ((), False),
        (("--is-upgrade",), False),
        (("--api-versions", "v1/Pod,keda.sh/v1alpha1/ScaledObject"), False),
        (("--is-upgrade", "--api-versions", "v1/Pod,keda.sh/v1alpha1/ScaledObject"), True),
    ],
)
def test_an_upgrade_that_does_not_find_the_first_key_says_so(
    options: tuple[str, ...], warned: bool, tmp_path: Path
) -> None:
    """Where there is a cluster to look; `helm template` shows no notes, so the chart shows them in an object here."""
    chart = tmp_path / "thumbnailer"
    shutil.copytree(CHART, chart)
    (chart / "templates" / "NOTES.txt").rename(chart / "shown.txt")
    (chart / "templates" / "shown.yaml").write_text(
        'kind: Notes\napiVersion: v1\nmetadata: {name: notes}\ntext: {{ tpl (.Files.Get "shown.txt") . | quote }}\n'
    )
    notes = render("default", chart=chart, options=options).one("Notes", "notes")["text"]
    assert ("THE FIRST KEY WAS GONE" in notes) is warned
    assert ("keys create another" in notes) is warned
