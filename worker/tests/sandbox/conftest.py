"""A slot whose child runs what it is given as Python; everything else is the real thing."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from thumbnailer_storage.jobs.pictures import Output
from thumbnailer_worker.child.limits import ChildLimits
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.made import Made
from thumbnailer_worker.sandbox.deaths import Death
from thumbnailer_worker.sandbox.parent import Child


class HostileChild(Child):
    program = (str(Path(__file__).with_name("launcher.py")),)


class Slot:
    """Jobs of hostile code, one after the other, as a worker's slot gives them to its child."""

    def __init__(self, scratch: Path, **limits: Any) -> None:
        self.scratch = scratch
        self.deaths: list[Death] = []
        self.child = HostileChild(scratch, ChildLimits(**limits), Limits(), self.deaths.append)

    def make(self, code: str, outputs: Sequence[Output] = (Output(),)) -> Made:
        with self.child.workspace() as folder:
            return self._make(folder, code, outputs)

    def told(self, code: str) -> Any:
        """What the code told by `tell`."""
        with self.child.workspace() as folder:
            self._make(folder, code, (Output(),))
            return json.loads((folder / "told").read_text())

    def works(self) -> bool:
        """Whether the next job is done as if nothing had been."""
        return self.told("tell('well')") == "well"

    @property
    def pid(self) -> int:
        return int(self.told("tell(os.getpid())"))

    def needs(self, *steps: str) -> None:
        """Skip a claim that this machine's kernel cannot keep."""
        self.child.start()
        for lack in self.child.lacks:
            if lack.startswith(steps):
                pytest.skip(f"this machine has not: {lack}")

    def _make(self, folder: Path, code: str, outputs: Sequence[Output]) -> Made:
        source = folder / "source"
        source.write_text(code)
        return self.child.make(source, outputs, folder)


@pytest.fixture
def open_slot(tmp_path: Path) -> Iterator[Callable[..., Slot]]:
    """Make a slot with limits of its own."""
    slots: list[Slot] = []

    def make(**limits: Any) -> Slot:
        scratch = tmp_path / f"slot{len(slots)}"
        scratch.mkdir()
        slots.append(Slot(scratch, **limits))
        return slots[-1]

    yield make
    for slot in slots:
        slot.child.close()


@pytest.fixture
def slot(open_slot: Callable[..., Slot]) -> Slot:
    return open_slot()
