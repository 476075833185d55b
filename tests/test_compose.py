"""`docker compose up`: the whole service in containers, as a user starts it, in a project and on ports of its own."""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from containers import BUILD_PATIENCE, ROOT, find_engine
from service import BIN, free_ports, wait_until

pytestmark = [pytest.mark.stores, pytest.mark.timeout(600)]

PORTS = ("API_PORT", "POSTGRES_PORT", "MINIO_PORT", "ELASTICMQ_PORT")
PROGRAMS = ("api", "worker", "housekeeper")
STORES = ("postgres", "minio", "elasticmq")
PATIENCE = 300


class Project:
    """One start of compose.yaml, with the default passwords."""

    def __init__(self) -> None:
        self.name = f"thumbnailer-compose-{os.getpid()}"
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("THUMBNAILER_", "AWS_"))}
        self.environment = {
            **ours,
            "COMPOSE_PROJECT_NAME": self.name,
            **{name: str(port) for name, port in self.ports.items()},
        }

    def compose(self, *arguments: str, patience: float = PATIENCE) -> str:
        """What the command printed on standard output."""
        command = ["docker", "compose", *arguments]
        ended = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=patience, check=False
        )
        assert ended.returncode == 0, f"{' '.join(command)}: {ended.stderr[-3000:]}"
        return ended.stdout

    def up(self, *services: str) -> None:
        self.compose("up", "--detach", "--wait", "--scale", "worker=2", *services)

    def containers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.compose("ps", "--all", "--format", "json").splitlines()]

    def first_key(self) -> str:
        return self.compose("run", "--rm", "--no-deps", "-T", "migrate", "cat", "/data/first-key").strip()

    def caller(self) -> httpx.Client:
        """Somebody who has read the first key."""
        key = {"Authorization": f"Bearer {self.first_key()}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.ports['API_PORT']}", headers=key, timeout=30)

    def left(self) -> list[str]:
        """Containers, networks and volumes that belong to the project."""
        mine = f"label=com.docker.compose.project={self.name}"
        found = []
        for kind in (("ps", "--all"), ("network", "ls"), ("volume", "ls")):
            command = ["docker", *kind, "--quiet", "--filter", mine]
            found += subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
        return found


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    find_engine()
    command = ["make", "images"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=BUILD_PATIENCE)
    project = Project()
    try:
        project.up()
        yield project
    finally:
        project.compose("down", "--volumes", "--timeout", "10")
    assert project.left() == []


def post(caller: httpx.Client, image: bytes) -> str:
    answer = caller.post("/jobs", content=image)
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"]


def finished(caller: httpx.Client, location: str) -> dict[str, Any]:
    """The job once it is complete."""

    def job() -> dict[str, Any]:
        shown: dict[str, Any] = caller.get(location, headers={"Prefer": "wait=10"}).json()
        return shown

    wait_until(f"{location} is complete", lambda: job()["status"] == "complete")
    return job()


def test_from_nothing_everything_becomes_healthy(project: Project) -> None:
    seen = Counter((found["Service"], found["Health"] or found["ExitCode"]) for found in project.containers())
    one = [(service, "healthy") for service in (*STORES, "api", "housekeeper")]
    assert seen == {**dict.fromkeys(one, 1), ("worker", "healthy"): 2, ("migrate", 0): 1}


