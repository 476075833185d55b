"""From `helm install` to nothing left: what the README says works as pasted, and upgrades lose nothing."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pictures import LONG
from prometheus_client.parser import text_string_to_metric_families
from release import CHART, ROOT, Release
from service import free_ports

Say = Callable[[str], None]
VALUES: dict[str, object] = {}
MOST_IDLE = 1.2 * (1 << 30)


def test_an_installed_release_is_ready_and_its_own_test_passes(release: Release, say: Say) -> None:
    say(f"helm install --wait, until all is ready: {release.installed_in:.0f} s")
    release.wait_until_ready()
    assert "Phase:          Succeeded" in release.helm("test", release.name, "--timeout", "5m")
    assert not release.kubectl("get", "events", "--field-selector", "reason=Pulling", "-o", "name"), "images are loaded"


def test_the_readmes_session_works_as_pasted(release: Release, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("\n## On Kubernetes\n")[2].partition("\n## ")[0]
    [session] = [block for block in re.findall(r"```sh\n(.*?)```", section, re.S) if "port-forward" in block]
    (tmp_path / "charts").symlink_to(CHART.parent)
    said = paste(release, session, tmp_path)
    assert '"status": "complete"' in said
    assert (tmp_path / "thumbnails" / "photo.jpg").read_bytes().startswith(b"\xff\xd8")


def test_the_commands_of_the_notes_work_as_pasted(release: Release, tmp_path: Path) -> None:
    notes = release.helm("get", "notes", release.name)
    shown = notes.partition("Until it is ready:")[2].partition("To remove it")[0]
    # What `make .venv/run` installs, tests/ covers; here it would install into the folder of the test.
    session = [line.strip() for line in shown.splitlines() if line.startswith("  ") and "make " not in line]
    assert any("port-forward" in line for line in session), notes
    (tmp_path / "charts").symlink_to(CHART.parent)
    said = paste(release, "\n".join(session), tmp_path)
    assert "successfully rolled out" in said
    assert "Succeeded" in said
    assert '"status": "pending"' in said.replace('":"', '": "')


def paste(release: Release, session: str, folder: Path) -> str:
    """Paste a session into a shell whose kubectl looks at the release; port 8080 may be taken on this machine."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(Path(os.environ["KUBECONFIG"]).read_text())
    set_namespace = ["config", "set-context", "--current", f"--namespace={release.namespace}"]
    release.kubectl("--kubeconfig", kubeconfig, *set_namespace)
    session = re.sub(r"\b8080\b", str(free_ports(1)[0]), session)
    said = folder / "said"
    with said.open("w") as file:
        shell = subprocess.Popen(
            ["/bin/bash", "-e", "-c", session],
            cwd=folder, env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
        try:
            assert shell.wait(200) == 0, f"{session}\n{said.read_text()}"
        finally:
            os.killpg(shell.pid, signal.SIGKILL)  # the port-forward goes on in its background
    return said.read_text()


def test_each_metric_in_rules_and_dashboard_is_exported_in_prometheus_format(release: Release) -> None:
    release.assert_whole(release.submit())
    [long] = release.submit(outputs=LONG * 8)  # keeps a worker for as long as it is asked
    programs = [("worker", 8082), ("api", 8081), ("housekeeper", 8083)]
    exported = set()
    for program, port in programs:
        said = release.wait(f"metrics of {program}", lambda program=program, port=port: metrics(release, program, port))
        families = list(text_string_to_metric_families(said))
        assert any(family.name.startswith("thumbnailer_") for family in families)
        exported |= {sample.name for family in families for sample in family.samples}
        exported |= {family.name + "_total" for family in families if family.type == "counter"}
        exported |= {family.name for family in families}
        exported |= {f"{family.name}_{part}" for family in families for part in ("bucket", "sum", "count")}
    shown = release.helm("template", release.name, CHART, *monitoring())
    used = set(re.findall(r"\bthumbnailer_[a-z_]+[a-z]\b", shown))
    assert used
    assert used <= exported
    release.client.delete(long)


def metrics(release: Release, program: str, port: int) -> str:
    """Of the first pod that answers: one that starts does not listen yet, one that stops no longer does."""
    for pod in release.pods(program):
        with suppress(subprocess.CalledProcessError):
            return release.ask("pods", pod.metadata.name, port, "metrics")
    return ""


def monitoring() -> list[str]:
    parts = ("podMonitor", "serviceMonitor", "rules", "dashboard")
    apis = ("PodMonitor", "ServiceMonitor", "PrometheusRule")
    return [f"--set=monitoring.{part}.enabled=true" for part in parts] + [
        f"--api-versions=monitoring.coreos.com/v1/{api}" for api in apis
    ]


def test_an_idle_release_is_small(release: Release, say: Say) -> None:
    release.wait_until_zero("standard")
    taken: dict[str, dict[str, int]] = {}
    for node in release.core.list_node().items:
        summary = json.loads(release.kubectl("get", "--raw", f"/api/v1/nodes/{node.metadata.name}/proxy/stats/summary"))
        for pod in summary["pods"]:
            where, name = pod["podRef"]["namespace"], pod["podRef"]["name"]
            memory = sum(container.get("memory", {}).get("workingSetBytes", 0) for container in pod["containers"])
            taken.setdefault(where, {})[name] = memory
    parts = {
        component: sum(taken[release.namespace].get(pod.metadata.name, 0) for pod in release.pods(component))
        for component in ("api", "housekeeper", "postgresql", "minio", "elasticmq")
    }
    stated = ", ".join(f"{part} {memory >> 20} MiB" for part, memory in parts.items())
    beside = ", ".join(f"{where} {sum(taken[where].values()) >> 20} MiB" for where in ("keda", "kube-system"))
    say(f"idle: {sum(parts.values()) >> 20} MiB ({stated}); beside it {beside}")
    assert 0 < sum(parts.values()) < MOST_IDLE


def test_each_pod_of_a_release_named_thumbnailer_comes_back_after_a_restart(release: Release) -> None:
    jobs = release.submit(2, outputs=LONG)
    release.wait("a worker", lambda: release.workers("standard"))
    before = {pod.metadata.uid for pod in release.pods()}
    release.kubectl("delete", "pod", "-l", f"app.kubernetes.io/instance={release.name}", "--wait=false")
    release.wait("other pods", lambda: before.isdisjoint(pod.metadata.uid for pod in release.pods()))
    release.wait_until_ready()
    release.assert_whole(jobs + release.submit())


def test_an_upgrade_and_a_rollback_with_jobs_in_flight_lose_nothing_and_change_no_secret(release: Release) -> None:
    before = secrets(release)
    jobs = release.submit(8, outputs=LONG)
    release.wait("a job is worked on", lambda: release.processing(jobs))
    changed = {"thumbnailer.test/revision": "two"}
    values = {"api": {"podAnnotations": changed}, "housekeeper": {"podAnnotations": changed}}
    release.upgrade({**values, "workers": {"defaults": {"podAnnotations": changed}}})
    assert any(release.status(jobs)), "callers are answered"
    jobs += release.submit(6, outputs=LONG)
    assert secrets(release) == before
    release.rollback(1)
    jobs += release.submit()
    release.assert_whole(jobs, 300)
    assert secrets(release) == before


def test_an_uninstalled_release_leaves_nothing_but_its_volumes_and_secrets(release: Release) -> None:
    kept = secrets(release)
    release.helm("uninstall", release.name, "--wait", "--timeout", "5m")
    kinds = "all,scaledobjects,triggerauthentications,hpa,configmaps,serviceaccounts,networkpolicies,pdb,ingresses"

    def left() -> list[str]:
        found = release.kubectl("get", kinds, "-o", "name").split()
        ours = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
        return [name for name in found if name not in ours]

    release.wait("nothing is left", lambda: not left())
    assert secrets(release) == kept
    volumes = release.core.list_namespaced_persistent_volume_claim(release.namespace).items
    assert len(volumes) == 3
    assert not any(volume.metadata.deletion_timestamp for volume in volumes)


def secrets(release: Release) -> dict[str, dict[str, str]]:
    found = release.core.list_namespaced_secret(release.namespace).items
    return {item.metadata.name: item.data for item in found if not item.type.startswith("helm.sh/")}
