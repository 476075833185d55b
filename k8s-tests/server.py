"""A small server of a test in the cluster, on the API's image."""

from __future__ import annotations

import cluster
from release import Release

PORT = 8000


def serve(release: Release, name: str, program: str) -> None:
    """Run the program, which listens on `PORT`, as a pod and a service of that name; returns once it listens."""
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    container = {
        "name": name,
        "image": f"thumbnailer-api:{cluster.VERSION}",
        "command": ["python", "-c", program],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "securityContext": {**confined, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    pod = {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    release.core.create_namespaced_pod(release.namespace, pod)
    service = {"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": [{"port": PORT}]}}
    release.core.create_namespaced_service(release.namespace, service)
    release.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s")
