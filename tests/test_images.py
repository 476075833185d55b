"""The images: what is in them, what is not, and that they run as a careful cluster runs them."""

import json
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator
from uuid import uuid4

import pytest
from containers import BUILD_PATIENCE, ROOT, find_engine
from service import wait_until

pytestmark = [pytest.mark.stores, pytest.mark.timeout(300)]

IMAGES = ("api", "worker", "minio")
OURS = ("api", "worker")
CAREFUL = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def docker(*arguments: str, patience: float = 60, check: bool = True, given: bytes = b"") -> str:
    """What a command of the engine printed, errors too."""
    command = ["docker", *arguments]
    ended = subprocess.run(
        command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience, check=False
    )
    said = ended.stdout.decode(errors="replace")
    assert not check or ended.returncode == 0, f"docker {' '.join(arguments)}: {said[-2000:]}"
    return said


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    find_engine()
    command = ["make", "images"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=BUILD_PATIENCE)


def name(image: str) -> str:
    return f"thumbnailer-{image}:dev"


def inside(image: str, *command: str) -> str:
    """What a command prints in a container of the image that may do as little as ours may."""
    return docker("run", "--rm", *CAREFUL, "--entrypoint", command[0], name(image), *command[1:])


def configuration(image: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(docker("image", "inspect", name(image)))[0]["Config"]
    return found


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_what_it_is_and_runs_as_nobody_special(image: str) -> None:
    about = configuration(image)
    assert about["User"] == "10001:10001"
    assert about["Healthcheck"]
    labels = about["Labels"]
    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.title"] == f"thumbnailer-{image}"
    for label in ("description", "licenses", "version", "revision", "created", "base.name"):
        assert labels[f"org.opencontainers.image.{label}"], label


@pytest.mark.parametrize("image", OURS)
def test_the_version_of_an_image_is_that_of_its_package(image: str) -> None:
    labels = configuration(image)["Labels"]
    assert isinstance(labels, dict)
    project = tomllib.loads((ROOT / image / "pyproject.toml").read_text())["project"]
    assert labels["org.opencontainers.image.version"] == project["version"]


@pytest.mark.parametrize("image", IMAGES)
def test_nothing_secret_is_in_the_history_or_the_environment_of_an_image(image: str) -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", name(image))
    text = history + json.dumps(configuration(image))
    default = re.findall(r"\$\{\w+-([\w-]+)\}", (ROOT / "compose.yaml").read_text())
    assert "insecure-default" in default
    for word in ("password", "secret", "token", "credential", "access_key", "insecure-default"):
        assert word not in text.lower()


@pytest.mark.parametrize("image", OURS)
def test_an_image_holds_no_compiler_no_cache_of_pip_and_nothing_of_the_repository_but_its_packages(image: str) -> None:
    look = """
        for tool in gcc cc g++ make uv; do command -v $tool; done
        ls -d /opt/thumbnailer/bin/pip* /opt/builder /opt/wheels /opt/packages /src ~root/.cache 2> /dev/null
        ls -A /var/lib/apt/lists /home
        find / -xdev -name .git -o -name compose.yaml -o -name '*.env' -o -path '*/thumbnailer_*/tests' 2> /dev/null
        true
    """
    left = inside(image, "sh", "-c", look).splitlines()
    left = [line for line in left if line not in ("/var/lib/apt/lists:", "/home:", "")]
    assert left == []


def test_the_worker_has_no_flask_and_the_api_has_no_codecs() -> None:
    present = "import importlib.util, sys; print([m for m in sys.argv[1:] if importlib.util.find_spec(m)])"
    candidates = ("flask", "cheroot", "thumbnailer", "thumbnailer_api", "PIL", "pillow_heif", "thumbnailer_worker")
    assert (
        inside("worker", "python", "-c", present, *candidates).strip() == "['PIL', 'pillow_heif', 'thumbnailer_worker']"
    )
    assert inside("api", "python", "-c", present, *candidates).strip() == (
        "['flask', 'cheroot', 'thumbnailer', 'thumbnailer_api']"
    )


def test_the_api_image_holds_the_client() -> None:
    assert inside("api", "thumbnailer", "--version").strip().endswith("0.1.0")


@pytest.mark.parametrize("image", OURS)
def test_the_services_of_aws_that_are_called_or_give_credentials_survive_the_trimming(image: str) -> None:
    make = (
        "import boto3; print([boto3.client(s, 'eu-central-1', aws_access_key_id='a', aws_secret_access_key='b')"
        ".meta.endpoint_url for s in ('s3', 'sqs', 'sts', 'sso', 'sso-oidc', 'ec2')])"
    )
    assert inside(image, "python", "-c", make).count("https://") == 6


@pytest.mark.parametrize("image", OURS)
def test_a_read_only_image_has_all_of_its_bytecode(image: str) -> None:
    count = (
        "import pathlib, importlib.util as u; r = pathlib.Path('/opt/thumbnailer/lib');"
        "print([str(p) for p in r.rglob('*.py') if not pathlib.Path(u.cache_from_source(str(p))).exists()])"
    )
    assert inside(image, "python", "-c", count).strip() == "[]"


@pytest.fixture
def volume() -> Iterator[str]:
    made = docker("volume", "create", f"thumbnailer-test-{uuid4().hex[:12]}").strip()
    yield made
    docker("volume", "rm", made)


class Container:
    """A container that may do as little as ours may, with embedded stores in a volume. `close` removes it."""

    def __init__(self, image: str, volume: str, *command: str, environment: tuple[str, ...] = ()) -> None:
        settings = [part for pair in environment for part in ("--env", pair)]
        self.id = docker(
            "run", "--detach", *CAREFUL, "--volume", f"{volume}:/data", *settings, name(image), *command
        ).strip()

    def state(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(docker("inspect", self.id))[0]["State"]
        return found

    def healthy(self) -> bool:
        state = self.state()
        assert state["Running"], self.log()
        health = state["Health"]
        assert isinstance(health, dict)
        return bool(health["Status"] == "healthy")

    def run(self, *command: str, check: bool = True) -> str:
        return docker("exec", self.id, *command, check=check)

    def log(self) -> str:
        return docker("logs", self.id)

    def stop(self) -> tuple[float, object]:
        """The seconds that SIGTERM took, and the exit code."""
        began = time.monotonic()
        docker("stop", "--time", "60", self.id, patience=90)
        return time.monotonic() - began, self.state()["ExitCode"]

    def close(self) -> None:
        docker("rm", "--force", self.id)


@pytest.fixture
def pair(volume: str) -> Iterator[tuple[Container, Container]]:
    """An API without keys and a worker, on the same volume."""
    docker("run", "--rm", *CAREFUL, "--volume", f"{volume}:/data", name("api"), "thumbnailer-api", "migrate")
    alone = ("THUMBNAILER_AUTH=nobody", "THUMBNAILER_HOST=127.0.0.1")
    api, worker = Container("api", volume, environment=alone), Container("worker", volume)
    yield api, worker
    api.close()
    worker.close()


def test_on_a_read_only_root_without_any_capability_they_become_healthy_work_and_end_at_sigterm(
    pair: tuple[Container, Container], small: bytes
) -> None:
    api, worker = pair
    wait_until("both are healthy", lambda: api.healthy() and worker.healthy())
    docker("exec", "--interactive", api.id, "sh", "-c", "cat > /tmp/photo.jpg", given=small)
    api.run("thumbnailer", "submit", "/tmp/photo.jpg", "--to", "/tmp/made")
    assert api.run("ls", "/tmp/made").strip()
    assert "the sandbox lacks" not in worker.log()
    for container in (worker, api):
        seconds, code = container.stop()
        assert (code, seconds < 25) == (0, True), container.log()
    assert '"stopped"' in worker.log()


def test_the_first_process_reaps_what_others_leave_behind(pair: tuple[Container, Container]) -> None:
    _, worker = pair
    wait_until("the worker is healthy", worker.healthy)
    assert worker.run("cat", "/proc/1/comm").strip() == "tini"
    worker.run("sh", "-c", "(sleep 0.3 & sleep 0.3 &) ; true")
    for file in worker.run("sh", "-c", "grep -l thumbnailer_worker.child /proc/[1-9]*/cmdline", check=False).split():
        if file.split("/")[2] != "self":
            worker.run("kill", "-KILL", file.split("/")[2], check=False)
    time.sleep(1)
    states = worker.run("sh", "-c", "grep -h ^State: /proc/[0-9]*/status")
    assert "Z (zombie)" not in states
    assert worker.healthy()


def test_the_check_of_an_image_fails_where_nobody_answers(pair: tuple[Container, Container]) -> None:
    api, _ = pair
    wait_until("the API is healthy", api.healthy)
    tries = "for at in 8081/healthz 8081/nothing 1/healthz; do probe $at 2>/dev/null; echo $?; done"
    assert api.run("sh", "-c", tries).split() == ["0", "1", "1"]
    assert "Traceback" not in api.log()


def test_an_image_listens_to_a_network_only_with_keys(volume: str) -> None:
    said = docker(
        "run",
        "--rm",
        *CAREFUL,
        "--volume",
        f"{volume}:/data",
        "--env",
        "THUMBNAILER_AUTH=nobody",
        name("api"),
        check=False,
    )
    assert "everybody who reaches that address could use the service" in said
