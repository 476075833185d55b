"""A wrong value is refused before anything is deployed, with its path and what to do; one at the limit is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from rendering import CHART, Object, Refused, render


def at(path: str, value: Any) -> Object:
    """Values with one of them set."""
    first, _, rest = path.partition(".")
    return {first: at(rest, value) if rest else value}


def pool(**values: Any) -> Object:
    return {"workers": {"pools": {"standard": values}}}


EXTERNAL = {
    "postgresql": {"enabled": False},
    "database": {"host": "db", "existingSecret": "password"},
    "minio": {"enabled": False},
    "objects": {"bucket": "pictures", "region": "eu-west-1"},
    "elasticmq": {"enabled": False},
    "queue": {"type": "sqs", "region": "eu-west-1", "account": "123456789012"},
}


def external(path: str, value: Any) -> tuple[Object, Object]:
    return EXTERNAL, at(path, value)


def memory(limit: str | int) -> Object:
    return pool(resources={"limits": {"memory": limit}})


UNKNOWN = [
    "repicas",
    "images.api.tagg",
    "images.redis",
    "auth.method",
    "auth.firstKey.secret",
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


def refusal(*values: Object) -> str:
    with pytest.raises(Refused) as refused:
        render(*values)
    return str(refused.value)


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
    ("secrets.generate", ["false"]),
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
    """The path of every value and section, but not of what maps of the user's own hold, nor of pools, which are partial."""
    for name, value in values.items():
        path = above + name
        yield path
        if isinstance(value, dict) and name not in {"resources", "monitoringNamespaceLabels", "labels", "pools"}:
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


