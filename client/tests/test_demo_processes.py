"""What the demo starts, it ends: shown with programs that behave badly. The whole demo is run in tests/."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

DEMO = Path(__file__).parents[1] / "demo"

PROGRAM = """#!{python}
import os, signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
name = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
def stop(*_):
    print(name, "stops", flush=True)
    open("order", "a").write(name + "\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if os.environ.get("STUBBORN") == name else stop)
if os.environ.get("CHILDREN"):
    subprocess.Popen(["sleep", "600"])
if os.environ.get("DIES") == name:
    print("a reason to die")
    sys.exit(7)
if sys.argv[1:] == ["migrate"]:
    sys.exit(0)
class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.environ.get("NEVER") == name else 200)
        self.end_headers()
        self.wfile.write(b"not yet")
    def log_message(self, *_):
        pass
part = {{"thumbnailer-api serve": "API", "thumbnailer-worker": "WORKER"}}.get(name, "HOUSEKEEPER")
HTTPServer(("127.0.0.1", int(os.environ[f"THUMBNAILER_{{part}}_HEALTH_PORT"])), Ready).serve_forever()
"""


@pytest.fixture
def processes(tmp_path, monkeypatch):
    """The demo's module, with stand-ins of the programs that it starts."""
    monkeypatch.syspath_prepend(DEMO)
    module = importlib.import_module("processes")
    for name in ("thumbnailer-api", "thumbnailer-worker"):
        program = tmp_path / name
        program.write_text(PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
    monkeypatch.setattr(module, "BIN", tmp_path)
    monkeypatch.setattr(module, "SECONDS_TO_STOP", 2.0)
    monkeypatch.chdir(tmp_path)
    yield module
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def service(processes, tmp_path):
    def make(**environment):
        ports = processes.free_ports(4)
        settings = {"THUMBNAILER_HOST": "127.0.0.1"} | dict(zip(processes.PORTS, ports, strict=True))
        return processes.Service({**os.environ, **environment}, settings, logs=tmp_path)

    return make


def ours():
    return [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]


def sleepers(tmp_path):
    """What the stand-ins started and left: no children of ours any more, known by their folder."""
    seen = psutil.process_iter(["name", "cwd"])
    return [one for one in seen if one.info["name"] == "sleep" and one.info["cwd"] == str(tmp_path)]


def begin(service):
    service.migrate()
    service.start()
    service.wait_until_ready()


def test_all_are_ended_in_order(service, tmp_path):
    with service(CHILDREN="yes") as running:
        begin(running)
        assert len(ours()) == 6
    assert ours() == []
    assert sleepers(tmp_path) == []
    order = (tmp_path / "order").read_text().splitlines()
    assert order == ["thumbnailer-worker", "thumbnailer-api housekeeper", "thumbnailer-api serve"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_none_is_left_after_an_error(service, error):
    def use():
        with service() as running:
            begin(running)
            raise error

    with pytest.raises(error):
        use()
    assert ours() == []


def test_one_that_does_not_stop_is_killed(service):
    with service(STUBBORN="thumbnailer-worker") as running:
        begin(running)
    assert ours() == []


def test_sigterm_ends_all(service):
    def use():
        with service() as running:
            begin(running)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with pytest.raises(SystemExit):
        use()
    assert ours() == []


def test_one_that_dies_is_told_of_with_its_log(service, processes):
    with (
        pytest.raises(processes.Unusable, match="worker has ended with 7") as told,
        service(DIES="thumbnailer-worker") as running,
    ):
        begin(running)
    assert "a reason to die" in str(told.value)
    assert ours() == []


def test_a_failed_migration_is_told_of_with_its_log(service, processes):
    with (
        pytest.raises(processes.Unusable, match="migrate ended with 7") as told,
        service(DIES="thumbnailer-api migrate") as running,
    ):
        begin(running)
    assert "a reason to die" in str(told.value)


def test_one_that_does_not_get_ready_is_told_of_with_its_reason(service, processes, monkeypatch):
    monkeypatch.setattr(processes, "SECONDS_TO_BE_READY", 1.5)
    with (
        pytest.raises(processes.Unusable, match="API is not ready: 503 not yet"),
        service(NEVER="thumbnailer-api serve") as running,
    ):
        begin(running)
    assert ours() == []


def test_a_taken_port_is_named_before_anything_starts(processes, tmp_path):
    ports = processes.free_ports(4)
    settings = {"THUMBNAILER_HOST": "127.0.0.1"} | dict(zip(processes.PORTS, ports, strict=True))
    with socket.create_server(("127.0.0.1", int(ports[2]))):
        told = end_of_run(tmp_path, settings)
    assert told.startswith(f"Port {ports[2]} of 127.0.0.1 cannot be had (Address already in use): ")
    assert "set THUMBNAILER_WORKER_HEALTH_PORT" in told
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("port", ["0", "http", "65536"])
@pytest.mark.parametrize("setting", ["THUMBNAILER_PORT", "THUMBNAILER_WORKER_HEALTH_PORT"])
def test_a_port_that_is_none_is_refused_before_anything_starts(processes, tmp_path, setting, port):
    settings = dict(zip(processes.PORTS, processes.free_ports(4), strict=True))
    told = end_of_run(tmp_path, settings | {setting: port})
    assert told.startswith(f"{setting} is '{port}': set it to a port from 1 to 65535")
    assert not (tmp_path / "data").exists()


def end_of_run(tmp_path, settings):
    """What `make run` complains of."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THUMBNAILER_")}
    run = subprocess.run(
        [sys.executable, DEMO / "run.py"],
        cwd=tmp_path,
        env=kept | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    return run.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_all_end_when_we_are_killed(processes, tmp_path):
    script = (
        "import os, sys, time; from pathlib import Path; import processes\n"
        "processes.BIN = Path.cwd(); names = [program.health_port for program in processes.START]\n"
        "settings = {'THUMBNAILER_HOST': '127.0.0.1'} | dict(zip(names, processes.free_ports(3)))\n"
        "with processes.Service(os.environ, settings, logs=Path.cwd()) as running:\n"
        "    running.start(); running.wait_until_ready(); print('ready', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(DEMO)}, stdout=subprocess.PIPE
    ) as killed:
        assert killed.stdout.readline() == b"ready\n"
        left = psutil.Process(killed.pid).children(recursive=True)
        assert len(left) == 3
        killed.kill()
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []


def test_the_sideways_photo_differs_by_one_segment(monkeypatch):
    monkeypatch.syspath_prepend(DEMO)
    photos = importlib.import_module("photos")
    turned = photos.oriented(b"\xff\xd8\xff\xdb", 6)
    exif = "ffe10022 457869660000 4d4d002a00000008 0001 0112 0003 00000001 00060000 00000000"
    assert turned == b"\xff\xd8" + bytes.fromhex(exif) + b"\xff\xdb"
