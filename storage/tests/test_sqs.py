"""Messages in SQS: they are read, written and deleted in queues of the test's own, which are removed again."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import UUID, uuid4

import pytest
from containers import Servers, client
from outgoing import of

from thumbnailer_storage.errors import QueueMissing, QueueRefused, QueueUnavailable, SettingError
from thumbnailer_storage.queues import Depth, Outgoing, Queue
from thumbnailer_storage.queues.sqs import EMPTY_SECONDS, LONGEST_WAIT, SqsQueue

ALL = ("express", "standard", "economy")
HIDDEN = 30.0
ANSWER_SECONDS = 4.5
"""What a caller's answer within five seconds leaves to a queue that is down."""
KILLED_IN_ITS_POLL = """
import sys
from thumbnailer_storage.queues.sqs import SqsQueue
print("polling", flush=True)
SqsQueue(sys.argv[1]).receive(["standard"], most=1, visibility=2, wait=5)
"""


@pytest.fixture
def prefix(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in servers.elasticmq().items():
        monkeypatch.setenv(name, value)
    with servers.queues() as prefix:
        yield prefix


@pytest.fixture
def queue(prefix: str) -> Iterator[SqsQueue]:
    with closing(SqsQueue(prefix)) as queue:
        yield queue


class Raw:
    """The standard queue, as somebody else's program sees it."""

    def __init__(self, servers: Servers, prefix: str) -> None:
        self._sqs = client("sqs", servers.elasticmq())
        self._url = self._sqs.get_queue_url(QueueName=f"{prefix}-standard")["QueueUrl"]

    def send(self, body: str) -> None:
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def bodies(self) -> list[str]:
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in answer.get("Messages", ())]


@pytest.fixture
def raw(servers: Servers, prefix: str) -> Raw:
    return Raw(servers, prefix)


def received_by_another(prefix: str, within: float) -> UUID | None:
    """The job that another worker gets from the standard queue."""
    deadline = time.monotonic() + within
    with closing(SqsQueue(prefix)) as other:
        while time.monotonic() < deadline:
            if got := other.receive(["standard"], most=1, visibility=HIDDEN):
                return got[0].job
            time.sleep(0.05)
    return None


@contextmanager
def waiting(queue: Queue, *queues: str, visibility: float = HIDDEN) -> Iterator[Callable[[], list[UUID | None]]]:
    """A receive that waits in a thread of its own; gives what it received."""
    with ThreadPoolExecutor(1) as pool:
        polling = pool.submit(queue.receive, queues, most=3, visibility=visibility, wait=LONGEST_WAIT)
        time.sleep(0.5)
        yield lambda: [message.job for message in polling.result(2 * LONGEST_WAIT)]


def test_a_message_is_written_read_and_deleted_and_its_body_is_the_job_id_alone(queue: SqsQueue, raw: Raw) -> None:
    job = uuid4()
    queue.send("standard", of("ada", [job]))
    assert raw.bodies() == [str(job)]
    (message,) = queue.receive(ALL, most=10, visibility=HIDDEN)
    assert (message.queue, message.job) == ("standard", job)
    queue.delete(message)
    assert queue.depth("standard") == Depth(0, 0, 0)
    assert raw.bodies() == []


def test_what_somebody_else_sent_is_received_as_no_job(queue: SqsQueue, raw: Raw) -> None:
    for body in ("hello", "{" + str(uuid4()) + "}", str(uuid4()).upper(), f"urn:uuid:{uuid4()}"):
        raw.send(body)
    foreign = queue.receive(ALL, most=10, visibility=HIDDEN)
    assert [message.job for message in foreign] == [None] * 4
    for message in foreign:
        queue.delete(message)
    assert queue.depth("standard").empty


def test_delays_and_visibilities_longer_than_sqs_allows_are_cut(queue: SqsQueue) -> None:
    queue.send("standard", of("ada", [uuid4()]), delay=1e6)
    assert queue.depth("standard") == Depth(waiting=0, in_flight=0, delayed=1)
    queue.send("economy", of("ada", [uuid4()]))
    (message,) = queue.receive(["economy"], most=1, visibility=1e6)
    queue.extend([message], visibility=1e6)
    queue.release(message, delay=1e6)
    assert queue.depth("economy").in_flight == 1


