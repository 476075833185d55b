"""The workflows for forks are sound, and what a release packages is a chart that finds its images."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from missing import needed
from rendering import CHART, Object, render

ROOT = CHART.parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))


def read(name: str) -> Object:
    found: Object = yaml.safe_load((ROOT / ".github/workflows" / name).read_text())
    return found


def passes(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    passes(needed("actionlint", "make .cache/tools/ready installs it"), *WORKFLOWS)


def test_zizmor_finds_nothing() -> None:
    zizmor = needed("zizmor", "make .venv/dev installs it", path=str(ROOT / ".venv/bin"))
    passes(zizmor, "--offline", "--no-progress", "--persona", "regular", *WORKFLOWS)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: (.+)", workflow.read_text())
    assert used
    for each in used:
        assert each.startswith("./") or re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_has_a_time_limit_and_no_more_rights_than_it_needs(workflow: Path) -> None:
    content = read(workflow.name)
    assert content["permissions"] == {"contents": "read"}
    for name, job in content["jobs"].items():
        assert "uses" in job or job["timeout-minutes"] <= 90, name
        writes = {right for right, kind in job.get("permissions", {}).items() if kind == "write"}
        assert writes <= {"packages"}, name
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name


def test_ci_runs_the_targets_that_people_run() -> None:
    text = "\n".join(step.get("run", "") for job in read("ci.yaml")["jobs"].values() for step in job["steps"])
    run = set(re.findall(r"make ([a-z0-9-]+)", text))
    makefile = (ROOT / "Makefile").read_text()
    test = re.search(r"^test: (.+?)\s+##", makefile, re.MULTILINE)
    assert test
    assert run >= set(test[1].split())
    assert run <= set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))


def test_a_release_packages_a_chart_of_its_version_that_finds_its_images(tmp_path: Path) -> None:
    (script,) = [
        step["run"] for step in read("release.yaml")["jobs"]["chart"]["steps"] if "package" in step.get("run", "")
    ]
    shutil.copytree(CHART, tmp_path / "charts/thumbnailer")
    subprocess.run(
        ["/bin/bash", "-e", "-o", "pipefail", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": f"{Path(needed('helm', '')).parent}:/usr/bin:/bin",
            "GITHUB_REF_NAME": "v1.2.3",
            "GITHUB_REPOSITORY_OWNER": "Ada",
        },
        check=True,
        capture_output=True,
        timeout=60,
    )
    rendered = render("default", chart=tmp_path / "dist/thumbnailer-1.2.3.tgz")
    ours = {container["image"] for _, container in rendered.containers() if "/thumbnailer-" in container["image"]}
    assert ours == {f"ghcr.io/ada/thumbnailer-{name}:1.2.3" for name in ("api", "worker", "minio")}
    assert rendered.of("Deployment")[0]["metadata"]["labels"]["app.kubernetes.io/version"] == "1.2.3"
