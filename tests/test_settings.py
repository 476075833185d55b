"""Every setting is known to all programs, documented, and refused with a clear line when it is wrong."""

import os
import subprocess
from pathlib import Path

import make_settings
import pytest
from service import BIN

from thumbnailer_api.config import ApiSettings
from thumbnailer_storage.config import EVERY_NAME, StorageSettings, load, masked
from thumbnailer_storage.errors import SettingError
from thumbnailer_storage.opening import open_database
from thumbnailer_worker.config import WorkerSettings


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert make_settings.FILE.read_text() == make_settings.table(), "run .venv/bin/python docs/make_settings.py"


def test_each_program_knows_the_names_of_all_settings() -> None:
    classes = {kind for kinds in make_settings.CLASSES.values() for kind in kinds}
    names = {name.upper() for kind in classes for name in kind.model_fields} | set(make_settings.CLIENT)
    assert names == EVERY_NAME


def test_settings_that_two_programs_share_have_one_default() -> None:
    defaults: dict[str, set[str]] = {}
    for kinds in make_settings.CLASSES.values():
        for kind in kinds:
            for name, field in kind.model_fields.items():
                defaults.setdefault(name, set()).add(str(field.default))
    assert {name: values for name, values in defaults.items() if len(values) > 1} == {}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("THUMBNAILER_PORT", "http", "THUMBNAILER_PORT is 'http': input should be a valid integer"),
        ("THUMBNAILER_PORT", "70000", "THUMBNAILER_PORT is '70000': input should be less than or equal to 65535"),
        ("THUMBNAILER_PROT", "80", "THUMBNAILER_PROT is no setting of ours: did you mean THUMBNAILER_PORT?"),
        (
            "THUMBNAILER_DATABASE",
            "mysql://u:secret@h/d",
            "THUMBNAILER_DATABASE is 'mysql://u:***@h/d': it has to start",
        ),
        ("THUMBNAILER_OBJECTS", "ftp://x", "THUMBNAILER_OBJECTS is 'ftp://x': it has to be s3://bucket"),
        ("THUMBNAILER_QUEUE", "amqp:", "THUMBNAILER_QUEUE is 'amqp:': it has to be sqs://prefix"),
        ("THUMBNAILER_HOST", "0.0.0.0", "THUMBNAILER_INSECURE_NO_AUTH=yes"),  # noqa: S104 - it is refused
        ("THUMBNAILER_BODY_SECONDS", "inf", "THUMBNAILER_BODY_SECONDS is 'inf': input should be a finite number"),
        ("THUMBNAILER_LOG_LEVEL", "loud", "THUMBNAILER_LOG_LEVEL is 'loud': input should be 'debug', 'info'"),
    ],
)
def test_a_wrong_setting_ends_the_program_with_one_line_that_names_it(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    environment = {**os.environ, "THUMBNAILER_DATA": str(tmp_path), name: value}
    ended = subprocess.run(
        [BIN / "thumbnailer-api", "serve"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.strip().splitlines()
    assert says in line
    assert "secret" not in ended.stderr


def test_a_worker_that_cannot_fit_its_children_refuses_to_start(tmp_path: Path) -> None:
    environment = {**os.environ, "THUMBNAILER_DATA": str(tmp_path), "THUMBNAILER_CHILD_MEMORY_MIB": str(1 << 30)}
    ended = subprocess.run(
        [BIN / "thumbnailer-worker"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "THUMBNAILER_CHILD_MEMORY_MIB" in ended.stderr


def test_the_variables_that_kubernetes_injects_for_a_service_are_passed_over() -> None:
    links = {
        "THUMBNAILER_PORT": "tcp://10.0.0.1:80",
        "THUMBNAILER_PORT_80_TCP": "tcp://10.0.0.1:80",
        "THUMBNAILER_SERVICE_HOST": "10.0.0.1",
        "THUMBNAILER_API_SERVICE_PORT_HTTP": "80",
    }
    assert load(ApiSettings, links).port == 8080


def test_settings_do_not_change_once_they_are_read() -> None:
    settings = load(WorkerSettings, {"THUMBNAILER_QUEUES": "economy, gpu"})
    assert settings.queues == ("economy", "gpu")
    with pytest.raises(ValueError, match="frozen"):
        settings.queues = ()  # type: ignore[misc]


@pytest.mark.parametrize("names", ["express,slow,", "express,express", "Express", ","])
def test_a_list_of_queues_that_holds_no_names_is_refused(names: str) -> None:
    with pytest.raises(SettingError, match="THUMBNAILER_QUEUES"):
        load(WorkerSettings, {"THUMBNAILER_QUEUES": names})


def test_a_class_has_a_queue_beside_those_of_the_priorities() -> None:
    settings = load(StorageSettings, {"THUMBNAILER_CLASSES": "gpu, big-memory"})
    assert settings.queues == ("express", "standard", "economy", "gpu", "big-memory")
    assert load(StorageSettings, {"THUMBNAILER_CLASSES": ""}).queues == ("express", "standard", "economy")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("gpu,express", "express is the queue of a priority"),
        ("gpu,gpu", "name each once"),
        ("GPU", "small letters"),
        ("-gpu", "small letters"),
        ("big memory!", "small letters"),
        ("x" * 41, "up to 40"),
    ],
)
def test_a_class_that_could_not_be_a_queue_is_refused(names: str, says: str) -> None:
    with pytest.raises(SettingError, match=f"THUMBNAILER_CLASSES is '{names}': .*{says}"):
        load(StorageSettings, {"THUMBNAILER_CLASSES": names})


def test_a_data_folder_on_a_network_file_system_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from thumbnailer_storage import opening

    monkeypatch.setattr(opening, "file_system", lambda _: "nfs4")
    with pytest.raises(SettingError, match="network file system"):
        opening.open_stores(StorageSettings(data=tmp_path))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql+psycopg://u:secret@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql+psycopg://u:sec@ret@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql+psycopg:u:secret@h/d", "postgresql+psycopg:u:***@h/d"),
        ("postgresql+psycopg://h/d?user=u&password=secret&a=b", "postgresql+psycopg://h/d?user=u&password=***&a=b"),
        ('no answer from "http://u:secret@h:9000/"', 'no answer from "http://u:***@h:9000/"'),
        ("postgresql+psycopg://u@h:5432/d", "postgresql+psycopg://u@h:5432/d"),
    ],
)
def test_no_part_of_a_password_is_shown_however_it_is_written(address: str, shown: str) -> None:
    assert masked(address) == shown


@pytest.mark.parametrize("address", ["postgresql+psycopg://h:54a/d", "postgresql+psycopg://[::1/d"])
def test_an_address_that_is_none_is_a_wrong_setting(address: str) -> None:
    with pytest.raises(SettingError, match=r"THUMBNAILER_DATABASE is .*no address"):
        open_database(StorageSettings(database=address))
