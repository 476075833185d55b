"""The command: how its programs start, what they refuse, and how they end."""

import socket
import sqlite3
import struct
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest

from thumbnailer_api.shutdown import shut_down


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_the_api_waits_for_the_tables_and_says_which_command_helps(program) -> None:
    api = program.start("serve")
    deadline = time.monotonic() + 20
    while "thumbnailer-api migrate" not in api.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert httpx.get(f"{api.health}/healthz").status_code == 200
    answer = httpx.get(f"{api.health}/readyz")
    assert (answer.status_code, answer.json()["state"]) == (503, "starting")
    assert "thumbnailer-api migrate" in answer.json()["database"]
    left = httpx.get(f"{api.health}/readyz?exclude=database&exclude=objects").json()
    assert left == {"state": "starting"}, "a probe may leave stores out, whose trouble callers are told with 503"
    assert program.run("migrate").returncode == 0
    api.wait_until_ready()
    assert httpx.get(f"{api.url}/queue").status_code == 200


def test_the_housekeeper_waits_for_the_tables_and_says_so(program) -> None:
    housekeeper = program.start("housekeeper")
    deadline = time.monotonic() + 20
    while "thumbnailer-api migrate" not in housekeeper.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    answer = httpx.get(f"{housekeeper.health}/readyz")
    assert (answer.status_code, answer.json()["loop"]) == (503, "waiting for the stores")
    assert program.run("migrate").returncode == 0
    housekeeper.wait_until_ready()


def test_tables_that_are_marked_as_too_new_are_refused(program) -> None:
    assert program.run("migrate").returncode == 0
    with sqlite3.connect(program.folder / "data" / "thumbnailer.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.execute("INSERT INTO facts (name, value) VALUES ('needed revision', '9999')")
    database.close()
    for command in ("serve", "housekeeper", "migrate"):
        ended = program.run(command, PORT="0", API_HEALTH_PORT="0", HOUSEKEEPER_HEALTH_PORT="0")
        assert ended.returncode == 1
        assert "9999" in ended.stderr.strip().splitlines()[-1]
        assert "Traceback" not in ended.stderr


def test_objects_of_another_database_are_refused(program) -> None:
    program.serve().stop()
    for file in (program.folder / "data").glob("thumbnailer.db*"):
        file.unlink()
    assert program.run("migrate").returncode == 0
    ended = program.run("serve", PORT="0", API_HEALTH_PORT="0")
    assert ended.returncode == 1
    assert "belongs to database" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("command", "setting"),
    [("serve", "PORT"), ("serve", "API_HEALTH_PORT"), ("housekeeper", "HOUSEKEEPER_HEALTH_PORT")],
)
def test_a_port_that_is_taken_is_named(program, command, setting) -> None:
    assert program.run("migrate").returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = program.run(command, **{"PORT": "0", "API_HEALTH_PORT": "0", setting: port})
    assert ended.returncode == 2
    said = f"thumbnailer-api: THUMBNAILER_{setting} is {port}: it cannot be used: Address already in use"
    assert ended.stderr.splitlines() == [said]


def test_the_api_needs_two_ports(program) -> None:
    ended = program.run("serve", PORT="9000", API_HEALTH_PORT="9000")
    assert ended.returncode == 2
    assert "THUMBNAILER_PORT and THUMBNAILER_API_HEALTH_PORT are both 9000" in ended.stderr


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_both_listeners_speak_ipv6(program) -> None:
    assert program.run("migrate").returncode == 0
    api = program.start("serve", HOST="::1", LOG_FORMAT="json")
    api.url, api.health = (url.replace("127.0.0.1", "[::1]") for url in (api.url, api.health))
    api.wait_until_ready()
    assert httpx.get(f"{api.url}/queue").status_code == 200
    assert f'"url": "{api.url}"' in api.log.read_text()


def test_an_api_without_authentication_keeps_to_the_loopback(program) -> None:
    ended = program.run("serve", HOST="0.0.0.0")  # noqa: S104 - it is refused
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "THUMBNAILER_INSECURE_NO_AUTH=yes" in ended.stderr
    assert program.run("migrate").returncode == 0
    api = program.start("serve", HOST="0.0.0.0", INSECURE_NO_AUTH="yes")  # noqa: S104
    api.wait_until_ready()


@pytest.mark.parametrize("command", [[], ["serve"], ["housekeeper"], ["migrate"]])
def test_every_command_has_a_help(program, command) -> None:
    ended = program.run(*command, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Usage: thumbnailer-api" in ended.stdout


def test_the_tables_may_be_made_by_several_at_a_time(program) -> None:
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(program.run("migrate").returncode)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0, 0]


