"""What a newer OpenAPI document takes away from callers of an older one.

After the manner of oasdiff: what callers send may only become more, what they are answered may only gain fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Judge = Callable[[Json, Json, str], Iterator[str]]
METHODS = ("get", "put", "post", "delete", "patch")
LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
FIXED = ("pattern", "format", "const")


def broken(old: Json, new: Json) -> list[str]:
    """One line for each thing that a caller of `old` may stumble over."""
    return list(Comparison(old, new).operations())


class Comparison:
    """Two documents, and the references of each."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new

    def operations(self) -> Iterator[str]:
        for path, calls in self._old["paths"].items():
            for method in filter(calls.__contains__, METHODS):
                where = f"{method.upper()} {path}"
                found = self._new["paths"].get(path, {}).get(method)
                if found is None:
                    yield f"{where} is gone"
                else:
                    yield from self._parameters(calls[method], found, where)
                    yield from self._body(calls[method].get("requestBody"), found.get("requestBody"), where)
                    yield from self._responses(calls[method]["responses"], found["responses"], where)

    def _parameters(self, old: Json, new: Json, where: str) -> Iterator[str]:
        before = {(one["in"], one["name"]): one for one in old["parameters"]}
        now = {(one["in"], one["name"]): one for one in new["parameters"]}
        for name in before.keys() - now.keys():
            yield f"{where}: the parameter {name} is gone"
        for name, one in now.items():
            if one.get("required") and not before.get(name, {}).get("required"):
                yield f"{where}: the parameter {name} is required"
            if name in before:
                yield from self.narrower(before[name]["schema"], one["schema"], f"{where} {name}")

    def _body(self, old: Json | None, new: Json | None, where: str) -> Iterator[str]:
        if new and new.get("required") and not (old and old.get("required")):
            yield f"{where}: a body is required"
        for kind, content in (old or {}).get("content", {}).items():
            found = (new or {}).get("content", {}).get(kind)
            if found is None:
                yield f"{where}: a body of {kind} is gone"
            else:
                yield from self.narrower(content["schema"], found["schema"], f"{where} {kind}")

    def _responses(self, old: Json, new: Json, where: str) -> Iterator[str]:
        for status, answer in old.items():
            found = new.get(status)
            if found is None:
                yield f"{where}: the answer {status} is gone"
                continue
            for problem in re.findall(r"/problems/[a-z-]+", answer["description"]):
                if problem not in found["description"]:
                    yield f"{where} {status}: {problem} is gone"
            for header in answer.get("headers", {}).keys() - found.get("headers", {}).keys():
                yield f"{where} {status}: the header {header} is gone"
            for kind, content in answer.get("content", {}).items():
                if kind not in found.get("content", {}):
                    yield f"{where} {status}: {kind} is gone"
                else:
                    shown = found["content"][kind]["schema"]
                    yield from self.other(content["schema"], shown, f"{where} {status}")

    def narrower(self, old: Json, new: Json, where: str) -> Iterator[str]:
        """What was taken as `old`, and is not as `new`."""
        old, new = resolved(old, self._old), resolved(new, self._new)
        if "anyOf" in old or "anyOf" in new:
            for one in variants(old):
                if all(list(self.narrower(one, candidate, where)) for candidate in variants(new)):
                    yield f"{where}: {one} is not taken any more"
            return
        if "type" in new and new["type"] != old.get("type", new["type"] if "enum" in old else None):
            yield f"{where}: {new['type']} in place of {old.get('type', 'anything')}"
        if "enum" in new and "enum" not in old:
            yield f"{where}: only {new['enum']}"
        yield from tighter(old, new, where)
        yield from (f"{where}: {name} is required" for name in added("required", old, new))
        yield from self._inside(old, new, where, self.narrower)

    def other(self, old: Json, new: Json, where: str) -> Iterator[str]:
        """What a reader of `old` cannot read in `new`."""
        old, new = resolved(old, self._old), resolved(new, self._new)
        if "anyOf" in old or "anyOf" in new:
            for one in variants(new):
                if all(list(self.other(candidate, one, where)) for candidate in variants(old)):
                    yield f"{where}: {one} was not to be expected"
            return
        for name in ("type", *FIXED):
            if name in old and old[name] != new.get(name):
                yield f"{where}: {name} is {new.get(name)} in place of {old[name]}"
        yield from (f"{where}: {name} may be left out" for name in added("required", new, old))
        yield from self._inside(old, new, where, self.other)

    def _inside(self, old: Json, new: Json, where: str, judge: Judge) -> Iterator[str]:
        if "enum" in new:
            yield from (f"{where}: {value!r} is gone" for value in added("enum", new, old))
        for name in added("properties", new, old):
            yield f"{where}: the field {name} is gone"
        for name in old.get("properties", {}).keys() & new.get("properties", {}).keys():
            yield from judge(old["properties"][name], new["properties"][name], f"{where}.{name}")
        for name in ("items", "additionalProperties"):
            if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
                yield from judge(old[name], new[name], f"{where}.{name}")


def added(name: str, before: Json, now: Json) -> list[Any]:
    """What stands under this name now, and did not before."""
    return [value for value in now.get(name, []) if value not in before.get(name, [])]


def resolved(schema: Json, document: Json) -> Json:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = {**found, **{name: value for name, value in schema.items() if name != "$ref"}}
    return schema


def variants(schema: Json) -> list[Json]:
    return list(schema.get("anyOf", [schema]))


def tighter(old: Json, new: Json, where: str) -> Iterator[str]:
    for name in (*LEAST, *MOST):
        before, now = old.get(name), new.get(name)
        if now is not None and (before is None or (now > before if name in LEAST else now < before)):
            yield f"{where}: {name} is {now}"
    for name in FIXED:
        if name in new and new[name] != old.get(name):
            yield f"{where}: {name} is {new[name]}"
