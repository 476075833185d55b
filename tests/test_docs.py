"""What the programs have is in the docs."""

import re
from pathlib import Path

from prometheus_client import REGISTRY

import thumbnailer_api.housekeeping.loop
import thumbnailer_api.metrics  # noqa: F401 - likewise
import thumbnailer_worker.metrics  # noqa: F401 - likewise

ROOT = Path(__file__).parent.parent


def test_every_metric_is_explained_and_every_explained_metric_exists() -> None:
    ours = set()
    for family in REGISTRY.collect():
        if family.name.startswith("thumbnailer_"):
            ours.add(family.name + ("_total" if family.type == "counter" else ""))
    text = (ROOT / "docs/metrics.md").read_text()
    assert set(re.findall(r"^\| `(thumbnailer_\w+)`", text, re.MULTILINE)) == ours


def test_every_link_in_the_docs_leads_somewhere() -> None:
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
            assert (file.parent / link).exists(), f"{file.name}: {link}"


def test_the_readme_names_no_target_that_the_makefile_lacks() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        named = set(re.findall(r"(?:`|^|\$ )make ([a-z0-9-]+)", file.read_text(), re.MULTILINE))
        assert named <= targets, file.name
