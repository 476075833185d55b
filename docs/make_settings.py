"""Write docs/settings.md from the settings classes; a test fails where the file differs from what this gives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from thumbnailer_api.config import ApiSettings, HousekeeperSettings
from thumbnailer_storage.config import PREFIX, Settings, StorageSettings
from thumbnailer_storage.logs import LogSettings
from thumbnailer_worker.config import WorkerSettings

FILE = Path(__file__).parent / "settings.md"
CLASSES: dict[str, tuple[type[Settings], ...]] = {
    "API": (ApiSettings, StorageSettings, LogSettings),
    "worker": (WorkerSettings, StorageSettings, LogSettings),
    "housekeeper": (HousekeeperSettings, StorageSettings, LogSettings),
}
CLIENT = {
    "URL": ("`http://127.0.0.1:8080`", "Where the client finds the API."),
    "KEY": ("", "The key that the client sends; needed where the API runs with `THUMBNAILER_AUTH=keys`."),
}
HEAD = """# Settings

Environment variables, read once at start. A wrong value ends the program with one line that names the variable and
says what is allowed. To API, worker and housekeeper, a `THUMBNAILER_` variable that is not in this table is an error
that names its nearest neighbour.
This file is made from the code: `.venv/bin/python docs/make_settings.py`.

| variable | read by | default | what it is |
|---|---|---|---|
"""


def table() -> str:
    """The whole file."""
    rows: dict[str, tuple[list[str], str, str]] = {}
    for program, classes in CLASSES.items():
        for kind in classes:
            for name, field in kind.model_fields.items():
                text = f"{field.description}{allowed(field.annotation)}"
                programs, _, _ = rows.setdefault(name.upper(), ([], shown(field.default), text))
                programs.append(program)
    for name, (default, text) in CLIENT.items():
        rows[name] = (["client"], default, text)
    lines = (
        f"| `{PREFIX}{name}` | {', '.join(programs)} | {default} | {text} |\n"
        for name, (programs, default, text) in sorted(rows.items())
    )
    return HEAD + "".join(lines)


def shown(default: Any) -> str:
    """A default as one would write it into the environment."""
    if default in (None, "", False, ()):
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(default)}`"
    if default == Path(tempfile.gettempdir()):
        return "the system's"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def allowed(annotation: Any) -> str:
    """The values of a setting that has few."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    values = [
        value for kind in kinds if kind is not NoneType and get_origin(kind) is Literal for value in get_args(kind)
    ]
    return f" One of {', '.join(f'`{value}`' for value in values)}." if values else ""


if __name__ == "__main__":
    FILE.write_text(table())
    print(f"{FILE.name}: {table().count(PREFIX)} settings")
