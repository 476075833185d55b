"""`make watch`: the depth of the queues beside the workers, while it happens; in a pipe a line for each change."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from pools import NoCluster, Pool, pools
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from thumbnailer import Client, ThumbnailerError
from thumbnailer.models import QueueState

HISTORY = 60
BAR = 30
SILENT_SECONDS = 5.0
"""After that somebody counts as not answering, though the client still tries."""
STEPS = " ▁▂▃▄▅▆▇█"

T = TypeVar("T")


class Look(Generic[T]):
    """Asks again and again in a thread of its own, so that whoever does not answer holds up no picture."""

    def __init__(self, who: str, ask: Callable[[], T], every: float) -> None:
        self._who = who
        self._ask = ask
        self._every = every
        self._answered = time.monotonic()
        self.first = threading.Event()
        self.seen: T | None = None
        self.error: ThumbnailerError | NoCluster | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.seen, self.error = self._ask(), None
            except (ThumbnailerError, NoCluster) as error:
                self.error = error
            self._answered = time.monotonic()
            self.first.set()
            time.sleep(self._every)

    @property
    def trouble(self) -> str:
        """What is wrong with what is seen; empty where nothing is."""
        if self.error is None and time.monotonic() - self._answered > self._every + SILENT_SECONDS:
            return f"{self._who} does not answer just now"
        return str(self.error or "")


class View:
    """What is seen now, and the depth and the ready workers of the last minute."""

    def __init__(self, queues: Look[QueueState], workers: Look[list[Pool]]) -> None:
        self._queues = queues
        self._workers = workers
        self._depths: deque[int] = deque(maxlen=HISTORY)
        self._ready: deque[int] = deque(maxlen=HISTORY)

    @property
    def depths(self) -> dict[str, int]:
        """Messages by queue: waiting, in flight and delayed."""
        seen = self._queues.seen
        found = seen.queues if seen else {}
        return {name: each.waiting + each.in_flight + each.delayed for name, each in found.items()}

    @property
    def pools(self) -> list[Pool]:
        return self._workers.seen or []

    @property
    def jobs(self) -> dict[str, int]:
        return {
            status: number for status, number in (self._queues.seen.jobs if self._queues.seen else {}).items() if number
        }

    def line(self) -> str:
        """All of it in a line: depth by queue, ready/desired workers by pool, jobs by status."""
        depths = " ".join(f"{name} {depth}" for name, depth in self.depths.items())
        workers = " ".join(f"{pool.name} {pool.ready}/{pool.desired}" for pool in self.pools) or "none"
        workers = "unknown" if self._workers.seen is None else workers
        jobs = " ".join(f"{status} {number}" for status, number in self.jobs.items())
        return f"queues: {depths} | workers: {workers} | jobs: {jobs or 'none'}{self.troubles()}"

    def troubles(self) -> str:
        return "".join(f" | {look.trouble}" for look in (self._queues, self._workers) if look.trouble)

    def picture(self) -> RenderableType:
        self._depths.append(sum(self.depths.values()))
        self._ready.append(sum(pool.ready for pool in self.pools))
        shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in ("", "", "now", "oldest job"):
            shown.add_column(column, no_wrap=True)
        most = max(1, *self._depths, *self.depths.values())
        for name, depth in self.depths.items():
            oldest = self._queues.seen.queues[name].oldest_seconds if self._queues.seen else None
            shown.add_row(Text(name), bar(depth, most), str(depth), f"{oldest:.0f} s" if oldest else "")
        shown.add_section()
        largest = max(1, *self._ready, *(pool.desired for pool in self.pools))
        for pool in self.pools:
            workers = f"{pool.ready} of {pool.desired}"
            shown.add_row(Text(f"workers of {pool.name}"), bar(pool.ready, largest, pool.desired), workers, "")
        jobs = "  ".join(f"{status} {number}" for status, number in self.jobs.items())
        return Group(
            shown,
            Text(f"\ndepth    {history(self._depths)}  up to {max(self._depths)}"),
            Text(f"workers  {history(self._ready)}  up to {max(self._ready)}"),
            Text(f"\nyour jobs: {jobs or 'none'}"),
            Text(self.troubles().removeprefix(" | "), style="yellow"),
        )


def bar(number: int, most: int, wanted: int = 0) -> Text:
    """So much of the most; what is wanted and not there yet is light."""
    full, light = (round(part * BAR / most) for part in (number, max(number, wanted)))
    full = max(full, number > 0)
    return Text("█" * full + "░" * (light - full))


def history(numbers: deque[int]) -> str:
    most = max(1, *numbers)
    return "".join(STEPS[-(-number * (len(STEPS) - 1) // most)] for number in numbers).rjust(HISTORY)


def main() -> None:
    asked = arguments()
    view = View(*looks(Client(asked.url, timeout=5.0), asked))
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        draw(view, console, asked.every)
    else:
        tell(view, console, asked.every)


def draw(view: View, console: Console, every: float) -> None:
    with Live(view.picture(), console=console, auto_refresh=False) as live:
        while True:
            live.update(view.picture(), refresh=True)
            time.sleep(every)


def tell(view: View, console: Console, every: float) -> None:
    said = ""
    while True:
        if (line := view.line()) != said:
            console.print(f"{datetime.now().astimezone():%H:%M:%S}  {line}", soft_wrap=True)
        said = line
        time.sleep(every)


def looks(client: Client, asked: argparse.Namespace) -> tuple[Look[QueueState], Look[list[Pool]]]:
    """Both, once each has been asked; raises ThumbnailerError where the service does not answer from the beginning."""
    queues = Look("the service", client.queue, asked.every)
    workers = Look("kubectl", lambda: pools(asked.namespace, asked.release), asked.every)
    queues.first.wait()
    if isinstance(queues.error, ThumbnailerError):
        raise queues.error
    workers.first.wait()
    return queues, workers


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Draw the depth of the queues beside the workers. The service is at THUMBNAILER_URL, which wants "
        "THUMBNAILER_KEY; the workers are those that kubectl sees. Ctrl-C ends it."
    )
    parser.add_argument("--url", help="where the service is, else THUMBNAILER_URL")
    parser.add_argument("-n", "--namespace", help="of the release, else kubectl's own")
    parser.add_argument("--release", help="its name, where the namespace has several")
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="pause between two looks (1)")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except ThumbnailerError as error:
        sys.exit(f"watch: {error}")
    except (KeyboardInterrupt, BrokenPipeError):
        pass
