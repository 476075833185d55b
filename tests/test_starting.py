"""A store that does not fit its setting ends a program at start: one line that names the variable and hides secrets."""

import subprocess
import time
from collections.abc import Callable

import pytest
from service import BIN, Service

PROGRAMS = ("thumbnailer-api serve", "thumbnailer-api housekeeper", "thumbnailer-worker")
NOWHERE = "http://127.0.0.1:1"
WRONG: dict[str, tuple[str, Callable[[str], str], str]] = {
    "no database server": (
        "THUMBNAILER_DATABASE",
        lambda url: url.rpartition("@")[0] + "@127.0.0.1:1/test",
        "THUMBNAILER_DATABASE is 'postgresql+psycopg://thumbnailer:***@127.0.0.1:1/test': ",
    ),
    "a wrong password": (
        "THUMBNAILER_DATABASE",
        lambda url: url.replace("://thumbnailer:", "://thumbnailer:not-"),
        "password authentication failed",
    ),
    "no such database": ("THUMBNAILER_DATABASE", lambda url: url + "x", "does not exist"),
    "no object store": ("AWS_ENDPOINT_URL_S3", lambda _: NOWHERE, "THUMBNAILER_OBJECTS is 's3://"),
    "a wrong key": ("AWS_SECRET_ACCESS_KEY", lambda key: "not-" + key, "THUMBNAILER_OBJECTS is 's3://"),
    "no such user": ("AWS_ACCESS_KEY_ID", lambda key: "not-" + key, "THUMBNAILER_OBJECTS is 's3://"),
    "no such bucket": ("THUMBNAILER_OBJECTS", lambda url: url.replace("test-", "none-"), "THUMBNAILER_CREATE_BUCKET"),
    "no queue server": ("AWS_ENDPOINT_URL_SQS", lambda _: NOWHERE, "THUMBNAILER_QUEUE is 'sqs://"),
    "no such queue": ("THUMBNAILER_QUEUE", lambda url: url + "-none", "THUMBNAILER_QUEUE is 'sqs://"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_store_that_does_not_fit_ends_each_program_with_a_line_that_names_its_setting(
    real_service: Service, what: str
) -> None:
    real_service.stores.claim_objects()
    name, wrong, says = WRONG[what]
    given = real_service.environment()
    environment = given | {name: wrong(given[name]), "THUMBNAILER_START_SECONDS": "1", "THUMBNAILER_PORT": "0"}
    for health in ("API", "WORKER", "HOUSEKEEPER"):
        environment[f"THUMBNAILER_{health}_HEALTH_PORT"] = "0"
    began = time.monotonic()
    started = [
        subprocess.Popen([BIN / command, *arguments], env=environment, stderr=subprocess.PIPE, text=True)
        for command, *arguments in map(str.split, PROGRAMS)
    ]
    secrets = (given["THUMBNAILER_DATABASE"].split(":")[2].split("@")[0], given["AWS_SECRET_ACCESS_KEY"])
    for program, process in zip(PROGRAMS, started, strict=True):
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 2, said
        last = said.strip().splitlines()[-1]
        assert last.startswith(f"{program.split()[0]}: THUMBNAILER_")
        assert says in last
        assert NOWHERE in last or environment[name] != NOWHERE
        assert [secret for secret in secrets if secret in said] == []
    print(f"all had ended after {time.monotonic() - began:.1f} s: {last}")
