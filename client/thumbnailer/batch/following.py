"""Follow a batch to its end, or to where it makes no sense to go on, and say what is left then."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from thumbnailer.batch.crews import run
from thumbnailer.batch.reporting import Report, report
from thumbnailer.errors import NotAllowed, NotThumbnailer, Problem, ServiceUnreachable, Unavailable
from thumbnailer.exits import Exit, code_of
from thumbnailer.terminal import complain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thumbnailer.batch.items import Item
    from thumbnailer.batch.steps import Step

HOPELESS = (ServiceUnreachable, NotThumbnailer, Unavailable, NotAllowed)
"""What the next item would meet too."""

MOST_IDS = 20


def follow(items: Sequence[Item], steps: Sequence[Step], *, as_json: bool) -> Exit:
    """Pass all items through all steps, and report; the exit code."""
    with report(len(items), steps, as_json=as_json) as told:
        try:
            _until_hopeless(items, steps, told)
        except KeyboardInterrupt:
            _tell_of_the_rest("Interrupted.", items, told)
            return Exit.INTERRUPTED
    return code_of(item.error for item in items)


def _until_hopeless(items: Sequence[Item], steps: Sequence[Step], told: Report) -> None:
    with closing(run(items, steps)) as happenings:
        for item, step in happenings:
            told.passed(item, step)
            if _hopeless(item.error):
                _tell_of_the_rest("Stopped.", items, told)
                return


def _hopeless(error: Exception | None) -> bool:
    # 422 is for the options, which all files share.
    return isinstance(error, HOPELESS) or (isinstance(error, Problem) and error.status == 422)


def _tell_of_the_rest(why: str, items: Sequence[Item], told: Report) -> None:
    rest = [item for item in items if not item.ended]
    if not rest:
        return
    for item in rest:
        told.left(item)
    going = [item.job.id for item in rest if item.job is not None and not item.job.finished]
    unsure = sum(item.begun and item.job is None for item in rest)
    unsent = sum(item.image is not None and not item.begun for item in rest)
    says = [why]
    if going:
        more = f" and {len(going) - MOST_IDS} more" if len(going) > MOST_IDS else ""
        ids = " ".join(going[:MOST_IDS])
        says.append(f"{_count(len(going), 'job')} in the service: thumbnailer status --wait {ids}{more}")
    if unsure:
        says.append(f"Cut off while being sent, and perhaps accepted (see thumbnailer list): {unsure}.")
    if unsent:
        says.append(f"Not sent: {unsent}.")
    complain(" ".join(says))


def _count(number: int, noun: str) -> str:
    return f"1 {noun} goes on" if number == 1 else f"{number} {noun}s go on"
