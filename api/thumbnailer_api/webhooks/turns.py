"""Who is sent something next: owners take turns, and so do the receivers of each.

A lane is a receiver (scheme, host and port) and an owner. One that answers is sent some things at once. One that has
not answered yet, or not the last time, is a stranger: it is sent one thing at a time, and left alone for a while after
each silence, and all strangers together have half of the room, as those of one owner have of his. So there is room for
those that answer, however many do not. Silence is a lane's own affair: many owners call the same host for a chat.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

MOST_AT_ONCE = 32
MOST_OF_ONE = 4
"""To one receiver at once."""
MOST_OF_OWNER = 8
MOST_TO_STRANGERS = 16
STRANGERS_OF_OWNER = 4
READY_STRANGERS = 64
"""So many of an owner are kept in mind; further ones are found again once these are through."""
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0
"""For how long a lane that did not answer is left alone: each time twice as long as before."""
MOST_KNOWN = 10_000


def receiver_of(lane: str) -> str:
    return lane.partition(" ")[0]


def owner_of(lane: str) -> str:
    return lane.partition(" ")[2]


@dataclass(slots=True)
class Silence:
    """How often in a row a lane did not answer, and until when it is left alone."""

    times: int = 0
    until: float = 0.0


class Turns:
    """What waits to be sent, and what is being sent; not for several threads at once, save for how a try ended."""

    def __init__(self) -> None:
        self._ready: dict[str, dict[str, UUID]] = {}
        """For each owner, who is next first: his lanes, the next first, and what has been due for longest in each."""
        self._lanes: Counter[str] = Counter()
        self._receivers: Counter[str] = Counter()
        self._owners: Counter[str] = Counter()
        """How much is being sent to each."""
        self._answering: dict[str, None] = {}
        self._silent: dict[str, Silence] = defaultdict(Silence)

    @property
    def idle(self) -> bool:
        return not self._lanes

    def offer(self, heads: Iterable[tuple[str, UUID | None]]) -> None:
        """What has been due for longest in each of some lanes; None where nothing is due."""
        for lane, head in heads:
            lanes = self._ready.get(owner_of(lane), {})
            if head is None or self._rests(lane):
                lanes.pop(lane, None)
            elif lane in lanes or lane in self._answering or self._strangers(lanes) < READY_STRANGERS:
                lanes[lane] = head
            self._keep(owner_of(lane), lanes)

    def choose(self) -> dict[str, UUID]:
        """One lane of each owner, as far as there is room, and what is due in it; they count as being sent to."""
        chosen: dict[str, UUID] = {}
        strangers = Counter(owner_of(lane) for lane in self._lanes.elements() if lane not in self._answering)
        for owner, lanes in list(self._ready.items()):
            if self._lanes.total() >= MOST_AT_ONCE:
                break
            if lane := next((lane for lane in lanes if self._free(lane, strangers)), None):
                chosen[lane] = lanes.pop(lane)
                strangers[owner] += lane not in self._answering
                self._count(lane, 1)
                del self._ready[owner]  # and behind all others again
                self._keep(owner, lanes)
        return chosen

    def end(self, lane: str) -> None:
        """It is not being sent any more."""
        self._count(lane, -1)

    def answered(self, lane: str) -> None:
        self._silent.pop(lane, None)
        if len(self._answering) >= MOST_KNOWN:
            self._answering.clear()
        self._answering[lane] = None

    def did_not_answer(self, lane: str) -> None:
        self._answering.pop(lane, None)
        if len(self._silent) >= MOST_KNOWN:
            self._silent.clear()
        silence = self._silent[lane]
        silence.until = time.monotonic() + min(FIRST_REST_SECONDS * 2**silence.times, LONGEST_REST_SECONDS)
        silence.times = min(silence.times + 1, 10)

    def _keep(self, owner: str, lanes: dict[str, UUID]) -> None:
        if lanes:
            self._ready[owner] = lanes
        else:
            self._ready.pop(owner, None)

    def _rests(self, lane: str) -> bool:
        silence = self._silent.get(lane)
        return silence is not None and silence.until > time.monotonic()

    def _count(self, lane: str, n: int) -> None:
        for counts, name in (
            (self._lanes, lane),
            (self._receivers, receiver_of(lane)),
            (self._owners, owner_of(lane)),
        ):
            counts[name] += n
            if not counts[name]:
                del counts[name]

    def _strangers(self, lanes: Iterable[str]) -> int:
        return sum(lane not in self._answering for lane in lanes)

    def _free(self, lane: str, strangers: Counter[str]) -> bool:
        """There is room for one thing more, to its receiver and of its owner."""
        owner, receiver = owner_of(lane), receiver_of(lane)
        if self._receivers[receiver] >= MOST_OF_ONE or self._owners[owner] >= MOST_OF_OWNER:
            return False
        if lane in self._answering:
            return True
        room = strangers[owner] < STRANGERS_OF_OWNER and strangers.total() < MOST_TO_STRANGERS
        return room and not self._lanes[lane] and not self._rests(lane)
