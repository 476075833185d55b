"""The housekeeper reads prices, keeps them over a failure, and lets nothing wait for them."""

import math
import socket
import time

import httpx
import pytest
from prometheus_client import REGISTRY

from thumbnailer_api.config import HousekeeperSettings
from thumbnailer_api.housekeeping.loop import Duty, perform
from thumbnailer_api.housekeeping.prices import Prices
from thumbnailer_api.housekeeping.scaling import Fresh
from thumbnailer_storage.config import load
from thumbnailer_storage.errors import PriceUnavailable, SettingError


def shown(instance: str) -> float | None:
    return REGISTRY.get_sample_value("thumbnailer_spot_price_dollars", {"type": instance})


def test_a_price_is_kept_while_it_cannot_be_read_until_it_is_old() -> None:
    costs = {"a.large": 0.2}

    def cheapest(instance: str) -> float:
        if instance not in costs:
            raise PriceUnavailable(f"no price of {instance}")
        return costs[instance]

    kept: Fresh[float] = Fresh(0.2)
    prices = Prices(("x.large", "a.large"), kept, cheapest)
    with pytest.raises(PriceUnavailable, match=r"x\.large"):
        prices()
    assert dict(kept) == {"a.large": 0.2}
    assert shown("a.large") == 0.2
    assert math.isnan(shown("x.large") or 0)
    costs.clear()
    with pytest.raises(PriceUnavailable):
        prices()
    assert dict(kept) == {"a.large": 0.2}
    time.sleep(0.25)
    assert dict(kept) == {}
    assert math.isnan(shown("a.large") or 0)


def test_after_a_failure_a_duty_is_tried_again_sooner() -> None:
    def fail() -> int:
        raise PriceUnavailable("a test")

    late, soon = Duty("late", 300, lambda: 1, again=30), Duty("soon", 300, fail, again=30)
    now = time.monotonic()
    perform(late)
    perform(soon)
    assert late.due - now > 299
    assert 29 < soon.due - now < 40


@pytest.mark.parametrize("names", ["g4dn", "g4dn.xlarge,", "g4dn.xlarge,g4dn.xlarge", "G4DN.xlarge"])
def test_what_is_no_type_of_instance_is_refused(names: str) -> None:
    with pytest.raises(SettingError, match="THUMBNAILER_SPOT_PRICES"):
        load(HousekeeperSettings, {"THUMBNAILER_SPOT_PRICES": names})


def test_without_a_region_the_housekeeper_ends_with_a_line(program, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    ended = program.run("housekeeper", SPOT_PRICES="g4dn.xlarge")
    assert ended.returncode == 2
    assert "AWS_REGION" in ended.stderr.splitlines()[-1]


def test_nothing_waits_for_a_price_that_does_not_come(program, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name, value in {
            "AWS_ENDPOINT_URL_EC2": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AWS_REGION": "eu-west-3",
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "anything",
        }.items():
            monkeypatch.setenv(name, value)
        assert program.run("migrate").returncode == 0
        housekeeper = program.start("housekeeper", HOUSEKEEPING_SECONDS="0.1", SPOT_PRICES="g4dn.xlarge")
        housekeeper.wait_until_ready()
        silent.settimeout(20)
        connection, _ = silent.accept()
        with connection:
            before = rounds(housekeeper.health)
            while rounds(housekeeper.health) < before + 5:
                time.sleep(0.1)
            assert 'failures_total{duty="prices"}' not in metrics(housekeeper.health), "it still waits"
        page = httpx.get(f"{housekeeper.health}/scaling", trust_env=False).json()
        assert (page["prices"], "express" in page["queues"]) == ({}, True)


def metrics(health: str) -> str:
    return httpx.get(f"{health}/metrics", trust_env=False).text


def rounds(health: str) -> float:
    """How many queues were measured."""
    lines = metrics(health).splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith('thumbnailer_housekeeping_total{duty="obs'))
