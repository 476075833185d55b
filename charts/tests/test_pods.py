"""Every pod: restricted, without a token, with limits, probes, and all that it refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import CHART, Object, Rendered, name_of, render

from thumbnailer_api.config import ApiSettings
from thumbnailer_storage.config import load

ROOT = CHART.parent.parent
PROGRAMS = {"api", "housekeeper", "worker"}


def test_every_pod_is_restricted(rendered: Rendered) -> None:
    """The pod security standard `restricted`, rule by rule; defaults of the pod count for its containers."""
    for owner, pod in rendered.pods().items():
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), owner
        allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"}
        for volume in spec.get("volumes", []):
            assert volume.keys() - {"name"} <= allowed | {"secret"}, f"{owner}: {volume}"
        assert not spec["securityContext"].keys() & {"sysctls", "windowsOptions", "seLinuxOptions"}, owner
        for container in spec.get("initContainers", []) + spec["containers"]:
            context = spec["securityContext"] | container["securityContext"]
            about = f"{owner}, container {container['name']}"
            assert context["runAsNonRoot"] is True, about
            assert context["runAsUser"] > 0, about
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}, about
            assert context["allowPrivilegeEscalation"] is False, about
            assert context["capabilities"] == {"drop": ["ALL"]}, about
            assert not context.get("privileged"), about
            assert "procMount" not in context, about
            assert not [port for port in container.get("ports", []) if "hostPort" in port], about


def test_every_root_is_read_only_and_every_mount_is_a_volume(rendered: Rendered) -> None:
    claims = {
        name_of(each): {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])}
        for each in rendered.of("StatefulSet")
    }
    for owner, pod in rendered.pods().items():
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])} | claims.get(owner, set())
        mounted = set()
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, owner
            mounted |= {mount["name"] for mount in container.get("volumeMounts", [])}
        assert mounted == volumes, owner


def test_no_pod_has_a_token_or_the_variables_of_services(rendered: Rendered) -> None:
    for owner, pod in rendered.pods().items():
        assert pod["spec"]["automountServiceAccountToken"] is False, owner
        assert pod["spec"]["enableServiceLinks"] is False, owner
    for account in rendered.of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False, name_of(account)


def test_every_service_account_is_there_and_programs_do_not_share_one(rendered: Rendered) -> None:
    made = {each["metadata"]["name"] for each in rendered.of("ServiceAccount")}
    used = {
        name_of(each): each["spec"]["template"]["spec"].get("serviceAccountName") for each in rendered.of("Deployment")
    }
    assert set(used.values()) == made
    assert rendered.one("Deployment", "-housekeeper")["spec"]["template"]["spec"]["serviceAccountName"].endswith(
        "-housekeeper"
    )


def test_every_container_says_what_it_needs_and_what_it_may_take(rendered: Rendered) -> None:
    for about, container in rendered.containers():
        resources = container["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys(), about
        assert "memory" in resources["limits"], about


def test_every_container_that_stays_has_probes(rendered: Rendered) -> None:
    for each in rendered.of("Deployment", "StatefulSet"):
        for container in each["spec"]["template"]["spec"]["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name_of(each)
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                port = container[probe].get("httpGet", {}).get("port")
                assert port is None or port in ports, f"{name_of(each)}: {probe}"


def test_an_interrupted_worker_has_time_to_give_its_job_back(rendered: Rendered) -> None:
    for each in rendered.of("Deployment"):
        pod = each["spec"]["template"]["spec"]
        for container in pod["containers"]:
            grace = environment(container).get("THUMBNAILER_GRACE_SECONDS")
            if grace is not None:
                assert float(grace) < pod["terminationGracePeriodSeconds"], name_of(each)


def environment(container: Object) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in container.get("env", [])}


def test_no_variable_is_set_twice(rendered: Rendered) -> None:
    """Kubernetes takes the last and warns; a server-side apply refuses."""
    for about, container in rendered.containers():
        names = [each["name"] for each in container.get("env", [])]
        assert len(set(names)) == len(names), f"{about}: {sorted(names)}"
        assert all(isinstance(each.get("value", ""), str) for each in container.get("env", [])), about


def known_settings() -> dict[str, set[str]]:
    """Which programs read a setting, by docs/settings.md."""
    rows = re.findall(r"^\| `(THUMBNAILER_\w+)` \| ([^|]+) \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    return {name: set(programs.replace("API", "api").split(", ")) for name, programs in rows}


def test_every_setting_is_one_that_some_program_knows(rendered: Rendered) -> None:
    """A program would not start with one that is in no table; settings for all may be another program's."""
    known = known_settings()
    for about, container in rendered.containers():
        ours = {name for name in environment(container) if name.startswith("THUMBNAILER_")}
        assert ours <= known.keys(), f"{about}: {sorted(ours - known.keys())}"