def test_an_idle_receiver_gets_a_message_as_soon_as_it_is_sent(queue: SqsQueue) -> None:
    with waiting(queue, *ALL) as received:
        job, began = uuid4(), time.monotonic()
        queue.send("economy", of("ada", [job]))
        assert received() == [job]
        print(f"received {(time.monotonic() - began) * 1000:.0f} ms after it was sent")


def test_a_busy_receiver_asks_an_urgent_queue_that_was_empty_again_a_moment_later(queue: SqsQueue) -> None:
    asked: list[str] = []
    count: Callable[..., None] = lambda params, **_: asked.append(params["QueueUrl"].rpartition("-")[2])  # noqa: E731
    queue._calls.meta.events.register("provide-client-params.sqs.ReceiveMessage", count)
    queue.send("standard", of("ada", [uuid4() for _ in range(6)]))

    def receive() -> str:
        (message,) = queue.receive(["express", "standard"], most=1, visibility=HIDDEN, wait=1)
        return message.queue

    began = time.monotonic()
    assert [receive() for _ in range(3)] == ["standard"] * 3
    if time.monotonic() - began < EMPTY_SECONDS:
        assert asked == ["express", *["standard"] * 3]
    queue.send("express", of("ada", [uuid4()]))
    time.sleep(EMPTY_SECONDS)
    assert receive() == "express"


def test_what_other_polls_bring_when_nobody_waits_goes_back_at_once(queue: SqsQueue, prefix: str) -> None:
    first, second = uuid4(), uuid4()
    with waiting(queue, "express", "standard") as received:
        queue.send("express", of("ada", [first]))
        assert received() == [first]
    queue.send("standard", of("ada", [second]))
    assert received_by_another(prefix, LONGEST_WAIT) == second


def test_closing_wakes_who_waits_and_puts_back_what_the_polls_bring(queue: SqsQueue, prefix: str) -> None:
    job = uuid4()
    with waiting(queue, "standard") as received, ThreadPoolExecutor(1) as pool:
        closed = pool.submit(queue.close)
        assert received() == []
        assert not closed.done()  # the poll goes on, and gets the message
        queue.send("standard", of("ada", [job]))
        closed.result(LONGEST_WAIT)
    assert received_by_another(prefix, 1) == job
    assert queue.receive(ALL, most=1, visibility=HIDDEN, wait=LONGEST_WAIT) == []


def test_what_a_killed_poll_had_taken_comes_back(queue: SqsQueue, prefix: str) -> None:
    command = [sys.executable, "-c", KILLED_IN_ITS_POLL, prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as doomed:
        assert doomed.stdout
        assert doomed.stdout.readline() == b"polling\n"
        time.sleep(1.5)
        doomed.send_signal(signal.SIGKILL)
    job = uuid4()
    queue.send("standard", of("ada", [job]))
    began = time.monotonic()
    assert received_by_another(prefix, 20) == job
    print(f"received {time.monotonic() - began:.1f} s after it was sent to a queue with a dead poll")


def test_a_queue_that_is_not_there_is_named(prefix: str) -> None:
    with (
        closing(SqsQueue(f"{prefix}x")) as queue,
        pytest.raises(QueueMissing, match=f"no queue {prefix}x-standard"),
    ):
        queue.check(["standard"])


def test_a_queue_that_was_made_anew_is_found_again(servers: Servers, queue: SqsQueue, prefix: str) -> None:
    sqs = client("sqs", servers.elasticmq())
    queue.check(ALL)
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=f"{prefix}-standard")["QueueUrl"])
    with pytest.raises(QueueMissing, match="no queue"):
        queue.check(ALL)
    sqs.create_queue(QueueName=f"{prefix}-standard")
    queue.check(ALL)