GATE = {"below": 0.3, "source": {"spot": "g4dn.xlarge"}}
TOGETHER: list[tuple[str, tuple[Object | str, ...], str]] = [
    (
        "a bundled database and an external one",
        (at("database.host", "db"),),
        r"database\.host.*postgresql\.enabled=false",
    ),
    ("two S3", (at("objects.bucket", "bucket"),), r"objects\.bucket.*minio\.enabled=false"),
    ("a bundled queue and Amazon's", (at("queue.type", "sqs"),), r"queue\.type.*elasticmq\.enabled=false"),
    ("a bundled queue and the database's", (at("queue.type", "sql"),), r"queue\.type.*elasticmq\.enabled=false"),
    ("no database", (at("postgresql.enabled", False),), r"postgresql\.enabled.*database\.host"),
    ("no S3", (at("minio.enabled", False),), r"minio\.enabled.*objects\.bucket"),
    ("no queue", (at("elasticmq.enabled", False),), r"elasticmq\.enabled.*queue\.type"),
    ("an endpoint beside MinIO", (at("objects.endpoint", "http://s3"),), r"objects\.endpoint.*minio\.enabled=false"),
    ("a database without its password", external("database.existingSecret", ""), r"database\.existingSecret.*Secret"),
    ("verify-full against nothing", external("database.sslmode", "verify-full"), r"sslmode.*database\.caSecret"),
    ("two regions", external("queue.region", "us-east-1"), r"objects\.region.*queue\.region.*one region"),
    ("SQS without an account", external("queue.account", ""), r"queue\.account.*AWS account"),
    ("keys for one of two", external("queue.existingSecret", "keys"), r"queue\.existingSecret.*same Secret"),
    ("KEDA's keys from nowhere", external("autoscaling.aws.identity", "keys"), r"identity.*queue\.existingSecret"),
    ("nobody without saying so", (at("auth.mode", "nobody"),), r"auth\.mode is nobody.*insecureNoAuth=true"),
    ("no authentication beside keys", (at("auth.insecureNoAuth", True),), r"auth\.insecureNoAuth.*auth\.mode=nobody"),
    ("a key that nobody asks for", ("nobody", at("auth.firstKey.existingSecret", "k")), r"firstKey\.existingSecret"),
    ("no password to be found", ("given-secrets", at("postgresql.existingSecret", "")), r"postgresql\.existingSecret"),
    ("no keys for MinIO", ("given-secrets", at("minio.existingSecret", "")), r"minio\.existingSecret.*Secret"),
    (
        "no first key",
        ("given-secrets", at("auth.firstKey.existingSecret", "")),
        r"auth\.firstKey\.existingSecret.*thn_",
    ),
    ("a pool without queues", (pool(queues=[]),), r"workers\.pools\.standard\.queues|workers.pools.standard.queues"),
    ("a queue in capitals", (pool(queues=["Express"]),), r'standard\.queues has "Express".*small letters'),
    ("a queue with a space", (pool(queues=["with space"]),), r'standard\.queues has "with space"'),
    ("a queue that formulas cannot name", (pool(queues=["under_score"]),), r'standard\.queues has "under_score"'),
    ("a pool that never runs", (pool(replicas={"to": 0}),), r"standard\.replicas\.to is 0.*enabled: false"),
    ("a queue twice", (pool(queues=["express", "standard", "express"]),), r"standard\.queues"),
    ("express jobs for nobody", (pool(queues=["standard"]),), r"queue express.*workers\.pools"),
    ("standard jobs for nobody", (pool(enabled=False),), r"queue standard.*workers\.pools"),
    ("economy jobs for nobody", (at("workers.pools.economy.enabled", False),), r"queue economy.*workers\.pools"),
    ("from > to", (pool(replicas={"from": 11}),), r"standard\.replicas\.from is 11.*replicas\.to"),
    ("from > to for the API", (at("api.hpa", {"enabled": True, "from": 11}),), r"api\.hpa\.from is 11.*api\.hpa\.to"),
    ("spot without a cloud", (pool(nodes="spot"),), r"standard\.nodes is spot.*cloud.*eks, karpenter, gke or aks"),
    ("gpu without a cloud", (at("workers.pools.gpu.enabled", True),), r"gpu\.nodes is gpu.*cloud"),
    ("cool-down shorter than noticing", (pool(cooldownPeriod=40),), r"standard\.cooldownPeriod is 40.*more than"),
    ("more than its memory", (pool(concurrency=2),), r"standard\.resources\.limits\.memory is 1536Mi.*raise the limit"),
    ("a child as large as its pod", (pool(childMemoryMiB=1536),), r"limits\.memory.*childMemoryMiB"),
    ("too much scratch", (pool(scratch="321Mi"),), r"limits\.memory.*scratch"),
    ("a limit in half Gi", (memory("0.5Gi"),), r"limits\.memory is 0\.5Gi, .* are 1472Mi: raise"),
    ("a limit in M", (memory("1543M"),), r"limits\.memory is 1543M, .* are 1472Mi: raise"),
    ("a limit in bytes", (memory("1543503871"),), r"limits\.memory is 1543503871, .* are 1472Mi: raise"),
    ("a limit as a number", (memory(1543503871),), r"limits\.memory is 1543503871, .* are 1472Mi: raise"),
    ("a gate without a price", (pool(priceGate={"below": 1}),), r"priceGate\.below is 1.*source\.spot.*source\.url"),
    (
        "a gate with two prices",
        (pool(priceGate={"below": 1, "source": {"spot": "g4dn.xlarge", "url": "http://x"}}),),
        r"priceGate\.source.*both",
    ),
    ("a gate that shuts never", (pool(priceGate={"source": {"spot": "g4dn.xlarge"}}),), r"priceGate.*below"),
    ("the chart's own setting", (at("settings", {"DATABASE": "x"}),), r"settings\.DATABASE.*use database"),
    ("a pool's own setting for all", (at("settings", {"QUEUES": "x"}),), r"settings\.QUEUES.*queues"),
    ("one in the API's", (at("api.settings", {"AUTH": "nobody"}),), r"api\.settings\.AUTH.*auth\.mode"),
    ("one in a pool's", (pool(settings={"CONCURRENCY": 2}),), r"standard\.settings\.CONCURRENCY.*concurrency"),
    (
        "a setting as a variable",
        (at("api.extraEnv", [{"name": "THUMBNAILER_THREADS", "value": "5"}]),),
        r"api\.extraEnv.*api\.settings\.THREADS",
    ),
    (
        "a variable that the chart sets",
        (pool(extraEnv=[{"name": "AWS_REGION", "value": "x"}]),),
        r"standard\.extraEnv.*AWS_REGION",
    ),
    ("an Ingress for no host", (at("api.ingress.enabled", True),), r"api\.ingress\.hosts.*host"),
    ("a route that hangs on nothing", (at("api.httpRoute.enabled", True),), r"api\.httpRoute\.parentRefs.*Gateway"),
    ("a pool that cannot be a name", (at("workers.pools.Big", {"queues": ["big"]}),), r"Big"),
]


