"""`make watch` shows queues and workers as they change, and what it cannot see."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WATCH = Path(__file__).parents[1] / "demo" / "watch.py"
KUBECTL = """#!/bin/sh
echo "$@" > {folder}/asked
cat {folder}/deployments.json 2>/dev/null || {{ echo 'The connection to the server was refused' >&2; exit 1; }}
"""


def deployment(pool, replicas, **status):
    template = {"metadata": {"labels": {"thumbnailer/pool": pool}}}
    return {"metadata": {"name": f"x-{pool}"}, "spec": {"replicas": replicas, "template": template}, "status": status}


class Cluster:
    """A kubectl that knows these deployments."""

    def __init__(self, folder):
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(KUBECTL.format(folder=folder))
        program.chmod(0o755)

    def has(self, *deployments):
        new = self.folder / "new"
        new.write_text(json.dumps({"items": deployments}))
        new.replace(self.folder / "deployments.json")

    @property
    def asked(self):
        return (self.folder / "asked").read_text()


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


@pytest.fixture
def watch(tmp_path, service):
    begun = []

    def start(*arguments, out=subprocess.PIPE, path=f"{tmp_path}:/usr/bin:/bin", **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("THUMBNAILER_")}
        process = subprocess.Popen(
            [sys.executable, WATCH, "--every", "0.05", *arguments],
            env={**kept, "THUMBNAILER_URL": service.url, "PATH": path, "COLUMNS": "80", "TERM": "xterm", **more},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def queue(waiting, **jobs):
    depth = {"waiting": waiting, "in_flight": 2, "delayed": 1, "oldest_seconds": 3.5}
    return 200, {"Content-Type": "application/json"}, json.dumps({"jobs": jobs, "queues": {"express": depth}}).encode()


def test_in_a_pipe_each_change_is_a_line(watch, cluster, service):
    cluster.has(deployment("standard", 0), deployment("gpu", 1))
    process = watch("-n", "pictures", "--release", "mine")
    line = "queues: express 3 | workers: gpu 0/1 standard 0/0 | jobs: pending 4\n"
    assert process.stdout.readline().partition("  ")[2] == line
    cluster.has(deployment("standard", 4, readyReplicas=3), deployment("gpu", 1, readyReplicas=1))
    line = "queues: express 3 | workers: gpu 1/1 standard 3/4 | jobs: pending 4\n"
    assert process.stdout.readline().partition("  ")[2] == line
    service.scripted = [queue(40, pending=0, complete=7)]
    assert "express 43 | workers: gpu 1/1 standard 3/4 | jobs: complete 7\n" in process.stdout.readline()
    wanted = "--namespace pictures --selector app.kubernetes.io/component=worker,app.kubernetes.io/instance=mine"
    assert wanted in cluster.asked
    process.send_signal(signal.SIGINT)
    assert (process.wait(20), process.stderr.read()) == (0, "")


def test_on_a_terminal_it_is_drawn(watch, cluster):
    cluster.has(deployment("standard", 4, readyReplicas=2))
    ours, theirs = pty.openpty()
    process = watch(out=theirs)
    os.close(theirs)
    screen = ""
    deadline = time.monotonic() + 30
    while screen.count("workers of standard") < 2:
        assert time.monotonic() < deadline, screen
        screen += os.read(ours, 65536).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    assert (process.wait(20), process.stderr.read()) == (0, "")
    os.close(ours)
    rows = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen).splitlines()
    assert any(re.search(r"express +█{30} +3 +4 s", row) for row in rows), rows
    assert any(re.search(r"workers of standard +█{15}░{15} +2 of 4", row) for row in rows), rows
    assert any(re.search(r"depth +█+  up to 3", row) for row in rows), rows
    assert any("your jobs: pending 4" in row for row in rows), rows
    assert max(map(len, rows)) <= 80


def test_without_kubectl_the_depth_is_shown_and_the_reason(watch):
    line = watch(path="/nowhere").stdout.readline()
    assert "queues: express 3 | workers: unknown | jobs: pending 4 | there is no kubectl" in line


def test_a_cluster_without_workers_has_none(watch, cluster):
    cluster.has()
    assert "| workers: none |" in watch().stdout.readline()


def test_a_cluster_that_does_not_answer_is_told_in_kubectls_words(watch, cluster):
    assert "| The connection to the server was refused" in watch().stdout.readline()


@pytest.mark.parametrize(
    ("url", "key", "says"),
    [
        ("http://127.0.0.1:1", "", "watch: No connection to http://127.0.0.1:1"),
        ("nowhere", "", "watch: THUMBNAILER_URL is 'nowhere'"),
        (None, "two words", "watch: THUMBNAILER_KEY holds characters"),
    ],
)
def test_a_service_that_cannot_be_asked_is_one_line(watch, cluster, service, url, key, says):
    process = watch(THUMBNAILER_URL=url or service.url, THUMBNAILER_KEY=key)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, len(err.splitlines())) == (1, 1), err
    assert err.startswith(says)
