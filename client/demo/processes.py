"""API, worker and housekeeper as child processes: started, waited for, and none left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

import httpx

BIN = Path(sys.executable).parent

SECONDS_TO_BE_READY = 60.0
SECONDS_TO_STOP = 30.0
LOG_LINES = 20


MIGRATE = "migrate"
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Unusable(Exception):
    """A program did not get ready, or has ended by itself; the text says why and shows the end of its log."""


@dataclass(frozen=True)
class Program:
    """One of ours, and the setting that names the port of its health listener."""

    name: str
    command: tuple[str, ...]
    health_port: str


API = Program("API", ("thumbnailer-api", "serve"), "THUMBNAILER_API_HEALTH_PORT")
WORKER = Program("worker", ("thumbnailer-worker",), "THUMBNAILER_WORKER_HEALTH_PORT")
HOUSEKEEPER = Program("housekeeper", ("thumbnailer-api", "housekeeper"), "THUMBNAILER_HOUSEKEEPER_HEALTH_PORT")

PORTS = ("THUMBNAILER_PORT", API.health_port, WORKER.health_port, HOUSEKEEPER.health_port)

START = (API, WORKER, HOUSEKEEPER)
STOP = (WORKER, HOUSEKEEPER, API)
"""What works ends first; callers can ask until the end."""


class Service:
    """All three of them on one set of settings. Leaving the context ends them, whatever happened.

    Each leads a process group of its own: Ctrl-C on the terminal reaches only us, who then stop them in order, and what
    a program started can be ended with it. With `logs`, a folder, what they print goes to files there.
    """

    def __init__(self, environment: Mapping[str, str], settings: Mapping[str, str], logs: Path | None = None) -> None:
        self._environment = {**environment, **settings}
        self._settings = settings
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Service:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)  # we are leaving already, and in no more than SECONDS_TO_STOP each
        for name in (MIGRATE, *(program.name for program in STOP)):
            if name in self._running:
                _end(self._running[name])

    def find_ports_free(self) -> None:
        """Unusable if a port is taken: what listens there would answer for ours."""
        with ExitStack() as held:  # all at once, so that one port for two listeners is seen
            for name in PORTS:
                held.enter_context(self._bind(name))

    def migrate(self) -> None:
        """Bring the tables up to date."""
        self._spawn(MIGRATE, ("thumbnailer-api", "migrate"))
        try:
            code = self._running[MIGRATE].wait(SECONDS_TO_BE_READY)
        except subprocess.TimeoutExpired as error:
            raise Unusable(f"thumbnailer-api migrate does not end.{self._log(MIGRATE)}") from error
        _end(self._running.pop(MIGRATE))
        if code != 0:
            raise Unusable(
                f"The tables could not be made: thumbnailer-api migrate ended with {code}.{self._log(MIGRATE)}"
            )

    def start(self) -> None:
        for program in START:
            self._spawn(program.name, program.command)

    def wait_until_ready(self) -> None:
        """Return once all three say so; Unusable."""
        end = time.monotonic() + SECONDS_TO_BE_READY
        for program in START:
            while (reason := self._why_not_ready(program)) is not None:
                self.check()
                if time.monotonic() > end:
                    raise Unusable(f"The {program.name} is not ready: {reason}.{self._log(program.name)}")
                time.sleep(0.1)

    def check(self) -> None:
        """Unusable if one of them has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise Unusable(f"The {name} has ended with {process.returncode}.{self._log(name)}")

    def health_url(self, program: Program) -> str:
        return f"http://{self._settings['THUMBNAILER_HOST']}:{self._settings[program.health_port]}"

    def _bind(self, name: str) -> socket.socket:
        host, port = self._settings["THUMBNAILER_HOST"], self._settings[name]
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise Unusable(f"{name} is {port!r}: set it to a port from 1 to 65535, so that callers know where to ask.")
        try:
            return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            reason = str(error.strerror).partition(" (")[0]  # create_server adds the address to it
            raise Unusable(
                f"Port {port} of {host} cannot be had ({reason}): end what holds it (another `make run`?), "
                f"or set {name} to another."
            ) from error

    def _why_not_ready(self, program: Program) -> str | None:
        try:
            answer = httpx.get(f"{self.health_url(program)}/readyz", timeout=2.0, trust_env=False)
        except httpx.TransportError as error:
            return str(error)
        return None if answer.is_success else f"{answer.status_code} {answer.text.strip()}"

    def _spawn(self, name: str, command: Sequence[str]) -> None:
        output = None if self._logs is None else self._logs.joinpath(f"{name}.log").open("ab")
        # A signal between the start of a child and our note of it would leave that child behind. Blocking it here is
        # enough as long as there is no other thread that could take it: no spinner of rich's meanwhile.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        try:
            self._running[name] = subprocess.Popen(
                [BIN / command[0], *command[1:]],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_begin,  # noqa: PLW1509 - we have one thread, see above
            )
        finally:
            if output is not None:
                output.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)

    def _log(self, name: str) -> str:
        if self._logs is None:
            return ""
        lines = self._logs.joinpath(f"{name}.log").read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([" Its log ends with:", *(f"  {line}" for line in lines)]) if lines else " Its log is empty."


def free_ports(number: int) -> list[str]:
    """Ports of the loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [str(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever it started and left
    process.wait()


def _begin() -> None:
    """In the child, before it becomes the program."""
    if LIBC is not None:
        LIBC.prctl(1, signal.SIGTERM)
    for number in ENDINGS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)


LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""On Linux the kernel tells a child when its parent dies, even of SIGKILL (PR_SET_PDEATHSIG, prctl(2))."""
