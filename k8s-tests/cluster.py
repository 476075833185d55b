"""A kind cluster with node pools and KEDA: `python k8s-tests/cluster.py up|down`; the tests make their own by it.

Three nodes: the control plane, which also holds the stores, KEDA and whatever is not tied to a pool; one that looks
like AKS's spot node, one like its GPU node, each with its label and taint. The capacity of `nvidia.com/gpu` is made up.
Images come from docker, which pulls what it lacks; the cluster itself pulls nothing of ours.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

CLOUD = "aks"
SPOT = "kubernetes.azure.com/scalesetpriority"
GPU = "kubernetes.azure.com/accelerator"
LABELS = {
    "control-plane": ["thumbnailer/stores=yes"],
    "worker": [f"{SPOT}=spot"],
    "worker2": [f"{GPU}=nvidia"],
}
TAINTS = {"worker": f"{SPOT}=spot:NoSchedule", "worker2": "sku=gpu:NoSchedule"}

CHART = Path(__file__).parent.parent / "charts" / "thumbnailer"
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
WORKER = [f"thumbnailer-worker:{VERSION}"]
OTHERS = [
    f"thumbnailer-api:{VERSION}",
    f"thumbnailer-minio:{VERSION}",
    "softwaremill/elasticmq:1.7.1",
    "postgres:17-trixie",
]
KEDA_VERSION = "2.20.2"
KEDA_MANIFEST = f"https://github.com/kedacore/keda/releases/download/v{KEDA_VERSION}/keda-{KEDA_VERSION}.yaml"


def command(*words: object, input: bytes | None = None, patience: float = 300) -> str:  # noqa: A002 - subprocess' word
    """The command's output; where it fails, all that it said."""
    ended = subprocess.run(
        [str(word) for word in words], input=input, capture_output=True, timeout=patience, check=False
    )
    if ended.returncode:
        said = (ended.stderr or ended.stdout).decode(errors="replace")
        raise SystemExit(f"{' '.join(map(str, words))}: {said[-3000:].strip()}")
    return ended.stdout.decode()


def up(name: str, kubeconfig: Path) -> None:
    """Make the cluster, or finish one that is half made; its kubeconfig is written to the file."""
    images = WORKER + OTHERS + os.environ.get("KEDA_IMAGES", "").split()
    have_images(images)
    if name not in command("kind", "get", "clusters").split():
        make(name, kubeconfig)
    command("kind", "export", "kubeconfig", "--name", name, "--kubeconfig", kubeconfig)
    name_nodes(name, kubeconfig)
    loads = {"control-plane": images, "worker": WORKER, "worker2": WORKER}
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda node: load(f"{name}-{node}", loads[node]), loads))
    install_keda(kubeconfig)


def down(name: str) -> None:
    """Remove the cluster with all that is in it."""
    command("kind", "delete", "cluster", "--name", name)


def have_images(images: list[str]) -> None:
    """Refuse what has to be built first; docker pulls the others that it lacks."""
    for program in ("docker", "kind", "kubectl"):
        if shutil.which(program) is None:
            raise SystemExit(f"there is no {program} on this machine")
    command("docker", "info")
    found = command("docker", "images", "--format", "{{.Repository}}:{{.Tag}}").split()
    ours = [image for image in images if image.startswith("thumbnailer-") and image not in found]
    others = [image for image in images if image not in found and image not in ours]
    if ours:
        raise SystemExit(f"docker does not have {' '.join(ours)}: make images")
    for image in others:
        command("docker", "pull", "--quiet", image)


def make(name: str, kubeconfig: Path) -> None:
    config = "\n".join(
        [
            "kind: Cluster",
            "apiVersion: kind.x-k8s.io/v1alpha4",
            "nodes: [{role: control-plane}, {role: worker}, {role: worker}]",
        ]
    )
    image = ["--image", os.environ["KIND_NODE_IMAGE"]] if os.environ.get("KIND_NODE_IMAGE") else []
    command(
        "kind", "create", "cluster", "--name", name, *image, "--kubeconfig", kubeconfig,
        "--wait", "120s", "--config", "-", input=config.encode(),
    )  # fmt: skip


def name_nodes(name: str, kubeconfig: Path) -> None:
    """Give the nodes the labels and taints of their pools."""

    def kubectl(*words: object) -> str:
        return command("kubectl", "--kubeconfig", kubeconfig, *words)

    control_plane = f"{name}-control-plane"
    if json.loads(kubectl("get", "node", control_plane, "-o", "json"))["spec"].get("taints"):
        kubectl("taint", "node", control_plane, "node-role.kubernetes.io/control-plane:NoSchedule-")
    for node, labels in LABELS.items():
        kubectl("label", "node", "--overwrite", f"{name}-{node}", *labels)
    for node, taint in TAINTS.items():
        kubectl("taint", "node", "--overwrite", f"{name}-{node}", taint)
    give_gpus(f"{name}-worker2", 2, kubeconfig)


def give_gpus(node: str, count: int, kubeconfig: Path) -> None:
    """The kubelet keeps what it does not know on the node's status, and counts it as allocatable."""
    patch = {"status": {"capacity": {"nvidia.com/gpu": str(count)}, "allocatable": {"nvidia.com/gpu": str(count)}}}
    command(
        "kubectl", "--kubeconfig", kubeconfig, "patch", "node", node, "--subresource", "status",
        "--type", "strategic", "--patch", json.dumps(patch),
    )  # fmt: skip


def load(node: str, images: list[str]) -> None:
    """Hand the images over in one stream, so that what they share travels once."""
    importing = "docker exec --interactive $0 ctr --namespace k8s.io images import --digests -"
    command("bash", "-c", f'set -o pipefail; docker save "$@" | {importing}', node, *images, patience=600)


def install_keda(kubeconfig: Path) -> None:
    """Apply KEDA's manifest, a file or an address, and wait until it works."""

    def kubectl(*words: object) -> str:
        return command("kubectl", "--kubeconfig", kubeconfig, *words)

    kubectl("apply", "--server-side", "--force-conflicts", "-f", os.environ.get("KEDA_MANIFEST") or KEDA_MANIFEST)
    kubectl("--namespace", "keda", "wait", "--for=condition=Available", "deployment", "--all", "--timeout=180s")
    kubectl("wait", "--for=condition=Available", "apiservice", "v1beta1.external.metrics.k8s.io", "--timeout=120s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["up", "down"])
    parser.add_argument("--name", default="thumbnailer", help="the cluster's name (default: %(default)s)")
    given = parser.parse_args()
    if given.what == "down":
        return down(given.name)
    began = time.monotonic()
    kubeconfig = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    up(given.name, kubeconfig)
    sys.stdout.write(f"The cluster {given.name} is up after {time.monotonic() - began:.0f} s; kubectl uses it.\n")
    return None


if __name__ == "__main__":
    main()
