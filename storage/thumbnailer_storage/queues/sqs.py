"""Queues in SQS, or in what speaks its protocol, such as ElasticMQ."""

from __future__ import annotations

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from thumbnailer_storage.aws import client
from thumbnailer_storage.config import masked
from thumbnailer_storage.errors import QueueMissing, QueueRefused, QueueUnavailable, SettingError
from thumbnailer_storage.queues import Depth, Message, Outgoing
from thumbnailer_storage.queues.polls import Polls

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

T = TypeVar("T")

BATCH = 10
"""SQS takes and gives no more at a time."""
LONGEST_DELAY = 900
"""SQS delays no message for longer. One that comes too early is put back: the record says when its job is due."""
LONGEST_VISIBILITY = 43200
LONGEST_WAIT = 5.0
"""A long poll lasts no longer, so that a program that is told to stop can wait for it and put back what it brought.

SQS would hold it for 20 seconds; the empty answers of three queues cost a worker two cents a day.
"""
EMPTY_SECONDS = 0.2
"""How long a busy worker takes a more urgent queue for empty: asking it before each job would be a call a job."""
SEND_TRIES = 3

# Two attempts of 1.4 s each for an answer, and a pause of up to a second between them, are within the 4.5 s that a
# caller's answer leaves to a store that is down. All calls may be repeated: a message too many is harmless.
# Adaptive: where SQS throttles, the client slows down instead of failing. 64 connections: as many threads as talk to
# the queue at a time in an API with all its threads busy; more would be opened and closed for each call.
CALLS = Config(
    connect_timeout=1.0,
    read_timeout=1.4,
    retries={"mode": "adaptive", "total_max_attempts": 2},
    max_pool_connections=64,
    tcp_keepalive=True,
)
# A long poll is not repeated, since nobody may want its messages by then. A connection for each queue of a worker.
POLLS = CALLS.merge(
    Config(
        read_timeout=LONGEST_WAIT + 4.0,
        retries={"mode": "adaptive", "total_max_attempts": 1},
        max_pool_connections=16,
    )
)

