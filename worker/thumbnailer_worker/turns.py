"""Which queue is asked first: the most urgent one, but not for ever."""

from __future__ import annotations

from collections.abc import Collection, Sequence

IN_A_ROW = 3
"""So many messages of one queue are taken while less urgent ones wait; then one of those has its turn.

It holds between the first queue and all others, between the second and those after it, and so on. While all three of a
worker's queues have work, it takes of sixteen messages twelve express ones, three standard ones and one economy one.
"""


class Turns:
    """The order in which one worker asks its queues, by what it took so far.

    Only what was taken of a queue while it was first counts, and any message of a less urgent queue settles that: after
    standard jobs alone, for however long, an express job is next.
    """

    def __init__(self, queues: Sequence[str]) -> None:
        self._queues = tuple(queues)
        self._in_a_row = dict.fromkeys(queues, 0)

    def order(self, empty: Collection[str] = ()) -> list[str]:
        """The queues without those known as `empty`; the next message is to be of the first one that has any."""
        order: list[str] = []
        for queue in reversed(self._among(empty)):
            order = [*order, queue] if self._in_a_row[queue] == IN_A_ROW else [queue, *order]
        return order

    def most(self, free: int, empty: Collection[str] = ()) -> int:
        """How many messages, `free` at most, may be taken in this order before it is another."""
        return min([free, *(max(1, IN_A_ROW - self._in_a_row[queue]) for queue in self._among(empty)[:-1])])

    def took(self, queue: str) -> None:
        """Count a message. One that came although others were first shows that those were empty: the turn is over."""
        place = self._queues.index(queue)
        self._in_a_row |= dict.fromkeys(self._queues[:place], 0)
        self._in_a_row[queue] = self._in_a_row[queue] % IN_A_ROW + 1

    def _among(self, empty: Collection[str]) -> list[str]:
        return [queue for queue in self._queues if queue not in empty]
