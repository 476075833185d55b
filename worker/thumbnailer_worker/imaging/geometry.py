"""Which part of a source becomes which size: the arithmetic of fit, without any image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from thumbnailer_storage.jobs.pictures import Fit, Output

Size = tuple[int, int]
Point = tuple[float, float]
CENTRE: Point = (0.5, 0.5)

MIRRORED_ACROSS = (2, 3, 6, 7)
MIRRORED_DOWN = (3, 4, 7, 8)
AXES_SWAPPED = (5, 6, 7, 8)
"""What each EXIF orientation (Exif 2.3, tag 0x0112) does to a point on its way back from the viewer to the file: the
mirrors first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`box` (left, top, right, bottom) of the source becomes `size`, in the middle of `canvas`.

    All are pixels, as the viewer sees them; after `as_stored` box and size are in the file's own orientation.
    """

    box: tuple[float, float, float, float]
    size: Size
    canvas: Size

    @property
    def shrinks_by(self) -> float:
        """Pixels of the source for one of the result, on the axis where these are fewer; below 1 it enlarges."""
        left, top, right, bottom = self.box
        return min((right - left) / self.size[0], (bottom - top) / self.size[1])

    def as_stored(self, seen: Size, orientation: int) -> Plan:
        """The same for the pixels as they lie in the file; it was made for a source of the size `seen`."""
        left, top, right, bottom = self.box
        if orientation in MIRRORED_ACROSS:
            left, right = seen[0] - right, seen[0] - left
        if orientation in MIRRORED_DOWN:
            top, bottom = seen[1] - bottom, seen[1] - top
        if orientation in AXES_SWAPPED:
            return replace(self, box=(top, left, bottom, right), size=self.size[::-1])
        return replace(self, box=(left, top, right, bottom))


def plan(seen: Size, output: Output) -> Plan:
    """How a source, `seen` as its viewer sees it, becomes the output.

    cover    fills the box, what hangs over is cut off: in equal parts, or so that the focus is as near to the middle as
             the source allows. Where it may not enlarge, a source smaller than the box gives the largest picture of the
             box's shape that the source holds.
    contain  the largest that stays inside the box and keeps the shape; no side is less than 1.
    pad      the same, on a canvas of exactly the box.
    """
    box = (output.width, output.height)
    enlarge = output.fit != Fit.CONTAIN if output.enlarge is None else output.enlarge
    if output.fit == Fit.COVER:
        return _cover(seen, box, output.focus or CENTRE, enlarge=enlarge)
    inside = _inside(seen, box, enlarge=enlarge)
    return Plan((0, 0, *seen), inside, box if output.fit == Fit.PAD else inside)


def _cover(seen: Size, box: Size, focus: Point, *, enlarge: bool) -> Plan:
    if not enlarge:
        box = _inside(box, (min(seen[0], box[0]), min(seen[1], box[1])), enlarge=False)
    per_pixel = min(seen[0] / box[0], seen[1] / box[1])
    left, right = _around(focus[0] * seen[0], box[0] * per_pixel, seen[0])
    top, bottom = _around(focus[1] * seen[1], box[1] * per_pixel, seen[1])
    return Plan((left, top, right, bottom), box, box)


def _around(point: float, length: float, side: int) -> tuple[float, float]:
    """Begin and end of a part of a side, with the point in its middle where there is room on both of its sides."""
    begin = min(max(0.0, point - length / 2), max(0.0, side - length))
    return begin, min(begin + length, side)


def _inside(size: Size, box: Size, *, enlarge: bool) -> Size:
    factor = min(box[0] / size[0], box[1] / size[1])
    if not enlarge:
        factor = min(factor, 1.0)
    width, height = (max(1, round(side * factor)) for side in size)
    return min(width, box[0]), min(height, box[1])
