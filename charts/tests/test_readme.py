"""The chart's README is made from its values, and what it shows works."""

import re
import subprocess

import pytest
import yaml
from missing import needed
from rendering import CHART, Object, render

README = (CHART / "README.md").read_text()


def test_the_values_in_the_readme_are_those_of_values_yaml() -> None:
    helm_docs = needed("helm-docs", "it is made by `make .cache/tools/ready`")
    command = [helm_docs, "-c", CHART, "-s", "file", "--dry-run", "-l", "warning"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert made.strip() == README.strip(), "run: helm-docs -c charts/thumbnailer -s file"


def test_every_link_leads_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (CHART / link).exists(), link


EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]


@pytest.mark.parametrize("values", EXAMPLES)
def test_the_values_that_it_shows_are_taken(values: Object) -> None:
    assert render(values).of("ScaledObject")


def test_what_the_chart_is_packed_from_leaves_out_what_only_its_makers_need() -> None:
    ignored = (CHART / ".helmignore").read_text().splitlines()
    assert {"ci/", "README.md.gotmpl"} <= set(ignored)
