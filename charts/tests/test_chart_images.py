"""Every image can come from anywhere, by tag or by digest."""

import pytest
import yaml
from rendering import CHART, CI, Rendered, render

SHIPPED = yaml.safe_load((CHART / "values.yaml").read_text())["images"]
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
EVERYWHERE = {
    "global": {"imageRegistry": "registry.example.net:5000/mirror", "imagePullSecrets": ["login"]},
    "images": {name: {"digest": f"sha256:{n:064d}"} for n, name in enumerate(SHIPPED)},
}


def images(rendered: Rendered) -> set[str]:
    return {container["image"] for _, container in rendered.containers()}


def test_our_images_have_the_version_that_the_chart_is_for_and_others_one_of_their_own() -> None:
    found = images(render("default"))
    assert {image.rpartition(":")[2] for image in found if "thumbnailer-" in image} == {str(VERSION)}
    assert len(found) == len(SHIPPED)
    assert not [image for image in found if image.endswith(":latest") or ":" not in image]


def test_our_own_registry_is_before_our_three_images_alone() -> None:
    found = images(render({"registry": "ghcr.io/you"}))
    ours = {f"ghcr.io/you/thumbnailer-{name}:{VERSION}" for name in ("api", "worker", "minio")}
    assert ours <= found
    assert not {image for image in found - ours if image.startswith("ghcr.io/you")}


@pytest.mark.parametrize("way", CI)
def test_a_global_registry_and_digests_reach_every_image_also_of_init_containers_and_tests(way: str) -> None:
    rendered = render(way, EVERYWHERE)
    allowed = {
        f"registry.example.net:5000/mirror/{image['repository']}@{EVERYWHERE['images'][name]['digest']}"
        for name, image in SHIPPED.items()
    }
    assert images(rendered) <= allowed
    for owner, pod in rendered.pods().items():
        assert {"name": "login"} in pod["spec"]["imagePullSecrets"], owner


def test_a_tag_of_ones_own_reaches_every_container_of_the_image() -> None:
    rendered = render({"images": {"api": {"tag": "dev", "registry": "localhost:5001", "pullPolicy": "Always"}}})
    ours = [container for _, container in rendered.containers() if "thumbnailer-api" in container["image"]]
    assert len(ours) > 3
    assert {(each["image"], each["imagePullPolicy"]) for each in ours} == {
        ("localhost:5001/thumbnailer-api:dev", "Always")
    }


def test_every_container_says_when_it_is_pulled(rendered: Rendered) -> None:
    for about, container in rendered.containers():
        assert container["imagePullPolicy"] in {"IfNotPresent", "Always", "Never"}, about


def test_a_number_as_tag_is_no_scientific_one() -> None:
    found = images(render({"images": {"api": {"tag": "20261124"}}}))
    assert "thumbnailer-api:20261124" in {image.rpartition("/")[2] for image in found}
