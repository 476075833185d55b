"""What the chart's tests need on the machine: Helm 3 on the path, Helm 4 and other tools in .cache/tools."""

from pathlib import Path

import pytest
from missing import TOOLS, needed
from rendering import CI, Rendered, render

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.chart)


@pytest.fixture(scope="session", autouse=True)
def helm() -> str:
    """All tests render with the Helm on the path; one compares with Helm 4."""
    return needed("helm", "https://helm.sh/docs/intro/install")


@pytest.fixture(scope="session")
def helm4() -> str:
    return needed("helm", "Helm 4 is made by `make .cache/tools/ready`", path=str(TOOLS / "helm-4"))


@pytest.fixture(params=CI)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    """The chart in each way to run it."""
    return render(request.param)
