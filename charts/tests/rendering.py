"""The chart as Helm renders it, without a cluster."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent.parent / "thumbnailer"
CI = {file.name.removesuffix("-values.yaml"): file for file in sorted((CHART / "ci").glob("*-values.yaml"))}
"""A file of values for each way to run the chart."""
RELEASE, NAMESPACE = "pictures", "media"
WORKLOADS = ("Deployment", "StatefulSet", "Job", "Pod")

Object = dict[str, Any]


class Refused(Exception):
    """Helm rendered nothing; the message is what it said."""


@dataclass(frozen=True)
class Rendered:
    """All objects of one rendering, tests and hooks among them. They are shared: nobody changes them."""

    objects: tuple[Object, ...]
    notes: str = ""

    def of(self, *kinds: str) -> list[Object]:
        return [each for each in self.objects if each["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """The object of that kind whose name ends so."""
        found = [each for each in self.of(kind) if each["metadata"]["name"].endswith(name)]
        assert len(found) == 1, f"{kind} …{name}: {[each['metadata']['name'] for each in self.of(kind)]}"
        return found[0]

    def pods(self) -> dict[str, Object]:
        """The pods' templates, by kind and name of what makes them."""
        return {
            name_of(each): each if each["kind"] == "Pod" else each["spec"]["template"] for each in self.of(*WORKLOADS)
        }

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Every container, init containers among them, after a name for messages."""
        for owner, pod in self.pods().items():
            for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
                yield f"{owner}, container {container['name']}", container


def at(path: str, value: Any) -> Object:
    """Values with one of them set."""
    first, _, rest = path.partition(".")
    return {first: at(rest, value) if rest else value}


def name_of(each: Object) -> str:
    return f"{each['kind']} {each['metadata']['name']}"


def render(
    *values: str | Object,
    release: str = RELEASE,
    helm: str = "helm",
    chart: Path = CHART,
    options: tuple[str, ...] = (),
) -> Rendered:
    """What Helm makes of these values, the later going before: names of files in ci/, or values themselves."""
    return _rendered(tuple(_frozen(each) for each in values), release, helm, chart, options)


def _frozen(values: str | Object) -> Hashable:
    return (values,) if isinstance(values, str) else yaml.safe_dump(values)


@functools.cache
def _rendered(values: tuple[Any, ...], release: str, helm: str, chart: Path, options: tuple[str, ...]) -> Rendered:
    files = [each if isinstance(each, str) else CI[each[0]].read_text() for each in values]
    # JSON, since PyYAML writes 1e3 without quotes, which it reads as text and Helm as a number.
    given = json.dumps(functools.reduce(merged, (yaml.safe_load(text) or {} for text in files), {}))
    command = [helm, "template", release, str(chart), "--namespace", NAMESPACE, "--values", "-", *options]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise Refused(done.stderr)
    return Rendered(tuple(each for each in yaml.load_all(done.stdout, StrictLoader) if each))


def merged(below: Object, above: Object) -> Object:
    """Values over values, as Helm does with two files."""
    pairs = {key: (below[key], above[key]) for key in below.keys() & above.keys()}
    both = {key: merged(*pair) for key, pair in pairs.items() if all(isinstance(side, dict) for side in pair)}
    return below | above | both


class StrictLoader(yaml.CSafeLoader):
    """Refuses a key that is there twice, of which Kubernetes would take one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        doubles = {key for key in keys if keys.count(key) > 1}
        if doubles:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {', '.join(doubles)}", node.start_mark)
        return super().construct_mapping(node, deep)