NO_QUEUE = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
REFUSALS = (
    "AccessDenied",
    "AccessDeniedException",
    "InvalidAddress",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
NOT_OURS = (
    "AWS.SimpleQueueService.MessageNotInflight",
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
)
"""How servers say that a receipt is too old; SQS itself says nothing for most of them."""

DEPTH: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
RETENTION: QueueAttributeNameType = "MessageRetentionPeriod"
"""ElasticMQ has no such attribute: it forgets nothing."""


class SqsQueue:
    """The queues `<prefix>-express` and so on; they exist, since only an administrator may make any.

    Times are whole seconds here: what is hidden or delayed is so for at least as long as asked.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        try:
            self._calls, self._polling = client("sqs", CALLS), client("sqs", POLLS)
        except (BotoCoreError, ValueError) as error:
            raise SettingError(f"the settings of AWS (AWS_...) are wrong: {masked(str(error))}") from None
        self._urls: dict[str, str] = {}
        self._retentions: dict[str, float] = {}
        self._polls = Polls(self._poll, self._put_back)
        self._found_empty: dict[str, float] = {}
        self._idle = False

    @property
    def retention(self) -> float | None:
        """Known once the depth of a queue was asked for."""
        return min(self._retentions.values(), default=None)

    def send(self, queue: str, outgoing: Iterable[Outgoing], *, delay: float = 0.0) -> None:
        seconds = whole(delay, LONGEST_DELAY)
        for batch in in_batches(outgoing):
            left = {
                str(n): {"MessageBody": str(out.job), "MessageGroupId": group(out.owner), "DelaySeconds": seconds}
                for n, out in enumerate(batch)
            }
            for _ in range(SEND_TRIES):
                left = self._batch(queue, "send_message_batch", left)
                if not left:
                    break
            else:
                raise QueueUnavailable(f"the queue {self._name(queue)} did not take {len(left)} messages")

    def receive(self, queues: Sequence[str], *, most: int, visibility: float, wait: float = 0.0) -> list[Message]:
        """While messages come one after the other, the queues are asked in order; only then all of them at once."""
        found: list[Message] = []
        if self._polls.closed:
            return found
        if not (wait and self._idle):
            try:
                for queue in queues:
                    if len(found) < most and not (wait and self._empty_lately(queue)):
                        found += self._receive_at_once(queue, most - len(found), visibility)
            except QueueUnavailable:
                if not found:
                    raise
        if wait and not found:
            found = self._polls.first(queues, most=1, visibility=visibility, wait=min(wait, LONGEST_WAIT))
        self._idle = not found
        return found

    def _empty_lately(self, queue: str) -> bool:
        return time.monotonic() - self._found_empty.get(queue, -EMPTY_SECONDS) < EMPTY_SECONDS

    def _receive_at_once(self, queue: str, most: int, visibility: float) -> list[Message]:
        found: list[Message] = []
        while (wanted := min(most - len(found), BATCH)) > 0:
            got = self._receive(self._calls, queue, wanted, visibility, 0)
            found += got
            if len(got) < wanted:
                break
        if not found:
            self._found_empty[queue] = time.monotonic()
        return found

    def _poll(self, queue: str, visibility: float, wait: int) -> list[Message]:
        return self._receive(self._polling, queue, 1, visibility, wait)

    def _receive(self, sqs: SQSClient, queue: str, most: int, visibility: float, wait: int) -> list[Message]:
        with self._asking(queue) as url:
            answer = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=whole(visibility, LONGEST_VISIBILITY),
                WaitTimeSeconds=wait,
            )
        return [Message(queue, job_id(got["Body"]), got["ReceiptHandle"]) for got in answer.get("Messages", ())]

    def quiet(self, queues: Sequence[str]) -> bool:
        return False

    def extend(self, messages: Iterable[Message], *, visibility: float) -> None:
        by_queue: dict[str, list[Message]] = defaultdict(list)
        for message in messages:
            by_queue[message.queue].append(message)
        seconds = whole(visibility, LONGEST_VISIBILITY)
        for queue, ours in by_queue.items():
            for batch in in_batches(ours):
                entries = {
                    str(n): {"ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
                    for n, message in enumerate(batch)
                }
                if left := self._batch(queue, "change_message_visibility_batch", entries):
                    raise QueueUnavailable(f"{len(left)} messages of {self._name(queue)} could not be kept hidden")

    def release(self, message: Message, *, delay: float) -> None:
        with self._asking(message.queue) as url, passing_over_old_receipts():
            self._calls.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message.receipt, VisibilityTimeout=whole(delay, LONGEST_VISIBILITY)
            )

    def _put_back(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.release(message, delay=0.0)

    def delete(self, message: Message) -> None:
        with self._asking(message.queue) as url, passing_over_old_receipts():
            self._calls.delete_message(QueueUrl=url, ReceiptHandle=message.receipt)

    def cancelled(self, owner: str) -> None:
        """Turns are the service's own affair."""

    def check(self, queues: Sequence[str]) -> None:
        for queue in queues:
            self.depth(queue)

    def depth(self, queue: str) -> Depth:
        with self._asking(queue) as url:
            answer = self._calls.get_queue_attributes(QueueUrl=url, AttributeNames=[*DEPTH, RETENTION])
        found = answer.get("Attributes", {})
        if RETENTION in found:
            self._retentions[queue] = float(found[RETENTION])
        return Depth(*(int(found[name]) for name in DEPTH))

    def purge(self, queue: str) -> None:
        with self._asking(queue) as url:
            self._calls.purge_queue(QueueUrl=url)

    def close(self) -> None:
        """Lasts until every poll has ended, `LONGEST_WAIT` at most where the queue answers; another call finds none."""
        self._polls.close(LONGEST_WAIT + 1.0)

    def _name(self, queue: str) -> str:
        return f"{self._prefix}-{queue}"

    def _batch(self, queue: str, call: str, entries: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Make one call for several messages; returns the entries that failed and may be tried again.

        Raises QueueRefused where an entry is refused for good; passes over receipts that are too old.
        """
        with self._asking(queue) as url:
            made = [{"Id": number, **entry} for number, entry in entries.items()]
            failed = getattr(self._calls, call)(QueueUrl=url, Entries=made).get("Failed", ())
        mine = [entry for entry in failed if entry["Code"] not in NOT_OURS]
        if refused := next((entry["Code"] for entry in mine if entry["SenderFault"]), None):
            raise QueueRefused(f"the queue {self._name(queue)} refuses a message: {refused}")
        return {entry["Id"]: entries[entry["Id"]] for entry in mine}

    @contextmanager
    def _asking(self, queue: str) -> Iterator[str]:
        """The queue's address, looked up once and again after an error; what goes wrong is said in our terms.

        Of what the server says only the code is told: the text of a wrong signature holds what was signed.
        """
        name = self._name(queue)
        try:
            if queue not in self._urls:
                self._urls[queue] = self._calls.get_queue_url(QueueName=name)["QueueUrl"]
            yield self._urls[queue]
        except ClientError as error:
            self._urls.pop(queue, None)
            code = error.response.get("Error", {}).get("Code", "no code")
            if code in NO_QUEUE:  # it may come yet: ElasticMQ has none of its queues for a while after its start
                where = masked(self._calls.meta.endpoint_url)
                raise QueueMissing(f"there is no queue {name} at {where}: make it, or name others") from None
            kind = QueueRefused if code in REFUSALS else QueueUnavailable
            raise kind(f"the queue {name} refuses: {code}") from None
        except (NoCredentialsError, PartialCredentialsError, NoAuthTokenError) as error:
            raise QueueRefused(f"there are no credentials for the queue: {masked(str(error))}") from None
        except (BotoCoreError, ResponseParserError) as error:
            self._urls.pop(queue, None)
            raise QueueUnavailable(f"the queue {name} does not answer: {masked(str(error))}") from None


def in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(islice(left, BATCH)):
        yield batch


def whole(seconds: float, most: int) -> int:
    return min(max(0, math.ceil(seconds)), most)


def group(owner: str) -> str:
    """What tells SQS whose message it is: its fair queues, which are standard ones, keep a busy owner from being in
    everybody's way. A digest, since an owner may have letters that SQS refuses, and names are nobody's business there.
    """
    return hashlib.sha256(owner.encode()).hexdigest()[:32]


def job_id(body: str) -> UUID | None:
    """The id that a message holds; None where it is not written as we write it, since then somebody else sent it."""
    try:
        job = UUID(body)
    except ValueError:
        return None
    return job if str(job) == body else None


@contextmanager
def passing_over_old_receipts() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in NOT_OURS:
            raise