def test_a_user_goes_the_whole_way_with_the_first_key_and_nobody_without_one(project: Project, small: bytes) -> None:
    with project.caller() as caller:
        job = finished(caller, post(caller, small))
        thumbnail = caller.get(job["outputs"][0]["location"])
        assert (thumbnail.headers["Content-Type"], thumbnail.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
        assert len(thumbnail.content) == job["outputs"][0]["bytes"]
        del caller.headers["Authorization"]
        assert caller.post("/jobs", content=small).status_code == 401


def test_more_workers_share_the_work(project: Project, medium: bytes) -> None:
    with project.caller() as caller:
        for location in [post(caller, medium) for _ in range(20)]:
            finished(caller, location)
    lines = project.compose("logs", "--no-color", "worker").splitlines()
    assert {line.split()[0] for line in lines if '"completed"' in line} == {"worker-1", "worker-2"}


def test_a_worker_that_was_killed_is_started_again_by_itself(project: Project, small: bytes) -> None:
    worker = next(found["ID"] for found in project.containers() if found["Service"] == "worker")
    kill = ["docker", "exec", worker, "sh", "-c", "kill -KILL $(cat /proc/1/task/1/children)"]
    subprocess.run(kill, capture_output=True, check=False, timeout=60)  # the container ends under the command
    look = ["docker", "inspect", "--format", "{{.RestartCount}} {{.State.Health.Status}}", worker]

    def again() -> bool:
        return subprocess.run(look, capture_output=True, check=True, timeout=60).stdout.split() == [b"1", b"healthy"]

    wait_until("it was started again and is healthy", again)
    with project.caller() as caller:
        finished(caller, post(caller, small))


def test_the_demo_runs_on_it_shows_its_table_and_leaves_it_up(project: Project, small: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(small)
    command = ["make", "--silent", "compose-demo", f"PHOTOS={tmp_path}"]
    ended = subprocess.run(
        command, cwd=ROOT, env=project.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "photo.jpg" in ended.stdout.partition("working")[2]
    assert f"goes on at http://127.0.0.1:{project.ports['API_PORT']}" in ended.stdout
    with project.caller() as caller:
        assert caller.get("/queue").status_code == 200


def test_what_was_accepted_outlives_a_restart_of_everything(project: Project, small: bytes) -> None:
    with project.caller() as caller:
        before = finished(caller, post(caller, small))
        project.compose("stop", "worker")
        waiting = [post(caller, small) for _ in range(10)]
        project.compose("stop")
        project.up()
        for location in waiting:
            finished(caller, location)
        assert caller.get(before["outputs"][0]["location"]).status_code == 200


def test_the_containers_may_do_as_little_as_possible(project: Project) -> None:
    for container in project.containers():
        command = ["docker", "inspect", container["ID"]]
        found = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)[0]
        host = found["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"]) == (
            True,
            ["ALL"],
            ["no-new-privileges:true"],
        )
        assert host["Memory"] > 0
        assert host["PidsLimit"] > 0
        assert found["Config"]["User"] not in ("", "0", "root")
        assert all(bound["HostIp"] == "127.0.0.1" for port in host["PortBindings"].values() for bound in port)
        ways = {network.removeprefix(f"{project.name}_") for network in found["NetworkSettings"]["Networks"]}
        assert ways == ({"inside"} if container["Service"] in ("worker", "migrate") else {"inside", "outside"})
    command = ["docker", "network", "inspect", f"{project.name}_inside"]
    assert (
        json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)[0]["Internal"] is True
    )


def test_no_log_and_no_metric_has_a_password_or_the_first_key(project: Project) -> None:
    ask = "import sys, urllib.request as u; print(u.urlopen(f'http://127.0.0.1:{sys.argv[1]}/metrics').read().decode())"
    said = project.compose("logs", "--no-color")
    for program, port in zip(PROGRAMS, ("8081", "8082", "8083"), strict=True):
        said += project.compose("exec", "-T", program, "python", "-c", ask, port)
    assert '"listening"' in said
    assert "thumbnailer_queue_messages" in said
    assert "insecure-default" not in said
    assert project.first_key() not in said


def test_api_and_worker_run_from_the_shell_on_the_stores_of_the_containers(
    project: Project, small: bytes, tmp_path: Path
) -> None:
    project.compose("stop", *PROGRAMS)
    names = [f"THUMBNAILER_{name}PORT" for name in ("", "API_HEALTH_", "WORKER_HEALTH_")]
    ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
    environment = {**project.environment, **ports, "PATH": f"{BIN}:{os.environ['PATH']}"}
    url = f"http://127.0.0.1:{ports['THUMBNAILER_PORT']}"
    shell = f"""
        set -a; . ./localhost.env; set +a
        thumbnailer-api migrate
        export THUMBNAILER_KEY=$(thumbnailer-api keys create shell-$$ --owner shell)
        thumbnailer-api serve & api=$!
        thumbnailer-worker & worker=$!
        until thumbnailer --url {url} queue > /dev/null 2>&1; do sleep 0.2; done
        thumbnailer --url {url} submit {tmp_path}/photo.jpg --to {tmp_path}/made; code=$?
        kill $api $worker; wait; exit $code
    """
    (tmp_path / "photo.jpg").write_bytes(small)
    command = ["timeout", "120", "sh", "-c", shell]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert list((tmp_path / "made").iterdir())


def test_passwords_stand_in_compose_yaml_alone_and_can_be_others() -> None:
    find_engine()
    others = dict.fromkeys(("POSTGRES_PASSWORD", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"), "another")
    command = ["docker", "compose", "config"]
    shown = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **others}, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "insecure-default" not in shown
    assert "another" in shown
    tracked = ["git", "grep", "--files-with-matches", "insecure-default"]
    found = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    assert [name for name in found if not name.startswith("tests/")] == ["compose.yaml"]
    for name in ("service.env", "localhost.env", "aws.env"):
        assert not re.search(r"^\w*(PASSWORD|SECRET)\w*=(?!\$\(|$)", (ROOT / name).read_text(), re.MULTILINE)


def test_one_settings_file_leads_the_same_containers_to_aws_without_a_key_of_ours() -> None:
    find_engine()
    command = ["docker", "compose", "--env-file", "aws.env", "config", "--format", "json"]
    shown = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=True).stdout)
    for program in (*PROGRAMS, "migrate"):
        given = shown["services"][program]["environment"]
        assert given["THUMBNAILER_OBJECTS"].startswith("s3://")
        assert not any(given[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"))
        assert not any(name.startswith("AWS_ENDPOINT") for name in given)
    assert not shown["networks"]["inside"].get("internal")