@contextmanager
def frozen() -> Iterator[str]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def black_hole() -> Iterator[str]:
    """Takes no connection and refuses none: its backlog is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for filler in fillers:
            filler.close()


@contextmanager
def nothing_there() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    given = ("AKIAEXAMPLE", "a-very-secret-key")
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), given, strict=True):
        monkeypatch.setenv(name, value)
    return given


@pytest.mark.parametrize("server", [nothing_there, black_hole, frozen])
@pytest.mark.parametrize("times", ["first", "later"])
def test_a_queue_that_is_down_costs_a_call_less_than_an_answer_may_take(
    server: Callable[[], Any], times: str, secrets: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", url)
        queue = SqsQueue("prefix")
        if times == "later":
            queue._urls["standard"] = f"{url}/1/prefix-standard"
        began = time.monotonic()
        with pytest.raises(QueueUnavailable) as caught:
            queue.send("standard", of("ada", [uuid4()]))
        assert time.monotonic() - began < ANSWER_SECONDS
    assert not isinstance(caught.value, QueueRefused)
    assert not any(secret in str(caught.value) for secret in secrets)


class Answering(HTTPServer):
    """Answers as AWS is documented to: each request gets the next of the answers, the last one again and again."""

    def __init__(self, *answers: tuple[int, dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), Answerer)
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []


class Answerer(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        status, answer = self.server.answers[0] if len(self.server.answers) == 1 else self.server.answers.pop(0)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Nothing on stderr."""


@contextmanager
def answering(monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, dict[str, Any]]) -> Iterator[Answering]:
    with Answering(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{server.server_port}")
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDeniedException"])
def test_a_wrong_key_is_refused_and_told_nowhere(
    code: str, secrets: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"__type": f"com.amazonaws.sqs#{code}", "message": f"signed with {' '.join(secrets)}"}
    with answering(monkeypatch, (403, said)), pytest.raises(QueueRefused, match=code) as caught:
        SqsQueue("prefix").check(["standard"])
    assert not any(secret in str(caught.value) for secret in secrets)


def test_only_what_failed_of_a_batch_is_sent_again(secrets: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [uuid4() for _ in range(3)]
    failed = [{"Id": "1", "SenderFault": False, "Code": "InternalError"}]
    answers = ({"QueueUrl": "http://x/1/q"}, {"Successful": [], "Failed": failed}, {"Successful": [], "Failed": []})
    with answering(monkeypatch, *((200, answer) for answer in answers)) as server:
        SqsQueue("prefix").send("standard", of("ada", jobs))
    sent = [[entry["MessageBody"] for entry in asked["Entries"]] for asked in server.asked[1:]]
    assert sent == [[str(job) for job in jobs], [str(jobs[1])]]


def test_messages_name_their_owner_by_a_digest_for_the_fair_queues_of_aws(
    secrets: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = ["ada", "ada", "Ëve, with a very long name " + "x" * 150]
    answers = ({"QueueUrl": "http://x/1/q"}, {"Successful": [], "Failed": []})
    with answering(monkeypatch, *((200, answer) for answer in answers)) as server:
        SqsQueue("prefix").send("standard", [Outgoing(uuid4(), owner) for owner in owners])
    groups = [entry["MessageGroupId"] for entry in server.asked[1]["Entries"]]
    assert groups[0] == groups[1] != groups[2]
    assert all(re.fullmatch("[0-9a-f]{32}", group) for group in groups)


def test_a_group_of_messages_is_no_line_that_one_in_flight_would_hold_up(queue: SqsQueue) -> None:
    """Those of FIFO queues are. ElasticMQ takes the groups of standard queues and makes nothing of them."""
    sent = [Outgoing(uuid4(), owner) for owner in "aaabab"]
    for out in sent:  # of one batch, messages come in any order
        queue.send("standard", [out])
    received = [queue.receive(["standard"], most=1, visibility=HIDDEN)[0].job for _ in sent]
    assert received == [out.job for out in sent]


def test_a_batch_that_keeps_failing_is_trouble(secrets: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"Successful": [], "Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]}
    with (
        answering(monkeypatch, (200, {"QueueUrl": "http://x/1/q"}), (200, failed)),
        pytest.raises(QueueUnavailable, match="did not take 1 messages"),
    ):
        SqsQueue("prefix").send("standard", of("ada", [uuid4()]))


def test_an_endpoint_that_is_no_address_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "elasticmq:9324")
    with pytest.raises(SettingError, match="elasticmq:9324"):
        SqsQueue("prefix")
