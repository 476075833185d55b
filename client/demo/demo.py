"""Make thumbnails of real photos with our own command, and show what came of it.

`make demo` has this start the service and end it. With `--url` it is a demo of a service that runs, and starts nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import config
import photos
from processes import BIN, Service, Unusable, free_ports
from rich import box
from rich.console import Console
from rich.table import Table

from thumbnailer import Job
from thumbnailer.batch.finding import find

THUMBNAILS = Path("thumbnails")
OUTPUTS = ("size=100x100", "format=webp,size=400x300,fit=contain")

console = Console(highlight=False)


def main() -> int:
    arguments = read_arguments()
    surroundings = config.load()
    folder = choose_photos(surroundings)
    if arguments.url:
        key = key_in(arguments.key_file) or surroundings.settings.get("THUMBNAILER_KEY", "")
        return demonstrate(folder, {**surroundings.others, "THUMBNAILER_URL": arguments.url, "THUMBNAILER_KEY": key})
    with TemporaryDirectory(prefix="thumbnailer-demo-", ignore_cleanup_errors=True) as data:
        settings = choose_settings(Path(data))
        with Service(surroundings.others, settings, logs=Path(data)) as service:
            start(service)
            caller = {**surroundings.others, "THUMBNAILER_URL": f"http://127.0.0.1:{settings['THUMBNAILER_PORT']}"}
            code = demonstrate(folder, caller)
            console.print("Next: [bold]make run[/], or [bold]make demo PHOTOS=folder[/].")
    return code


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a service that runs; none is started")
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help="the key for it, where it wants one; else THUMBNAILER_KEY"
    )
    arguments = parser.parse_args()
    if arguments.key_file and not arguments.url:
        parser.error("--key-file goes with --url: what is started here wants no key")
    return arguments


def key_in(file: Path | None) -> str:
    """What the file holds; nothing where none is named. Raises Unusable."""
    try:
        return "" if file is None else file.read_text().strip()
    except OSError as error:
        raise Unusable(f"The key cannot be read from {file}: {error.strerror}.") from error


def demonstrate(folder: Path, caller: Mapping[str, str]) -> int:
    """Have thumbnails made of the images in the folder, and show the jobs; the exit code of our command."""
    most = len(find([str(folder)]).items)
    before = {job.id for job in newest_jobs(caller, most)}
    code = submit(folder, caller)
    jobs = [job for job in newest_jobs(caller, most) if job.id not in before]
    show(jobs)
    made = any(job.complete for job in jobs)
    console.print(f"The thumbnails are in {THUMBNAILS}/." if made else "No thumbnail was made.")
    return code


def choose_photos(surroundings: config.Surroundings) -> Path:
    """The caller's folder or ours; Unusable if there is no image in it, by the names that our command goes by."""
    folder = surroundings.photos or photos.unpack()
    if not folder.is_dir():
        raise Unusable(f"There is no folder {folder}: set PHOTOS to one that holds images.")
    if not find([str(folder)]).items:
        raise Unusable(f"There is no image in {folder}: set PHOTOS to a folder with .jpg, .png or the like.")
    return folder


def choose_settings(data: Path) -> dict[str, str]:
    api, api_health, worker_health, housekeeper_health = free_ports(4)
    return {
        "THUMBNAILER_DATA": str(data),
        "THUMBNAILER_HOST": "127.0.0.1",
        "THUMBNAILER_PORT": api,
        "THUMBNAILER_API_HEALTH_PORT": api_health,
        "THUMBNAILER_WORKER_HEALTH_PORT": worker_health,
        "THUMBNAILER_HOUSEKEEPER_HEALTH_PORT": housekeeper_health,
        "THUMBNAILER_GRACE_SECONDS": "5",
    }


def start(service: Service) -> None:
    console.print("Starting API, worker and housekeeper.")
    service.migrate()
    service.start()
    service.wait_until_ready()


def submit(folder: Path, caller: Mapping[str, str]) -> int:
    """Run our command as a user would, on this terminal; its exit code."""
    command = ["thumbnailer", "submit", str(folder), "--to", str(THUMBNAILS), "--overwrite"]
    for output in OUTPUTS:
        command += ["--output", output]
    shown = " ".join(command)
    console.print(f"[bold]$ {shown}[/]", soft_wrap=True)
    return subprocess.run([str(BIN / command[0]), *command[1:]], env=caller, check=False).returncode


def newest_jobs(caller: Mapping[str, str], most: int) -> list[Job]:
    """So many of the caller's jobs at most, oldest first; Unusable where our command cannot list them."""
    command = [str(BIN / "thumbnailer"), "list", "--limit", str(most), "--json"]
    ended = subprocess.run(command, env=caller, check=False, stdout=subprocess.PIPE, text=True)
    if ended.returncode != 0:
        raise Unusable(f"thumbnailer list ended with {ended.returncode}.")
    return [Job.from_wire(json.loads(line)) for line in reversed(ended.stdout.splitlines())]


def show(jobs: list[Job]) -> None:
    table = Table(
        "file", "source", "outputs", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True
    )
    table.add_column("queued", justify="right")
    table.add_column("working", justify="right")
    for job in jobs:
        outputs = "\n".join(
            f"{str(output.media_type).removeprefix('image/')} {output.width}x{output.height} {size(output.bytes)}"
            for output in job.outputs
        )
        source = f"{job.source.format} {job.source.width}x{job.source.height} {size(job.source.bytes)}"
        made = (source, outputs) if job.complete else (size(job.source.bytes), job.message)
        table.add_row(job.filename, *made, seconds(job.queued_seconds), seconds(job.working_seconds))
    console.print(table)


def size(number: int | None) -> str:
    return "" if number is None else f"{number / 1000:,.0f} kB"


def seconds(number: float | None) -> str:
    return "" if number is None else f"{number:.2f} s"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unusable as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        console.print("Interrupted: nothing is left running.")
        sys.exit(130)
