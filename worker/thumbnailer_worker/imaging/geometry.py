"""Which part of a source becomes which size: the arithmetic of fit, without any image."""

from __future__ import annotations

from dataclasses import dataclass

from thumbnailer_storage.jobs.model import Fit, Output

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """`box` (left, top, right, bottom) of the source becomes `size`, in the middle of `canvas`.

    Box and size are in the source's own orientation, the canvas is in the viewer's. All are pixels.
    """

    box: tuple[float, float, float, float]
    size: Size
    canvas: Size

    @property
    def shrinks_by(self) -> float:
        """Pixels of the source for one of the result, on the axis where these are fewer; below 1 it enlarges."""
        left, top, right, bottom = self.box
        return min((right - left) / self.size[0], (bottom - top) / self.size[1])

    def turned(self) -> Plan:
        """The same with the source's axes in each other's place."""
        left, top, right, bottom = self.box
        return Plan((top, left, bottom, right), self.size[::-1], self.canvas)


def plan(seen: Size, output: Output) -> Plan:
    """How a source, `seen` as its viewer sees it, becomes the output.

    cover    fills the box, what hangs over is cut off in equal parts. Where it may not enlarge, a source smaller than
             the box gives the largest picture of the box's shape that the source holds.
    contain  the largest that stays inside the box and keeps the shape; no side is less than 1.
    pad      the same, on a canvas of exactly the box.
    """
    box = (output.width, output.height)
    enlarge = output.fit != Fit.CONTAIN if output.enlarge is None else output.enlarge
    if output.fit == Fit.COVER:
        return _cover(seen, box, enlarge=enlarge)
    inside = _inside(seen, box, enlarge=enlarge)
    return Plan((0, 0, *seen), inside, box if output.fit == Fit.PAD else inside)


def _cover(seen: Size, box: Size, *, enlarge: bool) -> Plan:
    if not enlarge:
        box = _inside(box, (min(seen[0], box[0]), min(seen[1], box[1])), enlarge=False)
    per_pixel = min(seen[0] / box[0], seen[1] / box[1])
    left, top = (max(0.0, side - part * per_pixel) / 2 for side, part in zip(seen, box, strict=True))
    return Plan((left, top, seen[0] - left, seen[1] - top), box, box)


def _inside(size: Size, box: Size, *, enlarge: bool) -> Size:
    factor = min(box[0] / size[0], box[1] / size[1])
    if not enlarge:
        factor = min(factor, 1.0)
    width, height = (max(1, round(side * factor)) for side in size)
    return min(width, box[0]), min(height, box[1])
