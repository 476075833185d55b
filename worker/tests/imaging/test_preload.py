from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageCms

PROGRAM = """
import sys
from pathlib import Path
from thumbnailer_storage.jobs.pictures import FORMATS, Fit, Output
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.pipeline import make, preload

folder = Path(sys.argv[1])
preload()
touched = []

def watch(event, args):
    if event in ("open", "import", "socket.__new__", "subprocess.Popen"):
        touched.append(str(args[0]))

sys.addaudithook(watch)
outputs = [Output(name, 90, 60, fit) for name in FORMATS for fit in Fit]
outputs += [Output(name, 90, 60, background="#123456") for name in FORMATS]
sources = sorted(folder.glob("*.source"))
for source in sources:
    make(source, outputs, folder, Limits())
assert len(sources) > 10
print(sorted({name for name in touched if not name.startswith(str(folder))}))
"""


def test_after_preload_nothing_more_is_loaded(
    encoded: Callable[..., bytes], scene: Image.Image, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    small = scene.resize((300, 200))
    # under another name than sRGB, which the pipeline would leave alone
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = srgb.replace("sRGB".encode("utf-16-be"), "RGBs".encode("utf-16-be"))
    sources = {
        **{name: encoded(small, name) for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")},
        "MPO": encoded(small, "MPO", save_all=True, append_images=[small]),
        "exif": encoded(small, "JPEG", exif=exif, xmp=b"<x/>"),
        "profile": encoded(small, "JPEG", icc_profile=profile),
        "cmyk": encoded(small.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "palette": encoded(small.quantize(), "PNG", transparency=3),
        "animation": encoded(small, "GIF", save_all=True, append_images=[small.rotate(90)]),
        "apng": encoded(small.convert("RGBA"), "PNG", save_all=True, append_images=[small.rotate(90)]),
        "16 bit": encoded(Image.new("I;16", (300, 200)), "PNG"),
    }
    for name, data in sources.items():
        (tmp_path / f"{name}.source").write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stdout.strip()) == (0, "[]"), run.stderr
