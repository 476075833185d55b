"""What the programs have is in the docs."""

import ast
import re
from pathlib import Path

import make_openapi
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


ASKED = {*(f"D{n}" for n in range(1, 9)), *(f"I{n}" for n in range(1, 9)), *(f"R{n}" for n in range(1, 10)), "N1"}


def names_in(file: Path) -> set[str]:
    """The names of the tests in a file, by reading it."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_each_thing_that_was_asked_for_is_shown_by_tests_that_are_there() -> None:
    rows = re.findall(r"^\| ([A-Z]\d+) \| .* \| (.*) \|$", (ROOT / "docs/asked.md").read_text(), re.MULTILINE)
    assert sorted(row for row, _ in rows) == sorted(ASKED)
    for row, shown_by in rows:
        named = re.findall(r"`([^`]+)::(test_\w+)`", shown_by)
        assert named, row
        for file, name in named:
            assert name in names_in(ROOT / file), f"{row}: {file}::{name}"


def test_every_page_of_the_docs_is_found_from_the_readme() -> None:
    found, line = set(), [ROOT / "README.md"]
    while line:
        page = line.pop()
        for link in re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", page.read_text()):
            file = (page.parent / link).resolve()
            if file not in found and file.is_relative_to(ROOT):
                found.add(file)
                line.append(file)
    assert set((ROOT / "docs").glob("*.md")) - found == set()


def test_the_description_in_the_docs_is_that_of_the_code() -> None:
    assert make_openapi.FILE.read_text() == make_openapi.text(), "run .venv/bin/python docs/make_openapi.py"
