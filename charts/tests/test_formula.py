"""How many workers KEDA is asked for: each pool's formula, evaluated as KEDA does, over what its triggers say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from missing import needed
from rendering import Object, Rendered, render

HERE = Path(__file__).parent
FAILED = None
"""What KEDA puts in a trigger's place that failed more often than the threshold."""

Wanted = Callable[..., float]


@pytest.fixture(scope="session")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = needed("go", "formulas are evaluated by the library that KEDA uses, https://go.dev/doc/install")
    program = tmp_path_factory.mktemp("formula") / "formula"
    made = subprocess.run(
        [go, "build", "-o", program, "."], cwd=HERE / "formula", capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return program


@pytest.fixture
def value(evaluator: Path) -> Wanted:
    """The formula's value; triggers that are not named are at zero."""

    def evaluate(scaled: Object, **said: float | None) -> float:
        names = {trigger["name"] for trigger in scaled["spec"]["triggers"]}
        assert set(said) <= names, names
        question = {
            "formula": scaled["spec"]["advanced"]["scalingModifiers"]["formula"],
            "values": dict.fromkeys(names, 0) | said,
        }
        done = subprocess.run([evaluator], input=json.dumps([question]), capture_output=True, text=True, check=True)
        (answer,) = json.loads(done.stdout)
        assert isinstance(answer, (int, float)), answer
        return answer

    return evaluate


def pool(**values: object) -> Object:
    """The ScaledObject of the one pool `it`, of two queues, five messages for each worker."""
    pools = {"standard": {"enabled": False}, "economy": {"enabled": False}}
    values = {"queues": ["express", "standard", "economy"], "queueLength": 5} | values
    return render({"workers": {"pools": pools | {"it": values}}}).one("ScaledObject", "-worker-it")


NO_QUEUE = {"depth_express": FAILED, "depth_standard": FAILED, "depth_economy": FAILED}


def test_a_pools_queues_are_added_up(value: Wanted) -> None:
    assert value(pool(), depth_express=3, depth_standard=4, depth_economy=5) == 12


def test_an_empty_queue_wants_nobody_whoever_is_there(value: Wanted) -> None:
    assert value(pool()) == 0
    assert value(pool(), pods=4) == 0


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"depth_standard": 10}, 0),
        ({"depth_standard": 6, "depth_express": 5}, 11),
        ({"depth_standard": 1, "oldest_standard": 59}, 0),
        ({"depth_standard": 1, "oldest_standard": 61}, 1),
        ({"depth_standard": 1, "oldest_express": 61}, 1),
        ({"depth_standard": 1, "pods": 1}, 1),
        ({"oldest_standard": 61}, 0),
        ({"depth_standard": 1, "oldest_standard": FAILED, "oldest_express": FAILED, "oldest_economy": FAILED}, 0),
        ({"depth_standard": 11, "oldest_standard": FAILED, "oldest_express": FAILED, "oldest_economy": FAILED}, 11),
    ],
)
def test_below_its_activation_a_pool_starts_by_age_alone_and_once_started_drains(
    said: dict[str, float | None], wanted: float, value: Wanted
) -> None:
    assert value(pool(activation=10, activationAge=60), **said) == wanted


@pytest.mark.parametrize(
    ("pods", "replicas", "wanted"), [(0, 0, 0), (0, 2, 10), (1, 2, 10), (7, 2, 35), (FAILED, 2, 10), (FAILED, 0, 0)]
)
def test_while_no_queue_can_be_read_the_pool_holds_what_it_has_and_at_least_its_fallback(
    pods: float | None, replicas: int, wanted: float, value: Wanted
) -> None:
    assert value(pool(fallback={"replicas": replicas}), **NO_QUEUE, pods=pods) == wanted


def test_while_one_queue_cannot_be_read_the_others_still_count(value: Wanted) -> None:
    assert value(pool(), depth_express=FAILED, depth_standard=40, pods=2) == 40
    assert value(pool(), depth_express=FAILED, depth_standard=3, pods=2) == 10
    assert value(pool(activation=10), depth_express=FAILED, depth_standard=3, pods=2) == 10


CHEAP_OR_LATE = {"below": 0.3, "openAfter": 3600, "source": {"spot": "g4dn.xlarge"}}
CHEAP = {"below": 0.3, "source": {"spot": "g4dn.xlarge"}}


@pytest.mark.parametrize(
    ("gate", "said", "wanted"),
    [
        (CHEAP_OR_LATE, {"price": 0.2}, 20),
        (CHEAP_OR_LATE, {"price": 0.3}, 20),
        (CHEAP_OR_LATE, {"price": 0.31}, 0),
        (CHEAP_OR_LATE, {"price": 0.31, "pods": 5}, 0),
        (CHEAP_OR_LATE, {"price": 0.31, "oldest_economy": 3600}, 0),
        (CHEAP_OR_LATE, {"price": 0.31, "oldest_economy": 3601}, 20),
        (CHEAP_OR_LATE, {"price": FAILED}, 0),
        (CHEAP_OR_LATE, {"price": FAILED, "oldest_economy": 3601}, 20),
        (CHEAP_OR_LATE, {"price": 0.31, "oldest_economy": FAILED}, 0),
        (CHEAP_OR_LATE, {"price": 0.2, "oldest_economy": FAILED}, 20),
        (CHEAP, {"price": 0.31}, 0),
        (CHEAP, {"price": 0.3}, 20),
        (CHEAP, {"price": FAILED}, 0),
    ],
)
def test_work_that_can_wait_waits_until_computing_is_cheap_or_it_is_too_late(
    gate: Object, said: dict[str, float | None], wanted: float, value: Wanted
) -> None:
    assert value(pool(priceGate=gate), depth_economy=20, **said) == wanted


def test_a_dear_price_closes_also_a_pool_whose_queue_cannot_be_read(value: Wanted) -> None:
    assert value(pool(priceGate=CHEAP_OR_LATE), **NO_QUEUE, price=1, pods=3) == 0
    assert value(pool(priceGate=CHEAP_OR_LATE), **NO_QUEUE, price=0.1, pods=3) == 15


def test_a_queue_in_the_database_is_one_number_for_all(value: Wanted) -> None:
    scaled = render("sql-queue").one("ScaledObject", "-worker-standard")
    assert value(scaled, depth=12) == 12
    assert value(scaled, depth=FAILED, pods=3) == 3 * 5


def test_no_way_to_run_the_chart_has_a_formula_that_keda_refuses(rendered: Rendered, evaluator: Path) -> None:
    questions = [
        {
            "formula": scaled["spec"]["advanced"]["scalingModifiers"]["formula"],
            "values": {trigger["name"]: -1 for trigger in scaled["spec"]["triggers"]},
        }
        for scaled in rendered.of("ScaledObject")
    ]
    done = subprocess.run([evaluator], input=json.dumps(questions), capture_output=True, text=True, check=True)
    assert [answer for answer in json.loads(done.stdout) if not isinstance(answer, (int, float))] == []
