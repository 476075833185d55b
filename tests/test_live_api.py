"""The service does what its description says, whatever it is asked: schemathesis against the real programs."""

import json
import subprocess
from pathlib import Path

import pytest
from service import BIN, Service, started

from thumbnailer_storage.jobs.keys import Scope

TESTS = Path(__file__).parent
HANGS = 400
"""Seconds; alone on two cores it takes about twenty."""


def key_of(service: Service) -> tuple[str, str]:
    """A key that may do everything, and its id."""
    asked = ("all", "--owner", "ada", "--scopes", ",".join(Scope), "--json")
    command = [BIN / "thumbnailer-api", "keys", "create", *asked]
    made = subprocess.run(command, env=service.environment(), check=True, capture_output=True)
    found = json.loads(made.stdout)
    return found["key"], found["id"]


@pytest.mark.timeout(HANGS + 60)
def test_no_request_gets_an_answer_that_the_description_does_not_have(tmp_path: Path) -> None:
    with started(tmp_path, THUMBNAILER_AUTH="keys", THUMBNAILER_CLASSES="gpu") as service:
        api = service.api()
        service.worker()
        service.housekeeper()
        key, key_id = key_of(service)
        command = [
            *(BIN / "schemathesis", "--config-file", TESTS / "schemathesis.toml", "--no-color"),
            *("run", f"{api.url}/openapi.json", "--header", f"Authorization: Bearer {key}"),
        ]
        hooks = {"SCHEMATHESIS_HOOKS": "live_api", "PYTHONPATH": str(TESTS), "LIVE_KEY_ID": key_id}
        environment = service.environment(**hooks)
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=HANGS
        )
        print(ran.stdout[-1500:])
        assert ran.returncode == 0, ran.stdout
        assert "Authentication failed" not in ran.stdout
        assert api.answers("/readyz")
