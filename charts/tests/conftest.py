"""What the chart's tests need on the machine: Helm 3 on the path, Helm 4 and other tools in .cache/tools."""

import os
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOOLS = HERE.parent.parent / ".cache" / "tools"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.chart)


def needed(program: str, advice: str) -> str:
    """The program's path; without it the test is left out, and fails in CI."""
    path = shutil.which(program, path=f"{TOOLS}:{os.environ['PATH']}:/usr/local/go/bin")
    if path is None:
        leave_out(f"{program} is missing: {advice}")
    return path


def leave_out(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def helm3() -> str:
    return needed("helm", "https://helm.sh/docs/intro/install")


@pytest.fixture(scope="session")
def helm4() -> str:
    return needed("helm-4/helm", "make .cache/tools/ready")


@pytest.fixture(scope="session", autouse=True)
def helm(helm3: str) -> str:
    """All tests render with the Helm on the path; one compares with Helm 4."""
    return helm3
