"""A release of the chart in a namespace of its own, and what a test asks of it."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from kubernetes import client as kubernetes
from pictures import QUICK, Outputs, photo
from rendering import merged
from service import free_ports
from waiting import HANGS, state_of, stays, wait_until

from thumbnailer.client import Client
from thumbnailer.models import Job

T = TypeVar("T")
ROOT = Path(__file__).parent.parent
CHART = ROOT / "charts" / "thumbnailer"
SMALL = yaml.safe_load((Path(__file__).parent / "small.yaml").read_text())
"""Values for a small machine and quick reactions."""


class Release:
    """One release of the chart; made and removed by the fixture of its module."""

    def __init__(self, namespace: str, name: str = "thumbnailer") -> None:
        self.namespace, self.name = namespace, name
        self._api = kubernetes.ApiClient()
        self.core = kubernetes.CoreV1Api(self._api)
        self.apps = kubernetes.AppsV1Api(self._api)
        self._forwards: list[Forward] = []
        self._client: Client | None = None
        self.installed_in = 0.0
        """Seconds from helm install until all was ready."""

    @property
    def fullname(self) -> str:
        return self.name if "thumbnailer" in self.name else f"{self.name}-thumbnailer"

    # What Helm does.

    def helm(self, *words: object, values: Mapping[str, Any] | None = None, patience: float = 600) -> str:
        """The output of a Helm command; where it fails, all that it said and the namespace's state."""
        command = ["helm", *map(str, words), "--namespace", self.namespace]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            if values is not None:
                yaml.safe_dump(merged(SMALL, values), file)
                file.flush()
                command += ["--values", file.name]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=patience, check=False)
        if ended.returncode:
            raise AssertionError(f"{' '.join(command)}: {ended.stderr[-3000:]}\n{state_of(self.namespace)}")
        return ended.stdout

    def install(self, values: Mapping[str, Any]) -> float:
        """Make the namespace, install and wait until all is ready; the seconds that it took."""
        self.make_namespace()
        began = time.monotonic()
        self.helm("install", self.name, CHART, "--wait", "--timeout", "8m", values=values)
        return time.monotonic() - began

    def upgrade(self, values: Mapping[str, Any]) -> None:
        self.helm("upgrade", self.name, CHART, "--wait", "--timeout", "8m", values=values)
        self._wait_until_replaced("api")

    def rollback(self, revision: int) -> None:
        self.helm("rollback", self.name, revision, "--wait", "--timeout", "8m")
        self._wait_until_replaced("api")

    def make_namespace(self) -> None:
        """A namespace that refuses pods which are not restricted."""
        labels = {f"pod-security.kubernetes.io/{what}": "restricted" for what in ("enforce", "warn")}
        self.core.create_namespace({"metadata": {"name": self.namespace, "labels": labels}})

    def remove(self) -> None:
        """Uninstall it while KEDA runs, which clears its own finalizers, and drop the namespace."""
        if self._client:
            self._client.close()
        for forward in self._forwards:
            forward.close()
        self.helm("uninstall", self.name, "--ignore-not-found", "--wait")
        self.core.delete_namespace(self.namespace)
        self._api.rest_client.pool_manager.clear()  # its own close() leaves connections open

    # What kubectl does.

    def kubectl(self, *words: object) -> str:
        """What kubectl says of this namespace; CalledProcessError with all that it complained of."""
        command = ["kubectl", "--namespace", self.namespace, *map(str, words)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode:
            error = subprocess.CalledProcessError(ended.returncode, command, ended.stdout, ended.stderr)
            error.add_note(ended.stderr)
            raise error
        return ended.stdout

    def ask(self, kind: str, name: str, port: int, path: str) -> str:
        """What a pod or service answers, through the API server."""
        return self.kubectl("get", "--raw", f"/api/v1/namespaces/{self.namespace}/{kind}/{name}:{port}/proxy/{path}")

    def scale(self, kind: str, component: str, replicas: int) -> None:
        """Set how many of a program run, and wait until so many do."""
        target = f"{kind}/{self.fullname}-{component}"
        self.kubectl("scale", target, f"--replicas={replicas}")
        self.kubectl("rollout", "status", target, "--timeout=150s")
        self.wait(f"{component} has {replicas} pods", lambda: len(self.pods(component)) == replicas)

    def pods(self, component: str = "", pool: str = "") -> list[Any]:
        """Pods that are not on their way out."""
        wanted = [f"app.kubernetes.io/instance={self.name}"]
        wanted += [f"app.kubernetes.io/component={component}"] if component else []
        wanted += [f"thumbnailer/pool={pool}"] if pool else []
        found = self.core.list_namespaced_pod(self.namespace, label_selector=",".join(wanted)).items
        return [
            pod for pod in found if not pod.metadata.deletion_timestamp and pod.status.phase in ("Pending", "Running")
        ]

    def workers(self, pool: str) -> list[Any]:
        return self.pods("worker", pool)

    def replicas(self, pool: str) -> int:
        """How many workers the pool's Deployment is told to have."""
        return self.apps.read_namespaced_deployment(f"{self.fullname}-worker-{pool}", self.namespace).spec.replicas

    def nodes(self, pool: str) -> set[str]:
        """The nodes that the pool's workers are on."""
        return {pod.spec.node_name for pod in self.workers(pool) if pod.spec.node_name}

    def kill(self, pod: str) -> None:
        self.kubectl("delete", "pod", pod, "--grace-period=0", "--force")

    # Waits.

    def wait(self, what: str, holds: Callable[[], T], seconds: float = HANGS) -> T:
        return wait_until(what, holds, namespace=self.namespace, seconds=seconds)

    def stays(self, what: str, holds: Callable[[], object], seconds: float) -> None:
        stays(what, holds, namespace=self.namespace, seconds=seconds)

    def wait_until_zero(self, *pools: str) -> None:
        """No worker is left, not even one on its way out, and KEDA has seen that."""
        for pool in pools:
            label = f"app.kubernetes.io/instance={self.name},thumbnailer/pool={pool}"
            self.wait(
                f"pool {pool} has no workers",
                lambda label=label: not self.core.list_namespaced_pod(self.namespace, label_selector=label).items,
            )
        time.sleep(3)

    def _wait_until_replaced(self, component: str) -> None:
        """No pod is on its way out: `--wait` does not wait for it, and a POST through it might lose its answer."""
        label = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component={component}"

        def replaced() -> bool:
            found = self.core.list_namespaced_pod(self.namespace, label_selector=label).items
            return not any(pod.metadata.deletion_timestamp for pod in found)

        self.wait(f"no {component} is on its way out", replaced)

    def wait_until_ready(self) -> None:
        """Every pod that is not a worker is ready."""

        def ready() -> bool:
            pods = [pod for pod in self.pods() if pod.metadata.labels["app.kubernetes.io/component"] != "worker"]
            return len(pods) >= 4 and all(is_ready(pod) for pod in pods)

        self.wait("all pods are ready", ready)

    # What callers do.

    @cached_property
    def key(self) -> str:
        secret = self.core.read_namespaced_secret(f"{self.fullname}-first-key", self.namespace)
        return base64.b64decode(secret.data["first-key"]).decode()

    @property
    def authorised(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def forward(self, service: str, port: int) -> str:
        """The address at which the service is reached from here until the release is removed."""
        self._forwards.append(Forward(self.namespace, service, port))
        return self._forwards[-1].url

    @property
    def client(self) -> Client:
        """The service's client, with the first key."""
        if self._client is None:
            self._client = Client(self.forward(self.fullname, 80), self.key)
        return self._client

    def submit(self, count: int = 1, *, outputs: Outputs = QUICK, priority: str | None = None,
               job_class: str | None = None) -> list[Job]:  # fmt: skip
        """Accepted jobs."""

        def one(_: int) -> Job:
            return self.client.submit(photo(), outputs=outputs, priority=priority, job_class=job_class)  # type: ignore[arg-type]

        # Asks again until kubectl has noticed that the API's pod is another one; a POST may not. It needs no queue.
        next(iter(self.client.jobs()), None)
        with ThreadPoolExecutor(4) as threads:
            return list(threads.map(one, range(count)))

    def scaling(self, queue: str) -> dict[str, float]:
        """What the housekeeper tells KEDA of a queue."""
        said: dict[str, float] = json.loads(
            self.ask("services", f"{self.fullname}-housekeeper", 8083, "scaling"))["queues"].get(queue, {})  # fmt: skip
        return said

    def status(self, jobs: Iterable[Job]) -> list[str]:
        return [self.client.get(job.id).status for job in jobs]

    def processing(self, jobs: Iterable[Job]) -> list[Job]:
        return [job for job in map(self.client.get, (job.id for job in jobs)) if job.status == "processing"]

    def assert_whole(self, jobs: Iterable[Job], seconds: float = HANGS) -> list[Job]:
        """The ledger: every accepted job complete, once, nothing in processing, the outputs there."""
        accepted = list(jobs)
        self.wait(f"{len(accepted)} jobs are finished",
                  lambda: all(self.client.get(job.id).finished for job in accepted), seconds)  # fmt: skip
        found = [self.client.get(job.id) for job in accepted]
        assert {(job.status, job.code) for job in found} == {("complete", 200)}
        for job in found:
            ends = [event for event in self.client.events(job.id) if event.kind in ("completed", "failed", "poisoned")]
            assert [(event.kind, event.count) for event in ends] == [("completed", 1)], job
        assert self.client.queue().jobs.get("processing", 0) == 0
        with tempfile.TemporaryDirectory() as folder:
            for job in found:
                for n, output in enumerate(job.outputs):
                    assert self.client.download(job, n, Path(folder) / "picture").stat().st_size == output.bytes
        return found


class Forward:
    """kubectl port-forward on a port that stays the same, started anew whenever its pod goes."""

    def __init__(self, namespace: str, service: str, port: int) -> None:
        local = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{local}"
        self._command = ["kubectl", "--namespace", namespace, "port-forward", f"service/{service}", f"{local}:{port}"]
        self._closed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        threading.Thread(target=self._keep, name=f"forward to {service}", daemon=True).start()
        wait_until(f"{service} is reached on {self.url}", self._answers, namespace=namespace, seconds=60)

    def _keep(self) -> None:
        while not self._closed.is_set():
            self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self._process.wait()
            self._closed.wait(0.3)

    def _answers(self) -> bool:
        try:
            httpx.get(self.url, timeout=5)
        except httpx.TransportError:
            return False
        return True

    def close(self) -> None:
        self._closed.set()
        if self._process:
            self._process.kill()


def is_ready(pod: Any) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions or ())


@contextmanager
def released(namespace: str, values: Mapping[str, Any], name: str = "thumbnailer") -> Iterator[Release]:
    release = Release(namespace, name)
    try:
        release.installed_in = release.install(values)
        yield release
    finally:
        release.remove()
