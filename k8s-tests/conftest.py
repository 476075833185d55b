"""One cluster for a run, one release in a namespace of its own for a module."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import cluster
import pytest
from containers import find_engine, needed
from kubernetes import config as kubernetes_config
from release import Release, released

HERE = Path(__file__).parent
RUN = "K8S_TEST_RUN"
"""Folder of this run, which all processes of xdist share: locks, and the kubeconfig once there is a cluster."""
PROGRAMS = ("kind", "kubectl", "helm")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: stops KEDA; no other test runs meanwhile")
    if not hasattr(config, "workerinput"):
        os.environ[RUN] = tempfile.mkdtemp(prefix="thumbnailer-k8s-")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.k8s)
            item.add_marker(pytest.mark.timeout(900))


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last to end is the process that started the others: it removes the cluster that this run made."""
    if hasattr(config, "workerinput"):
        return
    run = Path(os.environ[RUN])
    if (made := run / "made").exists():
        if os.environ.get("K8S_KEEP"):
            print(f"The cluster stays: export KUBECONFIG={run / 'kubeconfig'}")
            return
        cluster.down(made.read_text())
    shutil.rmtree(run)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The times that users read in our docs."""
    said = [
        text
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, text in report.user_properties
        if name == "said"
    ]
    if said:
        terminalreporter.section("measured")
        terminalreporter.write("\n".join(said) + "\n")


@contextmanager
def locked(name: str, how: int) -> Iterator[None]:
    """A lock between the processes of this run, shared or exclusive."""
    with (Path(os.environ[RUN]) / name).open("w") as file:
        fcntl.flock(file, how)
        yield


@pytest.fixture(scope="session", autouse=True)
def kubeconfig() -> Path:
    """A cluster: with K8S_CLUSTER=given the one of KUBECONFIG, else one that the first process makes for all."""
    given = os.environ.get("K8S_CLUSTER") == "given"
    for program in PROGRAMS[1:] if given else PROGRAMS:
        if shutil.which(program) is None:
            needed(f"there is no {program} on this machine")
    if not given:
        find_engine()
    path = Path(os.environ["KUBECONFIG"] if given else f"{os.environ[RUN]}/kubeconfig")
    if not given:
        with locked("making", fcntl.LOCK_EX):
            make_cluster(path)
        os.environ["KUBECONFIG"] = str(path)
    kubernetes_config.load_kube_config(str(path))
    return path


def make_cluster(kubeconfig: Path) -> None:
    """The first process makes it; where that fails, the others do not try again, each for minutes."""
    made, ready = kubeconfig.parent / "made", kubeconfig.parent / "ready"
    if ready.exists():
        return
    if made.exists():
        pytest.fail("there is no cluster: the first test of this run says why")
    made.write_text(f"thumbnailer-test-{uuid4().hex[:6]}")
    try:
        cluster.up(made.read_text(), kubeconfig)
    except SystemExit as error:
        pytest.fail(f"there is no cluster: {error}")
    ready.touch()


@pytest.fixture(autouse=True)
def keda_to_share(request: pytest.FixtureRequest, kubeconfig: Path) -> Iterator[None]:
    """Tests share KEDA, save those marked `alone`, for which the others wait."""
    how = fcntl.LOCK_EX if request.node.get_closest_marker("alone") else fcntl.LOCK_SH
    with locked("turnstile", fcntl.LOCK_EX):  # who waits for KEDA alone is not overtaken for ever
        lock = locked("keda", how)
        lock.__enter__()
    yield
    lock.__exit__(None, None, None)


@pytest.fixture(scope="module")
def release(request: pytest.FixtureRequest, kubeconfig: Path) -> Iterator[Release]:
    """The module's VALUES, or what its function `values` says for the namespace, installed and ready."""
    module = request.module
    name = module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    namespace = f"{name}-{uuid4().hex[:4]}"
    values = module.values(namespace) if hasattr(module, "values") else module.VALUES
    with released(namespace, values) as release:
        yield release


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a line at the end of the run."""
    return lambda text: record_property("said", text)