def test_sigterm_ends_the_api_with_what_it_has_in_hand(program, image) -> None:
    api = program.serve(GRACE_SECONDS="15")
    data = image(1000)
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as slow:
        slow.sendall(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + data[:500])
        with socket.create_connection((host, int(port)), timeout=20) as waiting:
            job = httpx.post(f"{api.url}/jobs", content=data).json()["id"]
            waiting.sendall(f"GET /jobs/{job} HTTP/1.1\r\nHost: x\r\nPrefer: wait=60\r\n\r\n".encode())
            time.sleep(0.5)
            api.process.terminate()
            assert waiting.recv(65536).startswith(b"HTTP/1.1 200"), "who waits is told how the job is"
            time.sleep(0.5)
            slow.sendall(data[500:])
            assert slow.recv(65536).startswith(b"HTTP/1.1 202"), "who sends may end"
    assert api.process.wait(20) == 0
    assert "stopped" in api.log.read_text()


def test_an_api_is_not_ready_before_it_stops_to_accept(start) -> None:
    service = start(drain_seconds=1.5)
    health = service.health
    assert httpx.get(f"{health}/readyz").status_code == 200
    end = threading.Thread(target=shut_down, args=(service.api,))
    end.start()
    time.sleep(0.5)
    assert httpx.get(f"{health}/readyz").json()["state"] == "draining"
    assert service.http.get("/queue").status_code == 200, "who did not know yet is answered"
    end.join()
    with pytest.raises(httpx.TransportError):
        httpx.get(service.url)


def test_a_caller_who_hardly_reads_does_not_hold_up_the_end(start) -> None:
    service = start(grace_seconds=1)
    job = service.completed(bytes(30_000_000))
    slow = service.connect(f"GET /jobs/{job.id}/outputs/0 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    slow.recv(100)
    end = threading.Thread(target=shut_down, args=(service.api,))
    end.start()
    deadline = time.monotonic() + 20
    while end.is_alive() and time.monotonic() < deadline:
        slow.recv(10_000)
        time.sleep(0.05)
    assert not end.is_alive()


def test_health_notices_a_thread_that_died(start, monkeypatch) -> None:
    service = start()
    assert httpx.get(f"{service.health}/healthz").status_code == 200
    monkeypatch.setattr(service.api.wiring.waiting, "_thread", threading.Thread())
    assert httpx.get(f"{service.health}/healthz").status_code == 503
    monkeypatch.undo()


def test_the_housekeeper_keeps_house_until_sigterm(program, image) -> None:
    api = program.serve()
    housekeeper = program.start("housekeeper", HOUSEKEEPING_SECONDS="0.1")
    housekeeper.wait_until_ready()
    assert httpx.get(f"{housekeeper.health}/healthz").status_code == 200
    httpx.post(f"{api.url}/jobs", content=image(1000))
    deadline = time.monotonic() + 20
    sign = 'thumbnailer_queue_messages{queue="standard",state="waiting"} 1.0'
    while sign not in httpx.get(f"{housekeeper.health}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "thumbnailer_api_" not in httpx.get(f"{housekeeper.health}/metrics").text
    assert "thumbnailer_housekeeping_" not in httpx.get(f"{api.health}/metrics").text
    assert housekeeper.stop() == 0


def test_a_request_leaves_one_line_with_what_it_was(program, image) -> None:
    api = program.serve(LOG_FORMAT="json")
    job = httpx.post(f"{api.url}/jobs", content=image(1000), headers={"X-Request-Id": "abc"}).json()["id"]
    httpx.get(f"{api.url}/jobs/{job}?token=secret")
    api.stop()
    lines = [line for line in api.log.read_text().splitlines() if '"request"' in line]
    assert len(lines) == 2
    for part in ('"method": "POST"', '"route": "/jobs"', '"status": 202', '"request_id": "abc"', f'"job": "{job}"'):
        assert part in lines[0]
    assert '"route": "/jobs/<job>"' in lines[1]
    assert "secret" not in api.log.read_text()


def test_a_line_for_a_terminal_has_the_plain_id(program, image) -> None:
    api = program.serve(LOG_FORMAT="text")
    job = httpx.post(f"{api.url}/jobs", content=image(1000)).json()["id"]
    api.stop()
    text = api.log.read_text()
    assert job in text
    assert "UUID" not in text


def test_a_prober_that_hangs_up_early_leaves_no_trace_in_the_log(program) -> None:
    api = program.serve()
    address = urlsplit(api.health)
    for _ in range(20):
        with socket.create_connection((address.hostname, address.port)) as prober:
            prober.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close resets
            prober.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert api.stop() == 0
    assert "Traceback" not in api.log.read_text()
