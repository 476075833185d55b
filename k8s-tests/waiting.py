"""Waits that say what they wait for and, when they give up, show what the namespace looks like."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
HANGS = 150.0
"""Seconds: ten times what the slowest step is promised to take."""
SHOWN = 6000
"""Characters of each part of a namespace's state."""


def wait_until(what: str, holds: Callable[[], T], *, namespace: str, seconds: float = HANGS) -> T:
    """Look twice a second until `holds` returns something true, and return that."""
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while True:
        try:
            if found := holds():
                return found
        except subprocess.CalledProcessError as error:
            last = error  # something between us and the cluster that passes
        if time.monotonic() > deadline:
            seen = f" (last: {last.stderr})" if last else ""
            raise AssertionError(f"gave up after {seconds:.0f} s: {what}{seen}\n{state_of(namespace)}")
        time.sleep(0.5)


def stays(what: str, holds: Callable[[], object], *, namespace: str, seconds: float) -> None:
    """Something holds for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not holds():
            raise AssertionError(f"does not hold any more: {what}\n{state_of(namespace)}")
        time.sleep(0.5)


def state_of(namespace: str) -> str:
    """Pods, what scales them, events and the end of each pod's log."""
    pods = _said(namespace, "get", "pods", "-o", "name").split()
    shown = [
        ["get", "pods,deployments,statefulsets,hpa,scaledobjects,pvc", "-o", "wide"],
        ["get", "events", "--sort-by=.lastTimestamp"],
        *(["logs", pod, "--all-containers", "--prefix", "--tail=8"] for pod in pods),
    ]
    return "\n".join(f"$ kubectl {' '.join(words)}\n{_said(namespace, *words)}" for words in shown)


def _said(namespace: str, *words: str) -> str:
    command = ["kubectl", "--namespace", namespace, *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return (ended.stdout + ended.stderr)[-SHOWN:]