@pytest.mark.parametrize(("values", "message"), [each[1:] for each in TOGETHER], ids=[each[0] for each in TOGETHER])
def test_values_that_exclude_each_other_are_refused_with_what_to_do(
    values: tuple[Object | str, ...], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        render(*values)


@pytest.mark.parametrize("release", ["1release", "4k.pictures"])
def test_a_release_that_cannot_name_a_service_is_refused_with_what_to_do(release: str) -> None:
    with pytest.raises(Refused, match=rf"release {release} .*fullnameOverride"):
        render(release=release)
    assert render(at("fullnameOverride", "pictures"), release=release).objects


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Refused) as refused:
        render(at("database.host", "db"), pool(nodes="spot", cooldownPeriod=1))
    for value in ("database.host", "standard.nodes", "standard.cooldownPeriod"):
        assert value in str(refused.value)


FITS: list[tuple[str, tuple[Object | str, ...]]] = [
    ("no API for now", (at("api.replicas", 0),)),
    ("from equals to", (pool(replicas={"from": 3, "to": 3}),)),
    ("a cool-down just long enough", (pool(cooldownPeriod=41),)),
    ("memory that just fits", (pool(resources={"limits": {"memory": "1472Mi"}}),)),
    ("two jobs that just fit", (pool(concurrency=2, resources={"limits": {"memory": "2496Mi"}}),)),
    ("memory in parts of Gi", (memory("1.4375Gi"),)),
    ("memory in M", (memory("1544M"),)),
    ("memory in bytes", (memory(1543503872),)),
    ("addresses with ports", ("keys-and-endpoints", at("objects.endpoint", "http://s3.media.svc:65535/"))),
    ("a price behind a question", (pool(priceGate={"below": 1, "source": {"url": "https://p.example:8443/a?b=c&d=%20"}}),)),
    ("a price of nothing", (pool(priceGate={"below": 0, "source": {"spot": "g4dn.xlarge"}}),)),
    ("a gate that opens at once", (pool(priceGate=GATE | {"openAfter": 0}),)),
    ("a queue that starts with a digit", (at("workers.pools.big", {"queues": ["4k-pictures"]}),)),
    ("a pool of one letter", (at("workers.pools.a", {"queues": ["a"]}),)),
    ("a pool that is off is not looked at", (at("workers.pools.off", {"enabled": False, "nodes": "spot"}),)),
    ("a pool of null is taken out", ({"workers": {"pools": {"gpu": None}}},)),
    ("no limit of messages", (at("elasticmq.queueLimit", 0),)),
    ("limits of CPU as a number", (pool(resources={"limits": {"cpu": 2}}),)),
    ("values that a parent chart adds", (at("global.whatever", "x"),)),
    ("as many dollars as one likes", (at("monitoring.dashboard.hourlyCost", {"standard": 0}),)),
    ("S3 and SQS without keys and at endpoints", ("keys-and-endpoints", at("autoscaling.aws.identity", "pod"))),
    ("stores outside", (EXTERNAL,)),
]


@pytest.mark.parametrize("values", [each[1] for each in FITS], ids=[each[0] for each in FITS])
def test_a_value_at_its_limit_is_taken(values: tuple[Object | str, ...]) -> None:
    assert render(*values).objects
