"""The locked requirements hold what the packages say they need, and nothing of this machine."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_what_the_packages_need_is_what_is_locked() -> None:
    needed: set[str] = set()
    for package in ("storage", "api", "worker", "client"):
        project = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]
        needed |= {need for need in project["dependencies"] if not need.startswith("thumbnailer")}
    lines = (ROOT / "requirements/run.in").read_text().splitlines()
    locked = {line for line in lines if line and not line.startswith("#")}
    assert locked - {"hatchling", "editables"} == needed


def test_every_locked_package_has_a_hash_and_no_address() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text()
        assert "://" not in text, file.name
        packages = re.findall(r"^[a-z0-9_.-]+==", text, re.MULTILINE | re.IGNORECASE)
        assert packages
        for block in re.split(r"\n(?=\S)", text.strip()):
            assert block.startswith(("#", "--no-binary")) or "--hash=sha256:" in block, (file.name, block)
