"""Who reaches whom: the network policies, read as a network that enforces them would."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import Object, Rendered, render

KEDA = {"kubernetes.io/metadata.name": "keda"}
MONITORING = {"kubernetes.io/metadata.name": "monitoring"}
SOMEBODY = {"kubernetes.io/metadata.name": "default"}
STORES = {"postgresql": 5432, "minio": 9000, "elasticmq": 9324}
PROGRAMS = {"api": 8081, "worker": 8082, "housekeeper": 8083}
"""And the port of their health and metrics."""

Peer = str | dict[str, str]
"""A component of ours, or the labels of another namespace."""


def reaches(rendered: Rendered, source: Peer, target: Peer | None, port: int) -> bool:
    """Whether both ends let it through; no target is any place outside of the cluster."""
    out = any(opens(rule, "to", target, port, rendered) for rule in rules(rendered, source, "Egress"))
    into = target is None or any(
        opens(rule, "from", source, port, rendered) for rule in rules(rendered, target, "Ingress")
    )
    return out and into


def rules(rendered: Rendered, peer: Peer, direction: str) -> list[Object]:
    """The rules that hold for our pods; whoever is not ours has none, and may all."""
    if not isinstance(peer, str):
        return [{}]
    found = [
        policy["spec"]
        for policy in rendered.of("NetworkPolicy")
        if policy["spec"]["podSelector"]["matchLabels"].items() <= labels(rendered, peer).items()
        and direction in policy["spec"]["policyTypes"]
    ]
    assert found, f"no policy holds for {peer}"
    return [rule for spec in found for rule in spec.get(direction.lower()) or []]


def opens(rule: Object, key: str, peer: Peer | None, port: int, rendered: Rendered) -> bool:
    ports = rule.get("ports")
    if ports and port not in {each["port"] for each in ports}:
        return False
    return not rule.get(key) or any(meant(each, peer, rendered) for each in rule[key])


def meant(each: Object, peer: Peer | None, rendered: Rendered) -> bool:
    if "ipBlock" in each or peer is None:
        return peer is None and each.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
    if isinstance(peer, str):
        selector = each.get("podSelector", {}).get("matchLabels", {})
        return "namespaceSelector" not in each and selector.items() <= labels(rendered, peer).items()
    return each.get("namespaceSelector", {}).get("matchLabels", {"none": ""}).items() <= peer.items()


def labels(rendered: Rendered, component: str) -> dict[str, Any]:
    """Those of the first pod of the component."""
    for pod in rendered.pods().values():
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == component:
            return dict(pod["metadata"]["labels"])
    raise AssertionError(f"no pod is a {component}")


BUNDLED = [(program, store, port) for program in PROGRAMS for store, port in STORES.items()]
NEEDED: list[tuple[Peer, Peer | None, int]] = [
    *BUNDLED,
    *[(MONITORING, program, port) for program, port in PROGRAMS.items()],
    (KEDA, "elasticmq", 9324),
    (KEDA, "housekeeper", 8083),
    (SOMEBODY, "api", 8080),
    ("test", "api", 8080),
    ("housekeeper", None, 443),
]


@pytest.mark.parametrize(("source", "target", "port"), NEEDED)
def test_what_is_needed_is_open(source: Peer, target: Peer, port: int) -> None:
    assert reaches(render("default"), source, target, port)


CLOSED: list[tuple[Peer, Peer | None, int]] = [
    *[(SOMEBODY, store, port) for store, port in STORES.items()],
    *[(SOMEBODY, program, port) for program, port in PROGRAMS.items()],
    *[(store, None, 443) for store in STORES],
    *[(program, None, 443) for program in PROGRAMS if program != "housekeeper"],
    ("housekeeper", None, 80),
    *[("housekeeper", other, 443) for other in (SOMEBODY, "api", "worker")],
    *[(MONITORING, store, port) for store, port in STORES.items()],
    (KEDA, "postgresql", 5432),
    (KEDA, "minio", 9000),
    (KEDA, "worker", 8082),
    ("worker", "api", 8080),
    ("worker", "housekeeper", 8083),
    ("test", "postgresql", 5432),
    ("elasticmq", "postgresql", 5432),
]


@pytest.mark.parametrize(("source", "target", "port"), CLOSED)
def test_what_is_not_needed_is_shut(source: Peer, target: Peer | None, port: int) -> None:
    assert not reaches(render("default"), source, target, port)


def test_every_pod_is_in_the_policy_that_denies_all(rendered: Rendered) -> None:
    policies = [each["spec"] for each in rendered.of("NetworkPolicy")]
    if not policies:
        return  # networkPolicy.enabled=false, as in `nobody`
    denying = [each for each in policies if not each.get("ingress") and not each.get("egress")]
    everything = [each for each in denying if len(each["policyTypes"]) == 2]
    for owner, pod in rendered.pods().items():
        own = pod["metadata"]["labels"].items()
        assert any(each["podSelector"]["matchLabels"].items() <= own for each in everything), owner


def test_keda_reads_the_database_where_the_queue_is_in_it() -> None:
    assert reaches(render("sql-queue"), KEDA, "postgresql", 5432)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("way", "ports"),
    [
        ("aws-pod-identity", {5432, 443}),
        ("keys-and-endpoints", {9000, 9324}),
        ("sql-queue-external", {6432}),
    ],
)
def test_stores_outside_are_reached_on_their_ports_and_no_others(way: str, ports: set[int], program: str) -> None:
    rendered = render(way)
    webhooks = {443} if program == "housekeeper" else set()
    found = {port for port in (5432, 6432, 443, 80, 9000, 9324) if reaches(rendered, program, None, port)}
    assert found == ports | webhooks


def test_spot_prices_are_read_by_the_housekeeper_alone() -> None:
    rendered = render("price-gate")
    assert reaches(rendered, "housekeeper", None, 443)
    assert not reaches(rendered, "worker", None, 443)


def test_webhooks_reach_private_networks_only_where_values_name_them() -> None:
    def blocks(values: str) -> dict[str, list[str]]:
        egress = [rule for rule in rules(render(values), "housekeeper", "Egress") if rule.get("to")]
        found = [each["ipBlock"] for rule in egress for each in rule["to"] if "ipBlock" in each]
        return {block["cidr"]: block.get("except", []) for block in found}

    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(blocks("default")["0.0.0.0/0"])
    assert {"fc00::/7", "fe80::/10"} <= set(blocks("default")["::/0"])
    assert "10.20.0.0/16" not in blocks("default")
    assert {"10.20.0.0/16", "fd00:20::/64"} <= blocks("everything-said").keys()


def test_the_api_alone_reaches_the_issuer_of_tokens_on_its_port() -> None:
    rendered = render("everything-said")
    assert reaches(rendered, "api", None, 8443)
    assert not reaches(rendered, "worker", None, 8443)
    assert not reaches(rendered, "api", None, 444)


def test_who_may_call_can_be_said_and_helm_test_still_passes() -> None:
    rendered = render("reached-from-outside")
    assert reaches(rendered, {"kubernetes.io/metadata.name": "ingress-nginx"}, "api", 8080)
    assert not reaches(rendered, SOMEBODY, "api", 8080)
    assert reaches(rendered, "test", "api", 8080)


def test_namespaces_of_keda_and_of_monitoring_can_be_others() -> None:
    rendered = render("everything-said")
    assert reaches(rendered, {"kubernetes.io/metadata.name": "scalers"}, "housekeeper", 8083)
    assert not reaches(rendered, KEDA, "housekeeper", 8083)
    assert reaches(rendered, {"purpose": "monitoring"}, "worker", 8082)


def test_names_can_be_looked_up_by_whoever_reaches_something() -> None:
    rendered = render("default")
    for program in PROGRAMS:
        assert any(
            opens(rule, "to", {"kubernetes.io/metadata.name": "kube-system"}, 53, rendered)
            for rule in rules(rendered, program, "Egress")
        )


def test_policies_can_be_left_to_somebody_else() -> None:
    assert not render("nobody").of("NetworkPolicy")
