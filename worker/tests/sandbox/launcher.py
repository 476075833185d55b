"""The real child with a job of its own: it runs the source file as Python, which is what a broken decoder could do.

What the code may need is loaded here, since nothing can be once the child is confined. Without a word of its own the
job makes a "picture" for each output and tells the truth about it.
"""

import ctypes
import importlib
import json
import sys

from thumbnailer_storage.jobs.pictures import FORMATS, Result
from thumbnailer_worker.child.running import main
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.made import Made, SourceInfo

LOADED = (
    "ctypes",
    "fcntl",
    "json",
    "mmap",
    "os",
    "resource",
    "signal",
    "socket",
    "stat",
    "subprocess",
    "sys",
    "threading",
    "time",
)


def run(source, outputs, folder, limits):
    def honest(size=3):
        results = []
        for n, output in enumerate(outputs):
            name = output.format or "png"
            (folder / f"{n}.{FORMATS[name].extension}").write_bytes(b"x" * size)
            results.append(Result(n, name, output.width, output.height, size))
        return Made(SourceInfo("png", 100, 100), tuple(results), 0.1, 0.2)

    def tell(what):
        (folder / "told").write_text(json.dumps(what))

    def attempt(what):
        """What it gave, or the name of the error."""
        try:
            return repr(what())
        except OSError as error:
            return f"OSError: {error.strerror}"

    scope = {
        **{name: sys.modules[name] for name in LOADED},
        **{what.__name__: what for what in (honest, tell, attempt, Made, Result, SourceInfo, ImageRefused)},
        "folder": folder,
        "outputs": outputs,
        "answers": int(sys.argv[2]),
        "libc": ctypes.CDLL(None, use_errno=True),
    }
    exec(source.read_text(), scope)  # noqa: S102 - it is here to run hostile code
    return scope.get("made") or honest()


if __name__ == "__main__":
    main(run, preload=lambda: [importlib.import_module(name) for name in LOADED])
