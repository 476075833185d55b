"""kube-score finds nothing, apart from what is meant as it is."""

import json
import subprocess

import pytest
import yaml
from missing import needed
from rendering import CI, render

MEANT = {
    "container-ephemeral-storage-request-and-limit": "every emptyDir has a size of its own; roots are read-only",
    "container-image-pull-policy": "images have versions or digests; `Always` would need a registry for kind",
    "container-security-context-user-group-id": "PostgreSQL's and ElasticMQ's images have files for one user",
    "statefulset-has-servicename": "each store is one pod, which nobody calls by its own name",
    "pod-probes-identical": "a store that answers is ready; its liveness has more patience",
    "deployment-has-poddisruptionbudget": "a drain may end a worker, which gives its job back, and a housekeeper",
    "deployment-replicas": "one of each is enough to begin with; `replicas` and `hpa` have more",
    "deployment-has-host-podantiaffinity": "workers are packed on few nodes, so that the others can go",
}
"""What it would have otherwise, and why not."""


@pytest.mark.parametrize("way", CI)
def test_kube_score_finds_nothing_else(way: str) -> None:
    kube_score = needed("kube-score", "it is made by `make .cache/tools/ready`")
    # A limit of CPU slows a program down while cores are idle; workers have one, since concurrency follows it.
    command = [kube_score, "score", "--kubernetes-version", "v1.31", "--ignore-container-cpu-limit", "-o", "json", "-"]
    meant = [*MEANT, "pod-networkpolicy"] if not render(way).of("NetworkPolicy") else MEANT  # somebody turned them off
    ignored = [word for check in meant for word in ("--ignore-test", check)]
    done = subprocess.run(
        [*command, *ignored], input=yaml.safe_dump_all(render(way).objects), capture_output=True, text=True, check=False
    )
    found = [
        f"{scored['object_name']}: {check['check']['id']}: {comment['summary']} {comment['path']}"
        for scored in json.loads(done.stdout)
        for check in scored["checks"]
        if not check["skipped"] and check["grade"] < 10
        for comment in check["comments"] or [{"summary": "", "path": ""}]
    ]
    assert not found
