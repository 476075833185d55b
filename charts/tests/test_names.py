"""Names and labels stay within their limits, and what cannot change does not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import CHART, CI, Object, Refused, Rendered, name_of, render

LONGEST_RELEASE = "r" * 53
LONGEST_POOL = "p" * 16
LIMIT = 63


def labels(part: Any) -> dict[str, str]:
    """All labels that an object writes or selects."""
    found: dict[str, str] = {}
    if isinstance(part, list):
        for each in part:
            found |= labels(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in {"labels", "matchLabels", "nodeSelector"}:
                found |= value
            else:
                found |= labels(value)
    return found


@pytest.mark.parametrize("release", [LONGEST_RELEASE, "a-release.with-a.dot"])
@pytest.mark.parametrize("way", CI)
def test_every_name_and_label_fits_whatever_the_release_is_called(way: str, release: str) -> None:
    rendered = render(way, {"workers": {"pools": {LONGEST_POOL: {"queues": ["standard"]}}}}, release=release)
    for each in rendered.objects:
        name = each["metadata"]["name"]
        assert len(name) <= LIMIT, name
        assert not name.endswith("-"), name
        assert all(len(value) <= LIMIT for value in labels(each).values()), name
        if each["kind"] == "Service":
            assert "." not in name, f"{name} is no DNS label"
        if each["kind"] == "ScaledObject":
            assert len(f"keda-hpa-{name}") <= LIMIT, name
        if each["kind"] == "StatefulSet":
            # Pods carry it as a label, with a hash of ten.
            assert len(f"{name}-{'0' * 10}") <= LIMIT, name


def test_a_pool_whose_name_is_longer_is_refused() -> None:
    with pytest.raises(Refused, match=LONGEST_POOL):
        render({"workers": {"pools": {LONGEST_POOL + "p": {"queues": ["standard"]}}}})


def test_two_releases_in_one_namespace_share_nothing(rendered: Rendered, request: pytest.FixtureRequest) -> None:
    way = request.node.callspec.params["rendered"]
    if way == "everything-said":
        pytest.skip("fullnameOverride is meant to say the whole name")
    other = render(way, release="other")
    assert not {name_of(each) for each in rendered.objects} & {name_of(each) for each in other.objects}
    for mine in rendered.of("Deployment", "StatefulSet"):
        for theirs in other.pods().values():
            assert not mine["spec"]["selector"]["matchLabels"].items() <= theirs["metadata"]["labels"].items()


def test_a_release_named_like_the_chart_does_not_say_it_twice() -> None:
    assert render("default", release="thumbnailer").one("Deployment", "thumbnailer")
    assert render("default", release="my-thumbnailer").one("Deployment", "my-thumbnailer")


@pytest.fixture(scope="module")
def next_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same chart with other versions."""
    chart = tmp_path_factory.mktemp("next") / "thumbnailer"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    about |= {"version": "9.8.7+build.5", "appVersion": "9.8.7-rc.1"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    return chart


FIXED = ("selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy")


@pytest.mark.parametrize("way", CI)
def test_what_cannot_be_changed_later_does_not_change_between_versions(way: str, next_release: Path) -> None:
    def fixed(rendered: Rendered) -> dict[str, Object]:
        return {
            name_of(each): {key: value for key, value in each["spec"].items() if key in FIXED}
            for each in rendered.of("Deployment", "StatefulSet")
        }

    present, later = render(way), render(way, chart=next_release)
    assert fixed(present) == fixed(later)
    assert {name_of(each) for each in present.objects} == {name_of(each) for each in later.objects}


def test_a_new_version_of_the_chart_alone_restarts_no_pod(tmp_path: Path) -> None:
    chart = tmp_path / "thumbnailer"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": "9.8.7"}))
    staying = ("Deployment", "StatefulSet")
    for before, after in zip(render("default").of(*staying), render("default", chart=chart).of(*staying), strict=True):
        assert before["spec"]["template"] == after["spec"]["template"], name_of(before)


def test_selectors_find_the_pods_that_they_are_for(rendered: Rendered) -> None:
    pods = rendered.pods()
    for each in rendered.of("Deployment", "StatefulSet"):
        wanted = each["spec"]["selector"]["matchLabels"].items()
        found = {owner for owner, pod in pods.items() if wanted <= pod["metadata"]["labels"].items()}
        assert found == {name_of(each)}
    for each in rendered.of("Service"):
        wanted = each["spec"]["selector"].items()
        found = [pod for pod in pods.values() if wanted <= pod["metadata"]["labels"].items()]
        assert len(found) == 1, name_of(each)
        ports = {port["name"] for container in found[0]["spec"]["containers"] for port in container["ports"]}
        targets = {port["targetPort"] for port in each["spec"]["ports"]}
        assert all(isinstance(target, int) or target in ports for target in targets), name_of(each)


COMMON = {"name", "instance", "component", "managed-by", "part-of"}


def test_every_object_carries_the_common_labels(rendered: Rendered) -> None:
    for each in rendered.objects:
        wanted = {f"app.kubernetes.io/{name}" for name in COMMON} | {"helm.sh/chart"}
        missing = wanted - each["metadata"].get("labels", {}).keys()
        assert missing <= {"app.kubernetes.io/component"}, f"{name_of(each)}: {missing}"


def test_what_users_add_to_all_objects_is_on_all_and_their_pods_and_in_no_selector() -> None:
    rendered = render("everything-said")
    for each in rendered.objects:
        assert each["metadata"]["labels"]["team"] == "pictures", name_of(each)
        assert each["metadata"]["annotations"]["example.net/owner"] == "pictures", name_of(each)
    for each in rendered.of("Deployment", "StatefulSet"):
        assert "team" not in each["spec"]["selector"]["matchLabels"]


def test_what_users_add_to_one_program_is_in_its_pods() -> None:
    rendered = render("everything-said")
    for program, name in {"api": "offices", "housekeeper": "-housekeeper", "workers": "-worker-standard"}.items():
        found = [owner for owner, pod in rendered.pods().items() if part(pod) == program]
        assert len(found) == 1, name
        pod = rendered.pods()[found[0]]
        assert pod["metadata"]["annotations"]["example.net/part"] == program
        assert pod["spec"]["nodeSelector"]["kubernetes.io/arch"] == "amd64"
        assert pod["spec"]["tolerations"]


def part(pod: Object) -> str | None:
    return pod["metadata"]["labels"].get("example.net/part")


def test_labels_of_users_cannot_take_the_place_of_ours() -> None:
    ours = {"app.kubernetes.io/component": "theirs", "thumbnailer/pool": "theirs", "app.kubernetes.io/name": "theirs"}
    values = {
        "commonLabels": ours,
        "api": {"podLabels": ours},
        "housekeeper": {"podLabels": ours},
        "workers": {"defaults": {"podLabels": ours}},
    }
    try:
        rendered = render(values)
    except Refused:
        return  # which is as good
    for each in rendered.of("Deployment", "StatefulSet"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert each["spec"]["selector"]["matchLabels"].items() <= labels.items(), name_of(each)
