"""Values that do not go together are refused before anything is deployed, with what to do; one at its limit is not."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import Object, Refused, at, render


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
    (
        "a queue of its own borrowed",
        (pool(borrows=["standard"]),),
        r'standard\.borrows has "standard".*its queues have',
    ),
    ("a queue borrowed from nobody", (pool(borrows=["gpu"]),), r'standard\.borrows has "gpu".*no enabled pool'),
    (
        "work borrowed past its price",
        (pool(borrows=["economy"]), at("workers.pools.economy.priceGate", GATE)),
        r"standard\.borrows has \"economy\".*economy\.priceGate.*Leave it out",
    ),
    (
        "work borrowed from spot nodes",
        (pool(borrows=["economy"]), at("cloud", "aks")),
        r"standard\.borrows has \"economy\".*economy\.nodes: spotOnCloud.*set that pool's nodes to any",
    ),
    (
        "work borrowed from GPUs",
        (pool(borrows=["gpu"]), at("cloud", "gke"), at("workers.pools.gpu.enabled", True)),
        r"standard\.borrows has \"gpu\".*gpu\.nodes: gpu",
    ),
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
    ("an issuer as a setting", (at("api.settings", {"OIDC_ISSUER": "https://x"}),), r"OIDC_ISSUER.*use auth\.oidc"),
    ("a limit as a setting", (at("settings", {"OWNER_JOBS_WAITING": 1}),), r"OWNER_JOBS_WAITING.*use auth\.limits"),
    ("an issuer without an audience", (at("auth.oidc.issuer", "https://x"),), r"auth\.oidc\.audience.*set both"),
    ("keys of no issuer", (at("auth.oidc.jwksUrl", "https://x"),), r"auth\.oidc\.jwksUrl.*name the issuer"),
    ("presets as a setting", (at("api.settings", {"PRESETS": "a: size=9x9"}),), r"PRESETS.*use api\.presets"),
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
    (
        "a price behind a question",
        (pool(priceGate={"below": 1, "source": {"url": "https://p.example:8443/a?b=c&d=%20"}}),),
    ),
    ("a price of nothing", (pool(priceGate={"below": 0, "source": {"spot": "g4dn.xlarge"}}),)),
    ("a gate that opens at once", (pool(priceGate=GATE | {"openAfter": 0}),)),
    ("a queue that starts with a digit", (at("workers.pools.big", {"queues": ["4k-pictures"]}),)),
    ("economy work borrowed where any node is as good", (pool(borrows=["economy"]),)),
    (
        "economy work borrowed though a cloud is set",
        (pool(borrows=["economy"]), at("cloud", "eks"), at("workers.pools.economy.nodes", "any")),
    ),
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
