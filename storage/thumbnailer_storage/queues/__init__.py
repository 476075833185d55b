"""Queues: what a backend has to do. A message is a job's id and nothing else; the record is the truth about the job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be sent: the message holds the job's id alone, and the owner says whose turn it waits for."""

    job: UUID
    owner: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message in somebody's hands; `receipt` belongs to this receive and to no other.

    `job` is None where the body is no id of ours: somebody else sent it.
    """

    queue: str
    job: UUID | None
    receipt: str


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages stand in a queue; approximate on queues that are many machines.

    A table counts up to ten thousand that wait, and as many that do not; what is 0 is exactly 0.
    """

    waiting: int
    in_flight: int
    delayed: int

    @property
    def empty(self) -> bool:
        return not (self.waiting or self.in_flight or self.delayed)


class Queue(Protocol):
    """One backend. Every method raises QueueUnavailable (a table's: DatabaseUnavailable) where it does not answer."""

    @property
    def retention(self) -> float | None:
        """Seconds after which the queue forgets a message; None: never, as far as is known."""

    def send(self, queue: str, outgoing: Iterable[Outgoing], *, delay: float = 0.0) -> None:
        """Send a message for each job; it can be received after `delay` seconds.

        Owners take turns: exactly in a table, as well as the server does it elsewhere.
        """

    def receive(self, queues: Sequence[str], *, most: int, visibility: float, wait: float = 0.0) -> list[Message]:
        """Up to `most` messages, the earlier queues' first, hidden from others for `visibility` seconds.

        Where there are none, a queue that can tell when one comes may wait for it, `wait` seconds at most.
        """

    def quiet(self, queues: Sequence[str]) -> bool:
        """Whether nothing can be received now, by a look that holds up nobody; False where only a receive tells."""

    def extend(self, messages: Iterable[Message], *, visibility: float) -> None:
        """Hide the messages for `visibility` seconds from now; passes over those that are no longer ours."""

    def release(self, message: Message, *, delay: float) -> None:
        """Put a message back, to be received after `delay` seconds; nothing where it is no longer ours."""

    def delete(self, message: Message) -> None:
        """Remove a message; nothing where it is gone or no longer ours."""

    def cancelled(self, owner: str) -> None:
        """An owner has cancelled jobs: where owners take turns here, those of his that nothing waits for are over."""

    def check(self, queues: Sequence[str]) -> None:
        """Raise QueueUnavailable where one of the queues could not be used now."""

    def depth(self, queue: str) -> Depth:
        """How many messages wait, are in flight and are delayed."""

    def purge(self, queue: str) -> None:
        """Remove all messages of a queue; the records send them again."""

    def close(self) -> None:
        """End what waits for messages, and put back what it was given; nothing is received afterwards."""
