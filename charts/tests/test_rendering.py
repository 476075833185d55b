"""Every way to run the chart renders to what Kubernetes takes, on Helm 3 and on Helm 4."""

import functools
import json
import subprocess

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