def test_presets_are_one_setting_that_the_api_can_read() -> None:
    apis = [each for about, each in render("everything-said").containers() if about.endswith("container api")]
    (presets,) = [environment(api)["THUMBNAILER_PRESETS"] for api in apis]
    assert presets == "avatar: format=webp,size=128x128,crop=0.5,0.3; card: size=400x300,background=#ffffff"
    assert [preset.name for preset in load(ApiSettings, {"THUMBNAILER_PRESETS": presets}).presets] == ["avatar", "card"]


def test_the_first_key_may_do_everything() -> None:
    (made,) = [each for about, each in render("default").containers() if about.endswith("first-key")]
    assert made["args"][made["args"].index("--scopes") + 1] == "submit,read,cancel,admin"


def test_the_api_alone_is_told_of_the_issuer_and_of_limits_and_can_read_both() -> None:
    told = {about: environment(each) for about, each in render("everything-said").containers()}
    (api,) = [each for about, each in told.items() if about.endswith("container api")]
    names = [name for name in api if name.startswith(("THUMBNAILER_OIDC_", "THUMBNAILER_OWNER_", "THUMBNAILER_AUTH"))]
    settings = load(ApiSettings, {name: api[name] for name in names})
    assert (settings.oidc_issuer, settings.oidc_audience) == (
        "https://login.example.net:8443/realms/pictures",
        "thumbnailer",
    )
    assert (settings.owner_prefix, settings.oidc_scopes) == ("", ("submit", "read"))
    assert (settings.owner_requests_per_minute, settings.owner_bytes_per_day) == (600, 10737418240)
    assert sum("THUMBNAILER_OIDC_ISSUER" in each for each in told.values()) == 1


def test_no_address_holds_a_password(rendered: Rendered) -> None:
    for about, container in rendered.containers():
        for name, value in environment(container).items():
            assert not re.search(r"://[^/@]*:[^/@]*@", value or ""), f"{about}: {name}"
            if re.search("PASSWORD|SECRET|ACCESS_KEY|_KEY$", name):
                assert not value, f"{about}: {name} is not from a Secret"


REFERENCES = {"secretKeyRef", "configMapKeyRef", "secretRef", "configMapRef", "secret", "configMap", "secretTargetRef"}


def references(part: Any) -> Iterator[tuple[str, str, str | None]]:
    """(Secret or ConfigMap, name, entry) wherever something refers to one."""
    if isinstance(part, list):
        for each in part:
            yield from references(each)
    if isinstance(part, dict):
        for key, value in part.items():
            if key in REFERENCES and isinstance(value, dict | list):
                kind = "ConfigMap" if key.startswith("configMap") else "Secret"
                for each in value if isinstance(value, list) else [value]:
                    items = each.get("items", [each])
                    yield from ((kind, each.get("secretName", each.get("name")), item.get("key")) for item in items)
            yield from references(value)


