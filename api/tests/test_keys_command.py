"""`thumbnailer-api keys`: what it makes, what it prints where, and what it makes only once."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs.key_format import is_well_formed, new_key
from thumbnailer_storage.jobs.schema import migrate
from thumbnailer_storage.opening import open_database

ONCE = ("keys", "create", "first", "--owner", "ada", "--once", "--file")


@pytest.fixture
def keys(program):
    """Runs `thumbnailer-api keys ...` on a database with tables."""
    database = open_database(StorageSettings(data=program.folder / "data"))
    migrate(database)
    database.close()
    return lambda *arguments: program.run("keys", *arguments)


def listed(keys, *more: str) -> list[dict]:
    return [json.loads(line) for line in keys("list", "--json", *more).stdout.splitlines()]


def test_a_new_key_stands_alone_on_standard_output(keys) -> None:
    made = keys("create", "laptop", "--owner", "ada", "--days", "30")
    assert made.returncode == 0
    assert is_well_formed(made.stdout.removesuffix("\n"))
    assert "'laptop' of 'ada'" in made.stderr
    assert "shown this once" in made.stderr
    assert made.stdout.strip() not in made.stderr


def test_a_new_key_comes_as_json_for_programs(keys) -> None:
    made = json.loads(keys("create", "ci", "--owner", "build", "--end", "2999-01-31", "--json").stdout)
    assert is_well_formed(made.pop("key"))
    assert made == listed(keys)[0]
    assert (made["name"], made["owner"], made["state"]) == ("ci", "build", "live")
    assert (made["end"], made["revoked"], made["last_used"]) == ("2999-01-31T00:00:00.000Z", None, None)


def test_keys_are_listed_without_what_would_let_anybody_use_them(keys) -> None:
    key = keys("create", "laptop", "--owner", "ada").stdout.strip()
    keys("create", "ci", "--owner", "build")
    shown = keys("list").stdout
    assert shown.splitlines()[1].split()[-2] == "submit,read,cancel"
    assert [line.split()[:3] for line in shown.splitlines()] == [
        ["NAME", "OWNER", "STATE"], ["laptop", "ada", "live"], ["ci", "build", "live"]
    ]  # fmt: skip
    assert key[4:] not in shown
    assert [known["name"] for known in listed(keys, "--owner", "ada")] == ["laptop"]


def test_what_a_key_may_do_is_said_when_it_is_made(keys, program, tmp_path) -> None:
    assert json.loads(keys("create", "a", "--owner", "ada", "--json").stdout)["scopes"] == ["submit", "read", "cancel"]
    keys("create", "b", "--owner", "ada", "--scopes", "admin, read")
    assert program.run(*ONCE, str(tmp_path / "first"), "--scopes", "submit,read,cancel,admin").returncode == 0
    assert [known["scopes"] for known in listed(keys)[1:]] == [["read", "admin"], ["submit", "read", "cancel", "admin"]]


def test_a_key_is_revoked_by_name_or_id_and_again_is_no_mistake(keys) -> None:
    keys("create", "laptop", "--owner", "ada")
    other = json.loads(keys("create", "laptop", "--owner", "eve", "--json").stdout)["id"]
    unclear = keys("revoke", "laptop")
    assert (unclear.returncode, unclear.stdout) == (1, "")
    assert "--owner" in unclear.stderr
    assert keys("revoke", "laptop", "--owner", "ada").returncode == 0
    for _ in range(2):
        assert json.loads(keys("revoke", other, "--json").stdout)["state"] == "revoked"
    assert {known["state"] for known in listed(keys)} == {"revoked"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("create", "x"), 2, "--owner"),
        (("create", "x", "--owner", "ada", "--end", "soon"), 2, "2027-01-31"),
        (("create", "x", "--owner", "ada", "--days", "0"), 2, "1<=x"),
        (("create", "x", "--owner", "ada", "--days", "1", "--end", "2999-01-01"), 2, "leave one of them out"),
        (("create", "x", "--owner", "ada", "--end", "2001-01-01"), 1, "is over already"),
        (("create", "x", "--owner", "ada", "--scopes", "read,write"), 2, "submit, read, cancel, admin"),
        (("create", "x", "--owner", "ada", "--once"), 2, "--file"),
        (("create", "x", "--owner", "ada", "--file", "y"), 2, "--once"),
        (("create", new_key(), "--owner", "ada"), 1, "neither a key nor an id"),
        (("revoke", "nobody's"), 1, "there is no key"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(keys, arguments, code, says) -> None:
    ended = keys(*arguments)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert says in ended.stderr.splitlines()[-1]


def test_without_tables_the_command_that_helps_is_named(program) -> None:
    ended = program.run("keys", "list")
    assert ended.returncode == 1
    assert "thumbnailer-api migrate" in ended.stderr


@pytest.mark.parametrize("command", [["keys"], ["keys", "create"], ["keys", "list"], ["keys", "revoke"]])
def test_every_command_has_an_example(program, command) -> None:
    shown = program.run(*command, "--help").stdout
    assert f"thumbnailer-api {' '.join(command)}" in shown.partition("Examples:\n")[2]


def test_the_first_key_is_written_for_its_owner_alone_and_made_once(keys, program, tmp_path) -> None:
    file = tmp_path / "first.key"
    made = program.run(*ONCE, str(file))
    assert made.returncode == 0
    assert str(file) in made.stdout
    key = file.read_text().strip()
    assert is_well_formed(key)
    assert key not in made.stdout + made.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keys("revoke", "first").returncode == 0
    file.unlink()
    again = program.run(*ONCE, str(file))
    assert again.returncode == 0
    assert "nothing is done" in again.stdout
    assert not file.exists()
    assert len(listed(keys)) == 1


@pytest.mark.parametrize("key", [new_key(), "thn_" + "0aZ9" * 10], ids=["ours", "made elsewhere"])
def test_a_first_key_that_is_given_is_the_one_that_counts(keys, program, tmp_path, key) -> None:
    file = tmp_path / "given.key"
    file.write_text(f"{key}\n")
    assert program.run(*ONCE, str(file)).returncode == 0
    assert file.read_text() == f"{key}\n"
    second = program.run("keys", "create", "second", "--owner", "ada", "--once", "--file", str(file))
    assert "nothing is done" in second.stdout
    assert [known["name"] for known in listed(keys)] == ["first"]


def test_a_file_that_holds_no_key_is_refused_and_left_alone(keys, program, tmp_path) -> None:
    file = tmp_path / "given.key"
    file.write_text("sesame\n")
    ended = program.run(*ONCE, str(file))
    assert ended.returncode == 1
    assert "that is no key" in ended.stderr
    assert "sesame" not in ended.stderr
    assert (file.read_text(), listed(keys)) == ("sesame\n", [])


def test_a_file_that_cannot_be_written_leaves_no_key_behind(keys, program, tmp_path) -> None:
    ended = program.run(*ONCE, str(tmp_path / "missing" / "first.key"))
    assert ended.returncode == 1
    assert "No such file or directory" in ended.stderr
    assert listed(keys) == []
    assert program.run(*ONCE, str(tmp_path / "first.key")).returncode == 0


def test_a_key_that_was_written_and_not_recorded_is_the_first_one_next_time(keys, program, tmp_path) -> None:
    file = tmp_path / "first.key"
    keys("create", "first", "--owner", "ada")  # the name is taken: the record fails after the file was written
    assert program.run(*ONCE, str(file)).returncode == 1
    key = file.read_text()
    keys("revoke", "first")
    assert program.run(*ONCE, str(file)).returncode == 0
    assert file.read_text() == key


def test_of_several_copies_at_once_one_makes_the_first_key(keys, program, tmp_path) -> None:
    files = [tmp_path / f"{copy}.key" for copy in range(4)]
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda file: program.run(*ONCE, str(file)), files))
    assert [end.returncode for end in ends] == [0] * 4
    assert sum("nothing is done" in end.stdout for end in ends) == 3
    assert sum(file.exists() for file in files) == len(listed(keys)) == 1
