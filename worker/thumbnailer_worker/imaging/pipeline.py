"""The way of an image: each step once for the source, then each step once for every output."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from PIL import Image

from thumbnailer_storage.jobs.pictures import FORMATS, Output, Result
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.made import Made, SourceInfo
from thumbnailer_worker.imaging.pillow import ALLOWED, pillow_within
from thumbnailer_worker.imaging.steps import colour, decode, encode, fit, identify, shrink
from thumbnailer_worker.imaging.work import Thumbnail, Work

SOURCE_STEPS: tuple[Callable[[Work], None], ...] = (
    identify.refuse_large_files,
    identify.identify,
    identify.refuse_many_pixels,
    identify.refuse_many_frames,
    decode.read_orientation,
    decode.plan_outputs,
    decode.choose_scale,
    decode.decode,
    shrink.shrink,
    shrink.note_transparency,
    colour.read_profile,
)

OUTPUT_STEPS: tuple[Callable[[Thumbnail], None], ...] = (
    fit.resize,
    fit.turn,
    colour.to_srgb,
    fit.lay_on_background,
    encode.encode,
)


def make(source: Path, outputs: Sequence[Output], folder: Path, limits: Limits) -> Made:
    """Make each output from one decoding, as `folder`/<n>.<extension>.

    Raises ImageRefused when it is the image that is to blame; the folder may then hold some of the results.
    """
    try:
        with source.open("rb") as file, pillow_within(limits):
            return _make(Work(file, outputs, limits), folder)
    except MemoryError:
        message = (
            "The job needs more memory than it may have: send an image with fewer pixels, or ask for smaller outputs."
        )
        raise ImageRefused(413, message) from None


def _make(work: Work, folder: Path) -> Made:
    start = perf_counter()
    for step in SOURCE_STEPS:
        step(work)
    decoded = perf_counter()
    results = tuple(
        _make_output(Thumbnail(n, output, plan, work, folder))
        for n, (output, plan) in enumerate(zip(work.outputs, work.plans, strict=True))
    )
    return Made(SourceInfo(work.format, *work.seen), results, decoded - start, perf_counter() - decoded)


def _make_output(thumbnail: Thumbnail) -> Result:
    for step in OUTPUT_STEPS:
        step(thumbnail)
    return thumbnail.result


def preload() -> None:
    """Load all that a job may need later, when no file can be opened any more, by doing a small one of each kind."""
    outputs = [Output(format=name, width=4, height=4) for name in FORMATS]
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        for codec in ALLOWED:
            Image.new("RGB", (8, 8)).save(source, format=codec)
            make(source, outputs, Path(name), Limits())