def entries(rendered: Rendered) -> dict[tuple[str, str], set[str]]:
    return {
        (each["kind"], each["metadata"]["name"]): set(each.get("data", {})) | set(each.get("stringData", {}))
        for each in rendered.of("Secret", "ConfigMap")
    }


def named_in_values(values: Any) -> set[str]:
    """Names of Secrets that users gave."""
    if not isinstance(values, dict):
        return set()
    here = {value for key, value in values.items() if key in {"existingSecret", "caSecret"} and value}
    return here.union(*(named_in_values(value) for value in values.values()))


def test_every_secret_and_configmap_is_made_here_or_named_in_the_values(
    rendered: Rendered, request: pytest.FixtureRequest
) -> None:
    way = request.node.callspec.params["rendered"]
    given = named_in_values(yaml.safe_load((CHART / "ci" / f"{way}-values.yaml").read_text()))
    made = entries(rendered)
    for each in rendered.objects:
        for kind, name, entry in references(each):
            if name in given:
                continue
            assert (kind, name) in made, f"{name_of(each)} refers to {kind} {name}"
            assert entry is None or entry in made[kind, name], f"{name_of(each)}: {kind} {name} has no {entry}"


def test_what_is_given_is_not_generated() -> None:
    assert not render("given-secrets").of("Secret")


def test_what_is_generated_stays_when_the_release_goes(rendered: Rendered) -> None:
    for secret in rendered.of("Secret"):
        assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", name_of(secret)


def test_elasticmq_is_configured_as_outside_of_kubernetes_apart_from_its_queues() -> None:
    (config,) = render("default").one("ConfigMap", "-elasticmq")["data"].values()
    shown = Path(ROOT / "images/elasticmq/elasticmq.conf").read_text()
    assert meant(config) == meant(shown)
    assert set(re.findall(r"thumbnailer-[a-z-]+", config)) >= {
        "thumbnailer-express",
        "thumbnailer-standard",
        "thumbnailer-economy",
    }


def meant(config: str) -> list[str]:
    """What a configuration says, without comments, layout and queues."""
    lines = [re.sub(r"\s+", " ", line.split("#")[0]).strip().strip('"') for line in config.splitlines()]
    text = "\n".join(line for line in lines if line)
    return re.sub(r"queues ?\{.*?\n\}", "", text, flags=re.DOTALL).split()


def test_what_a_pool_borrows_is_told_to_its_workers_and_starts_and_scales_nothing() -> None:
    borrowing, without = render({"workers": {"pools": {"standard": {"borrows": ["economy"]}}}}), render()
    told = {
        about: environment(container).get("THUMBNAILER_BORROWS")
        for about, container in borrowing.containers()
        if "THUMBNAILER_QUEUES" in environment(container)
    }
    assert sorted(filter(None, told.values())) == ["economy"]
    assert [about for about, value in told.items() if value] == [about for about in told if "standard" in about]
    assert borrowing.of("ScaledObject") == without.of("ScaledObject")


@pytest.mark.parametrize("way", ["default", "price-gate", "everything-said", "spot-and-gpu-on-gke"])
def test_elasticmq_has_each_queue_that_a_pool_serves(way: str) -> None:
    rendered = render(way)
    (config,) = rendered.one("ConfigMap", "-elasticmq")["data"].values()
    served = {
        queue
        for _, container in rendered.containers()
        for queue in (environment(container).get("THUMBNAILER_QUEUES") or "").split(",")
        if queue
    }
    assert {"express", "standard", "economy"} <= served
    for queue in served:
        assert re.search(rf'^\s*"?thumbnailer-{queue}"?\s*\{{', config, re.MULTILINE), queue
    own = served - {"express", "standard", "economy"}
    for program in ("-api", "-housekeeper"):
        for about, container in rendered.containers():
            if about.endswith(f"container {program[1:]}"):
                assert set(filter(None, (environment(container).get("THUMBNAILER_CLASSES") or "").split(","))) == own
