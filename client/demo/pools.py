"""How many workers each pool has, as kubectl tells it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

KUBECTL_SECONDS = 5.0
COMPONENT = "app.kubernetes.io/component=worker"


class NoCluster(Exception):
    """There is no kubectl, or no cluster that it reaches; the text is kubectl's own."""


@dataclass(frozen=True)
class Pool:
    """The workers that a pool should have, and those of them that are ready."""

    name: str
    desired: int
    ready: int


def pools(namespace: str | None, release: str | None) -> list[Pool]:
    """The pools by name. Raises NoCluster."""
    labels = COMPONENT + (f",app.kubernetes.io/instance={release}" if release else "")
    where = ["--namespace", namespace] if namespace else []
    command = ["kubectl", "get", "deployments", *where, "--selector", labels, "--output", "json"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=KUBECTL_SECONDS, check=True).stdout
    except FileNotFoundError:
        raise NoCluster("there is no kubectl") from None
    except subprocess.TimeoutExpired:
        raise NoCluster(f"kubectl has not answered for {KUBECTL_SECONDS:g} s") from None
    except subprocess.CalledProcessError as error:
        raise NoCluster((error.stderr.strip().splitlines() or ["kubectl failed without a word"])[-1]) from None
    return sorted((pool(deployment) for deployment in json.loads(said)["items"]), key=lambda found: found.name)


def pool(deployment: dict[str, dict[str, object]]) -> Pool:
    """A pool of a Deployment, named by the label of its pods."""
    template: dict[str, dict[str, dict[str, str]]] = deployment["spec"].get("template", {})  # type: ignore[assignment]
    labels = template.get("metadata", {}).get("labels") or {}
    desired, ready = deployment["spec"].get("replicas", 1), deployment["status"].get("readyReplicas", 0)
    return Pool(
        labels.get("thumbnailer/pool") or str(deployment["metadata"]["name"]),
        int(str(desired)),
        int(str(ready)),
    )
