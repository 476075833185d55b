"""skaffold.yaml is what skaffold takes, and each of its profiles renders. Skaffold itself is not run."""

import copy
import json
import re
from collections.abc import Mapping

import jsonschema
import pytest
import yaml
from rendering import CHART, Object, Rendered, render

ROOT = CHART.parent.parent
SCHEMA = ROOT.parent / "shared/schemas/skaffold-v4beta14.json"
CONFIG: Object = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
PROFILES: dict[str, list[Object]] = {each["name"]: each.get("patches", []) for each in CONFIG["profiles"]}
AWS = {"AWS_VALUES": "charts/thumbnailer/ci/aws-pod-identity-values.yaml"}
WAYS: dict[str, tuple[list[str], dict[str, str]]] = {
    "bundled": (["bundled"], {}),
    "aws": (["aws"], AWS),
    "gpu": (["gpu"], {}),
    "gpu on GKE": (["gpu"], {"CLOUD": "gke"}),
    "aws and gpu": (["aws", "gpu"], AWS | {"CLOUD": "karpenter"}),
}
"""Profiles, and the environment they are used with."""
BUILT = {"api": "sha256:" + "a" * 64, "worker": "sha256:" + "b" * 64, "minio": "sha256:" + "c" * 64}


def patched(profiles: list[str]) -> Object:
    """The configuration under these profiles; a path leads to something that is there, as skaffold wants it."""
    config = copy.deepcopy(CONFIG)
    for patch in (patch for profile in profiles for patch in PROFILES[profile]):
        *parents, last = patch["path"].removeprefix("/").split("/")
        place = config
        for parent in parents:
            place = place[int(parent) if isinstance(place, list) else parent]
        match patch["op"], place:
            case "add", list() if last == "-":
                place.append(patch["value"])
            case "remove", _:
                del place[int(last) if isinstance(place, list) else last]
            case other:
                raise AssertionError(other)
    return config


def expanded(template: str, known: Mapping[str, str]) -> str:
    """What skaffold makes of `{{.NAME}}` and `{{default "text" .NAME}}`."""

    def value(found: re.Match[str]) -> str:
        default, name = found.groups()
        return known.get(name, default) if default is not None else known[name]

    return re.sub(r'\{\{(?:default "([^"]*)" )?\.(\w+)\}\}', value, template)


def deployed(way: str) -> Rendered:
    """The chart as skaffold renders it after a build for a registry."""
    profiles, environment = WAYS[way]
    config = patched(profiles)
    (release,) = config["deploy"]["helm"]["releases"]
    known = dict(environment)
    for artifact in config["build"]["artifacts"]:
        name = artifact["image"].replace("-", "_")
        known[f"IMAGE_REPO_{name}"] = f"registry.example.com/me/{artifact['image']}"
        known[f"IMAGE_TAG_{name}"] = "dev-1234567"
        known[f"IMAGE_DIGEST_{name}"] = BUILT[artifact["image"].removeprefix("thumbnailer-")]
    options: list[str] = []
    for file in release["valuesFiles"]:
        options += ["--values", str(ROOT / expanded(file, known))]
    for name, template in release["setValueTemplates"].items():
        options += ["--set", f"{name}={expanded(template, known)}"]
    return render({}, release=release["name"], options=tuple(options))


def test_it_is_valid() -> None:
    if not SCHEMA.exists():  # also in CI: it is not part of the repository
        pytest.skip("skaffold's schema is not beside the repository")
    jsonschema.validate(CONFIG, json.loads(SCHEMA.read_text()))
    for profiles, _ in WAYS.values():
        jsonschema.validate(patched(profiles), json.loads(SCHEMA.read_text()))


def test_the_files_that_it_names_are_there() -> None:
    for artifact in CONFIG["build"]["artifacts"]:
        assert (ROOT / artifact["context"] / artifact["docker"]["dockerfile"]).is_file()
    (release,) = CONFIG["deploy"]["helm"]["releases"]
    assert (ROOT / release["chartPath"] / "Chart.yaml").is_file()
    added = [patch["value"] for patches in PROFILES.values() for patch in patches if patch["op"] == "add"]
    files = release["valuesFiles"] + [
        expanded(file, {"CLOUD": cloud} | AWS) for file in added for cloud in ("eks", "karpenter", "gke", "aks")
    ]
    assert all((ROOT / file).is_file() for file in files)


def test_the_values_that_it_sets_are_known_to_the_chart() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    (release,) = CONFIG["deploy"]["helm"]["releases"]
    for name in release["setValueTemplates"]:
        place = values
        for part in name.split("."):
            assert part in place, name
            place = place[part]


@pytest.mark.parametrize("way", WAYS)
def test_each_profile_deploys_the_images_that_it_built_and_forwards_a_port_that_is_there(way: str) -> None:
    rendered = deployed(way)
    built = {patch["image"].removeprefix("thumbnailer-") for patch in patched(WAYS[way][0])["build"]["artifacts"]}
    ours = {container["image"] for _, container in rendered.containers() if "thumbnailer-" in container["image"]}
    assert ours == {f"registry.example.com/me/thumbnailer-{name}@{BUILT[name]}" for name in built}

    (forward,) = CONFIG["portForward"]
    (service,) = [each for each in rendered.of("Service") if each["metadata"]["name"] == forward["resourceName"]]
    assert forward["port"] in {port["port"] for port in service["spec"]["ports"]}


def test_a_profile_is_what_its_name_says() -> None:
    stores = {each["metadata"]["name"] for each in deployed("bundled").of("StatefulSet")}
    assert stores == {"thumbnailer-postgresql", "thumbnailer-minio", "thumbnailer-elasticmq"}
    assert not deployed("aws").of("StatefulSet")
    assert deployed("gpu").one("Deployment", "-worker-gpu")
    assert deployed("aws and gpu").one("Deployment", "-worker-gpu")
