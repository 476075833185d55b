"""CPU milliseconds that an image costs: our pipeline beside plain Pillow, and three sizes beside one.

    python benchmarks/pipeline.py [--photos N] [--rounds N]

Plain Pillow is open, thumbnail and save; "upright" has exif_transpose(in_place=True) before, as our pipeline turns
pictures upright too. The ratio is to the cheaper of the two.
Both make a thumbnail within 100x100 in the format of the source, with the same quality. They take turns, CPU time
counts, and each figure is the mean over the photos of the median over the rounds. To reach: see issue 4.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from time import process_time

import PIL
from photos import largest_photos, write_photo
from PIL import Image, ImageOps

from thumbnailer_storage.jobs.pictures import Fit, Output
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.pipeline import make, preload

MEGAPIXELS = (1, 4, 12)
QUALITY: dict[str, int | None] = {"jpeg": 80, "png": None, "webp": 80}
Runs = dict[str, Callable[[], object]]


def main() -> None:
    arguments = argparse.ArgumentParser(description="CPU of our pipeline beside plain Pillow's")
    arguments.add_argument("--photos", type=int, default=4, help="how many photos; the largest are taken")
    arguments.add_argument("--rounds", type=int, default=7, help="how often each is measured")
    asked = arguments.parse_args()
    preload()
    photos = largest_photos(asked.photos)
    print(f"Pillow {PIL.__version__}, Python {platform.python_version()}, {platform.machine()}")
    print(f"{len(photos)} photos: {', '.join(name for name, _ in photos)}\n")
    print("source        plain  upright     ours    ratio    one of 400   100, 200, 400    ratio")
    for name in QUALITY:
        for megapixels in MEGAPIXELS:
            times = [measure_photo(photo, megapixels, name, asked.rounds) for _, photo in photos]
            print_line(f"{name:5}{megapixels:3} MP", times)


def measure_photo(photo: Image.Image, megapixels: float, name: str, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        source, results = Path(folder) / "source", Path(folder) / "results"
        results.mkdir()
        write_photo(photo, megapixels, name, source)
        return measure(runs(source, results, name), rounds)


def runs(source: Path, results: Path, name: str) -> Runs:
    """What takes turns on one photo."""
    limits, quality = Limits(), QUALITY[name]
    small, middle, large = (Output(name, size, size, Fit.CONTAIN, quality) for size in (100, 200, 400))
    return {
        "plain": lambda: plain_pillow(source, results / "plain", name, upright=False),
        "plain upright": lambda: plain_pillow(source, results / "plain", name, upright=True),
        "ours": lambda: make(source, [small], results, limits),
        "one": lambda: make(source, [large], results, limits),
        "three": lambda: make(source, [small, middle, large], results, limits),
    }


def plain_pillow(source: Path, result: Path, name: str, *, upright: bool) -> None:
    with Image.open(source) as image:
        if upright:
            ImageOps.exif_transpose(image, in_place=True)
        image.thumbnail((100, 100))
        options = {"quality": QUALITY[name]} if QUALITY[name] else {}
        image.save(result, format=name, **options)


def measure(contestants: Runs, rounds: int) -> dict[str, float]:
    """Median CPU milliseconds of each; they take turns, so that whatever else the machine does meets all alike."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, run in contestants.items():
            start = process_time()
            run()
            taken[name].append((process_time() - start) * 1000)
    return {name: median(times[1:]) for name, times in taken.items()}


def print_line(source: str, photos: list[dict[str, float]]) -> None:
    plain, upright, ours, one, three = (mean(photo[name] for photo in photos) for name in photos[0])
    ratio = ours / mean(min(photo["plain"], photo["plain upright"]) for photo in photos)
    print(f"{source} {plain:8.1f} {upright:8.1f} {ours:8.1f} {ratio:8.2f} {one:13.1f} {three:15.1f} {three / one:8.2f}")


if __name__ == "__main__":
    main()
