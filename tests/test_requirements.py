"""The locked requirements hold what the packages say they need, and nothing of this machine."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = {
    "run": ("storage", "api", "worker", "client"),
    "api": ("storage", "api", "client"),
    "worker": ("storage", "worker"),
}
"""Which packages each lock is for."""
TO_BUILD = {"hatchling", "editables"}


@pytest.mark.parametrize("lock", LOCKS)
def test_what_the_packages_need_is_what_is_locked(lock: str) -> None:
    needed: set[str] = set()
    for package in LOCKS[lock]:
        project = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]
        needed |= {need for need in project["dependencies"] if not need.startswith("thumbnailer")}
    lines = (ROOT / f"requirements/{lock}.in").read_text().splitlines()
    locked = {line for line in lines if line and not line.startswith("#")}
    assert locked - TO_BUILD == needed


@pytest.mark.parametrize("lock", ["api", "worker", "build"])
def test_what_is_in_an_image_is_what_is_tested_outside_of_one(lock: str) -> None:
    assert blocks(f"{lock}.txt").items() <= blocks("run.txt").items()


def test_every_locked_package_has_a_hash_and_no_address() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text()
        assert "://" not in text, file.name
        packages = re.findall(r"^[a-z0-9_.-]+==", text, re.MULTILINE | re.IGNORECASE)
        assert packages
        for block in re.split(r"\n(?=\S)", text.strip()):
            assert block.startswith(("#", "--no-binary")) or "--hash=sha256:" in block, (file.name, block)


def blocks(name: str) -> dict[str, str]:
    """Each package of a lock, with its version and hashes."""
    text = (ROOT / "requirements" / name).read_text().strip()
    return {block.partition("==")[0]: block for block in re.split(r"\n(?=\S)", text)}
