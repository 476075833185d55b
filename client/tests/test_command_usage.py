"""What all commands of `thumbnailer` share: help, wrong usage, addresses, completion, a closed pipe."""

from __future__ import annotations

import json
import signal

import click
import pytest

from thumbnailer.cli import main


def test_an_address_can_be_given_on_the_line(thumbnailer, service):
    assert thumbnailer("--url", service.url, "queue", THUMBNAILER_URL="http://127.0.0.1:1")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sbmit"], "Did you mean 'submit'?"),
        (["submit", "a.jpg", "--output", "sise=1x1"], "did you mean size?"),
        (["submit", "a.jpg", "--output", "size=1x1,size=2x2"], "has 'size' twice"),
        (["submit", "a.jpg", "--metadata", "album"], "NAME=VALUE"),
        (["submit", "a.jpg", "--priority", "urgent"], "express"),
        (["submit", "a.jpg", "--metadata", "a=1", "--metadata", "a=2"], "'a' is given twice"),
        (["submit", "a.jpg", "--expires-in", "soon"], "'soon' is no time such as 30m, 12h or 7d"),
        (["submit", "a.jpg", "--webhook", "https://x", "--no-webhook"], "exclude each other"),
        (["keys", "create", "ci", "--scopes", "read,write"], "separate some of submit, read, cancel, admin by commas"),
        (["submit", "a.jpg", "--timeout", "x"], "'x' is not a valid number of seconds"),
        (["list", "--limit", "x"], "'x' is not a valid whole number"),
        (["list", "--since", "yesterday"], "2h"),
        (["list", "--since", "999999d"], "neither an age such as 2h nor a time"),
        (["usage", "--since", "yesterday"], "neither an age such as 7d nor a day such as 2026-11-24"),
        (["--url", "nowhere", "queue"], "'nowhere' is no address of a service: write it like http://127.0.0.1:8080"),
    ],
)
def test_wrong_usage_is_told_with_what_would_be_right(thumbnailer, arguments, message):
    code, _, err = thumbnailer(*arguments)
    assert code == 2
    assert message in err


def test_the_setting_of_a_wrong_address_is_named(thumbnailer):
    code, _, err = thumbnailer("queue", THUMBNAILER_URL="nowhere")
    assert code == 2
    assert "THUMBNAILER_URL is 'nowhere'" in err


def test_something_else_that_answers_is_called_so(thumbnailer, service, images):
    images("a.jpg")
    service.scripted = [(501, {}, b"<p>Unsupported method ('POST').</p>")]
    code, _, err = thumbnailer("submit", "a.jpg")
    assert code == 3
    assert f"What answers at {service.url} is not the thumbnailer" in err


def test_no_summary_is_cut(thumbnailer):
    _, out, _ = thumbnailer("--help", COLUMNS="80")
    assert "..." not in out.replace("[ARGS]...", "")


def leaves(group, *names):
    """All commands, each as the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *names, name)
        else:
            yield (*names, name)


COMMANDS = [words for words in leaves(main) if words != ("completion",)]
ARGUMENTS = {
    "submit": ["text.jpg"], "remove": ["{job}", "--yes"], "list": [], "queue": [], "usage": [], "limits": [],
    "redeliver": ["{job}", "6f0e"], "webhook show": [], "webhook set": ["https://example.com/x"],
    "keys create": ["ci"], "keys list": [], "keys revoke": ["{key}"],
}  # fmt: skip


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != ("webhook", "remove")], ids=" ".join)
def test_the_fields_of_json_are_documented(thumbnailer, service, images, words):
    images("text.jpg", text=b"TEXT")
    job = service.accept("a.jpg", b"an image", {})
    service.progress(job)
    service.webhook = {"url": "https://example.com/x", "events": ["complete"], "template": None}
    thumbnailer("keys", "create", "first")
    ids = {"{job}": job["id"], "{key}": next(iter(service.keys))}
    arguments = [ids.get(one, one) for one in ARGUMENTS.get(" ".join(words), ["{job}"])]
    (line, *_) = thumbnailer(*words, *arguments, "--json")[1].splitlines()
    _, out, _ = thumbnailer(*words, "--help")
    assert all(f'"{field}"' in out for field in json.loads(line))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_an_example(thumbnailer, words):
    code, out, _ = thumbnailer(*words, "--help")
    assert code == 0
    assert f"thumbnailer {' '.join(words)}" in out.partition("Example")[2]


def test_the_exit_codes_are_documented(thumbnailer):
    from thumbnailer.exits import Exit

    _, out, _ = thumbnailer("--help")
    assert all(f"  {code.value} " in out for code in Exit)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(thumbnailer, shell):
    code, out, _ = thumbnailer("completion", shell)
    assert code == 0
    assert "_THUMBNAILER_COMPLETE" in out


def test_a_closed_pipe_ends_quietly(service, start):
    for _ in range(1000):  # more than a pipe holds
        service.accept("a.jpg", b"an image", {})
    process = start("list", "--all")
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    assert process.communicate(timeout=10)[1] == ""
    assert process.returncode == 128 + signal.SIGPIPE
