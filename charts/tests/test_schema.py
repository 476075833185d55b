"""values.schema.json knows every value, its type and its range, and needs all that the chart needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from rendering import CHART, Object, Refused, at, render


def refusal(*values: Object) -> str:
    with pytest.raises(Refused) as refused:
        render(*values)
    return str(refused.value)


UNKNOWN = [
    "repicas",
    "images.api.tagg",
    "images.redis",
    "auth.method",
    "auth.firstKey.secret",
    "auth.oidc.clientSecret",
    "auth.limits.requests",
    "webhooks.urls",
    "secrets.generated",
    "api.replica",
    "api.resources.limit",
    "api.service.ports",
    "api.ingress.host",
    "api.httpRoute.hosts",
    "api.hpa.minReplicas",
    "api.pdb.minAvailable",
    "housekeeper.spotPrice",
    "workers.standard",
    "workers.defaults.queue",
    "workers.defaults.replicas.min",
    "workers.defaults.fallback.replica",
    "workers.defaults.priceGate.above",
    "workers.defaults.priceGate.source.ec2",
    "workers.pools.standard.nodeSelectors",
    "workers.pools.standard.replicas.max",
    "workers.pools.economy.priceGate.source.price",
    "autoscaling.keda",
    "autoscaling.aws.role",
    "postgresql.image",
    "postgresql.persistence.sizes",
    "database.password",
    "minio.rootPassword",
    "objects.buckets",
    "elasticmq.limit",
    "queue.kind",
    "serviceAccounts.name",
    "serviceAccounts.annotations.minio",
    "networkPolicy.enable",
    "monitoring.prometheus",
    "monitoring.podMonitor.every",
]


def test_values_that_nobody_knows_are_refused_by_name() -> None:
    said = refusal(*(at(path, "x") for path in UNKNOWN))
    missed = []
    for path in UNKNOWN:
        parent, _, name = path.rpartition(".")
        place = f"/{parent.replace('.', '/')}".removesuffix("/")
        if not re.search(rf"at '{place}': additional properties .*'{name}'.* not allowed", said):
            missed.append(path)
    assert not missed, said


OUT_OF_RANGE: list[tuple[str, list[Any]]] = [
    ("cloud", ["azure", "EKS"]),
    ("global.imagePullSecrets", [["a\nhostNetwork: true"], ["Login"], [""]]),
    ("nameOverride", ["Capitals", 5]),
    ("fullnameOverride", ["under_score", "-dash"]),
    ("images.api.digest", ["latest", "sha256:abc"]),
    ("images.api.pullPolicy", ["Sometimes"]),
    ("auth.mode", ["none", "oidc", ""]),
    ("auth.insecureNoAuth", ["yes"]),
    ("auth.firstKey.owner", [""]),
    ("auth.oidc.issuer", ["http://login.example.com", "login.example.com", "https://me:x@login.example.com"]),
    ("auth.oidc.jwksUrl", ["file:///etc/passwd"]),
    ("auth.oidc.ownerPrefix", [""]),
    ("auth.oidc.scopes", ["read", ["write"]]),
    ("auth.limits.requestsPerMinute", [-1, "many", 1000001]),
    ("auth.limits.bytesPerDay", [-1, 1.5]),
    ("webhooks.ports", [[], [0], [443, 443], "443"]),
    ("webhooks.networks", [["10.20.0.0"], ["internal"], "10.0.0.0/8"]),
    ("webhooks.insecureHttp", ["yes"]),
    ("secrets.generate", ["false"]),
    ("api.presets", [{"avatar": {"size": "9x9"}}, {"avatar": "size=9x9; card: size=8x8"}]),
    ("api.replicas", [-1, 1.5, "2", 10001]),
    ("api.service.type", ["Ingress"]),
    ("api.service.port", [0, 65536, "http"]),
    ("api.hpa.from", [0, -1]),
    ("api.hpa.to", [0, 99999999999]),
    ("api.hpa.cpuPercent", [0, -5, 1001]),
    ("api.drainSeconds", [-1, 604801]),
    ("api.graceSeconds", [-1, 604801]),
    ("api.priorityClassName", ["x\nhostNetwork: true", "High"]),
    ("api.ingress.className", ["a: b", "nginx "]),
    ("housekeeper.replicas", [-1, 10001]),
    ("housekeeper.spotPrices", ["g4dn.xlarge", [5]]),
    ("workers.defaults.replicas.from", [-1, 10001]),
    ("workers.pools.standard.replicas.to", [-1, 99999999999]),
    ("workers.pools.standard.replicas.fixed", [-1, 10001]),
    ("workers.pools.standard.queues", ["standard", [5]]),
    ("workers.pools.standard.nodes", ["ondemand", ""]),
    ("workers.pools.standard.queueLength", [0, -1, 1.5, 1000000001]),
    ("workers.pools.standard.activation", [-1, 1000000001]),
    ("workers.pools.standard.activationAge", [-1, 604801]),
    ("workers.pools.standard.pollingInterval", [0, -1, 2**62]),
    ("workers.pools.standard.cooldownPeriod", [-1, 604801]),
    ("workers.pools.standard.fallback.failureThreshold", [-1, 1001]),
    ("workers.pools.standard.fallback.replicas", [-1, 10001]),
    ("workers.pools.standard.priceGate.below", [-0.1, "cheap", 1000000001]),
    ("workers.pools.standard.priceGate.openAfter", [-1, 604801]),
    (
        "workers.pools.standard.priceGate.source.url",
        ["https://user:word@prices", 'https://prices/"now"', "https://prices/a b", "https://prices:99999/", "prices"],
    ),
    ("workers.pools.standard.concurrency", [0, -1, 1.5, 1025]),
    ("workers.pools.standard.childMemoryMiB", [0, -1, 2**62]),
    ("workers.pools.standard.childCpuSeconds", [0, -1, 604801]),
    ("workers.pools.standard.graceSeconds", [-1, 604801]),
    ("workers.pools.standard.scratch", ["much", -1, "9" * 16 + "Gi"]),
    ("workers.pools.standard.priorityClassName", ["x\nhostNetwork: true"]),
    ("workers.pools.standard.runtimeClassName", ["a: b", "gVisor"]),
    ("workers.pools.standard.settings", [{"max_pixels": 5}, {"THUMBNAILER_MAX_PIXELS": 5}, {"MAX_PIXELS": {}}]),
    ("autoscaling.enabled", ["no"]),
    ("autoscaling.aws.identity", ["irsa"]),
    ("autoscaling.aws.roleArn", ["keda", 'arn:aws:iam::123456789012:role/a: "b"']),
    ("postgresql.persistence.size", ["big"]),
    ("postgresql.persistence.storageClass", ["a: b", "Fast"]),
    ("objects.endpoint", ["https://user:word@s3", 'https://s3"', "https://s3:65536", "https://s3:0", "https://s 3"]),
    ("queue.endpoint", ["https://user@sqs", "https://sqs'", "https://sqs:99999", "https://sqs/path"]),
    ("networkPolicy.kedaNamespace", ["", "a: b"]),
    ("database.port", [0, 65536]),
    ("database.sslmode", ["off"]),
    ("elasticmq.queueLimit", [-1, 1.5, 1000000001]),
    ("queue.type", ["kafka"]),
    ("queue.account", ["me", "12345"]),
    ("queue.prefix", ["", "with space"]),
    ("monitoring.podMonitor.interval", ["often"]),
    ("monitoring.rules.oldestSeconds", [{"express": -1}, {"express": 604801}]),
    ("monitoring.dashboard.hourlyCost", [{"standard": -1}, {"standard": "dear"}]),
    ("commonLabels", [{"team": 5}]),
]


@pytest.mark.parametrize("turn", range(max(len(values) for _, values in OUT_OF_RANGE)))
def test_values_out_of_their_range_are_refused_by_their_paths(turn: int) -> None:
    """One of each path in one rendering, which says all that is wrong."""
    wrong = [(path, values[turn]) for path, values in OUT_OF_RANGE if turn < len(values)]
    said = refusal(*(at(path, value) for path, value in wrong))
    missed = [(path, value) for path, value in wrong if f"at '/{path.replace('.', '/')}" not in said]
    assert not missed, said


NULL_IS_MEANT = {
    "workers.defaults.concurrency",
    "workers.defaults.graceSeconds",
    "workers.defaults.priceGate.below",
    "workers.defaults.priceGate.openAfter",
}
SHIPPED = yaml.safe_load((CHART / "values.yaml").read_text())


def said_in(values: Object, above: str = "") -> Iterator[str]:
    """The path of every value and section, but not of what users' own maps hold, nor of pools, which are partial."""
    for name, value in values.items():
        path = above + name
        yield path
        if isinstance(value, dict) and name not in {
            "resources",
            "monitoringNamespaceLabels",
            "labels",
            "pools",
            "presets",
        }:
            yield from said_in(value, f"{path}.")


def test_null_takes_nothing_out_that_the_chart_needs() -> None:
    """Helm takes the key away with its default: templates would write <nil>, or stop without a sentence."""
    paths = [
        path
        for path in said_in(SHIPPED)
        if path not in NULL_IS_MEANT and not path.startswith("monitoring.rules.oldestSeconds.e")
    ]
    missed = []
    for depth in range(5):
        level = [path for path in paths if path.count(".") == depth]
        said = refusal(*(at(path, None) for path in level)) if level else ""
        for path in level:
            parent, _, name = path.rpartition(".")
            place = f"/{parent.replace('.', '/')}".removesuffix("/")
            if not re.search(rf"at '{place}': missing propert(y|ies) .*'{name}'", said):
                missed.append(path)
    assert not missed


def test_null_where_it_is_meant_is_taken() -> None:
    said = render(*(at(path, None) for path in NULL_IS_MEANT), at("workers.pools.gpu", None))
    assert said.of("Deployment", "ScaledObject") == render("default").of("Deployment", "ScaledObject")
