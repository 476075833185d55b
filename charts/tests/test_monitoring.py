"""The alerts fire when they should; alerts and dashboard ask for nothing that our programs do not export."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from missing import needed
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from rendering import CHART, Object, Refused, Rendered, render

import thumbnailer_api.housekeeping.loop
import thumbnailer_api.metrics
import thumbnailer_worker.metrics

ROOT = CHART.parent.parent
GATED: Object = {
    "workers": {"pools": {"economy": {"priceGate": {"below": 0.3, "openAfter": 3600, "source": {"spot": "c7g.large"}}}}}
}
UNIT_TESTS: dict[str, tuple[Object, ...]] = {"alerts": (), "price_gate": (GATED,)}
"""Files in monitoring/, and the values that each is for."""
MONITORS = {"namespace", "release"}
"""Labels that each series has from how it is scraped; a worker's has its pool too."""
KEDA = {"keda_scaler_metrics_value": {"scaledObject", "metric"}}
"""Of KEDA's operator, in a panel that says that it is optional."""
SELECTOR = re.compile(r"([a-z_][a-z0-9_:]*)\{([^}]*)\}")
WORD = re.compile(r"\b(?:thumbnailer|keda|kube)[a-z0-9_:]*")


@pytest.fixture(scope="module")
def promtool() -> str:
    return needed("promtool", "it comes with Debian's package prometheus")


@pytest.fixture(scope="module")
def monitored() -> Rendered:
    return render("monitoring", {"monitoring": {"rules": {"oldestSeconds": {"standard": 600}}}})


def rules(rendered: Rendered) -> Iterator[Object]:
    for group in rendered.one("PrometheusRule", "thumbnailer")["spec"]["groups"]:
        yield from group["rules"]


def panels(rendered: Rendered) -> list[Object]:
    (text,) = rendered.one("ConfigMap", "-dashboard")["data"].values()
    found: list[Object] = json.loads(text)["panels"]
    return found


def queries(rendered: Rendered) -> list[str]:
    asked = [target["expr"] for panel in panels(rendered) for target in panel["targets"]]
    return asked + [rule["expr"] for rule in rules(rendered)]


def exported() -> dict[str, set[str]]:
    """What the programs export, with the labels of each series."""
    modules = [thumbnailer_api.metrics, thumbnailer_worker.metrics]
    parts = Path(thumbnailer_api.housekeeping.loop.__file__).parent.glob("*.py")
    modules += [__import__(f"thumbnailer_api.housekeeping.{part.stem}", fromlist=["_"]) for part in parts]
    found: dict[str, set[str]] = {}
    for module in modules:
        scraped = MONITORS | ({"pool"} if module is thumbnailer_worker.metrics else set())
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                labels = set(metric._labelnames) | scraped
                match metric:
                    case Counter():
                        found[f"{metric._name}_total"] = labels
                    case Gauge():
                        found[metric._name] = labels
                    case Histogram():
                        found[f"{metric._name}_bucket"] = labels | {"le"}
                        found[f"{metric._name}_count"] = found[f"{metric._name}_sum"] = labels
    return found


def check(promtool: str, *arguments: str, cwd: Path) -> str:
    done = subprocess.run([promtool, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", UNIT_TESTS)
def test_each_alert_fires_when_it_should_and_else_does_not(name: str, promtool: str, tmp_path: Path) -> None:
    rendered = render("monitoring", {"monitoring": {"rules": {"oldestSeconds": {"standard": 600}}}}, *UNIT_TESTS[name])
    groups = rendered.one("PrometheusRule", "thumbnailer")["spec"]["groups"]
    # promtool wants the whole text of each alert's annotations repeated, or none of them.
    silent = [
        group | {"rules": [{key: rule[key] for key in rule if key != "annotations"} for rule in group["rules"]]}
        for group in groups
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": silent}))
    shutil.copy(Path(__file__).parent / "monitoring" / f"{name}.yaml", tmp_path)
    check(promtool, "test", "rules", f"{name}.yaml", cwd=tmp_path)


def test_every_alert_has_a_unit_test_that_sees_it_fire_and_one_that_does_not(monitored: Rendered) -> None:
    tried = [
        case
        for file in (Path(__file__).parent / "monitoring").glob("*.yaml")
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    alerts = {rule["alert"] for rule in rules(monitored) if "alert" in rule}
    assert {case["alertname"] for case in tried if case.get("exp_alerts")} == alerts
    assert {case["alertname"] for case in tried if not case.get("exp_alerts")} == alerts


def test_promtool_takes_the_rules_and_the_panels_queries(monitored: Rendered, promtool: str, tmp_path: Path) -> None:
    groups = monitored.one("PrometheusRule", "thumbnailer")["spec"]["groups"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    check(promtool, "check", "rules", "rules.yaml", cwd=tmp_path)
    shown = [query.replace("$__rate_interval", "1m").replace("$__range", "1h") for query in queries(monitored)]
    asked = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(shown)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}))
    check(promtool, "check", "rules", "panels.yaml", cwd=tmp_path)


def test_alerts_and_panels_ask_for_what_the_programs_export(monitored: Rendered) -> None:
    recorded = {
        rule["record"]: {"namespace", "release", "outcome", "cause"} for rule in rules(monitored) if "record" in rule
    }
    known = exported() | recorded | KEDA
    for query in queries(monitored):
        selected = SELECTOR.findall(query)
        assert set(WORD.findall(re.sub(r'"[^"]*"', "", query))) == {name for name, _ in selected}, query
        for name, labels in selected:
            assert name in known, query
            assert set(re.findall(r"(\w+)[!=]", labels)) <= known[name], query
        grouped = {label.strip() for by in re.findall(r"(?:by|on) \(([^)]*)\)", query) for label in by.split(",")}
        assert grouped <= set.union(*(known[name] for name, _ in selected)), query


def test_no_label_of_ours_is_one_that_prometheus_takes_for_the_target() -> None:
    ours = set.union(*exported().values()) - MONITORS - {"pool"}
    assert not ours & {"instance", "job", "pod", "container", "endpoint", "service"}


def test_every_alert_says_what_to_do_and_where_that_is_written(monitored: Rendered) -> None:
    text = (ROOT / "docs/operating.md").read_text() + (ROOT / "docs/monitoring.md").read_text()
    for rule in rules(monitored):
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"critical", "warning"}
            description = rule["annotations"]["description"]
            named = re.findall(r'docs/operating.md, "([^"]+)"', description)
            assert named, rule["alert"]
            assert all(f"\n## {section}\n" in text for section in named), rule["alert"]
            assert rule["alert"] in text, f"docs/monitoring.md does not name {rule['alert']}"


def test_a_pool_that_waits_for_its_price_for_ever_has_no_alert_for_want_of_workers() -> None:
    shut = {"workers": {"pools": {"economy": {"priceGate": {"below": 0.3, "source": {"spot": "c7g.large"}}}}}}
    watched = [
        rule["expr"] for rule in rules(render("monitoring", shut)) if rule.get("alert") == "ThumbnailerNoWorkers"
    ]
    assert not any("economy" in expr for expr in watched)
    assert any("standard" in expr for expr in watched)


def test_what_waits_for_workers_longer_than_ten_minutes_by_its_values_is_not_alerted_before() -> None:
    patient = {"workers": {"pools": {"economy": {"activation": 50, "activationAge": 7200}}}}
    (wait,) = [
        rule["for"]
        for rule in rules(render("monitoring", patient))
        if rule.get("alert") == "ThumbnailerNoWorkers" and "economy" in rule["expr"]
    ]
    assert wait == "7500s"


def test_the_monitors_find_the_ports_they_name(monitored: Rendered) -> None:
    (endpoint,) = monitored.one("PodMonitor", "-worker")["spec"]["podMetricsEndpoints"]
    workers = [each for each in monitored.of("Deployment") if "-worker-" in each["metadata"]["name"]]
    assert workers
    for each in workers:
        pod = each["spec"]["template"]
        wanted = monitored.one("PodMonitor", "-worker")["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= pod["metadata"]["labels"].items()
        ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        assert ports[endpoint["port"]] == 8082

    (endpoint,) = monitored.one("ServiceMonitor", "thumbnailer")["spec"]["endpoints"]
    chosen = monitored.one("ServiceMonitor", "thumbnailer")["spec"]["selector"]
    (among,) = chosen["matchExpressions"]
    found = {
        port["port"]
        for service in monitored.of("Service")
        if chosen["matchLabels"].items() <= service["metadata"]["labels"].items()
        and service["metadata"]["labels"][among["key"]] in among["values"]
        for port in service["spec"]["ports"]
        if port["name"] == endpoint["port"]
    }
    assert found == {8081, 8083}


def test_costs_are_shown_for_each_pool_that_has_a_price(monitored: Rendered) -> None:
    shown = {panel["title"]: panel["targets"] for panel in panels(monitored)}
    assert {target["legendFormat"] for target in shown["Cost"]} == {"standard", "economy"}
    assert all(target["expr"].endswith("* 0.213") for target in shown["Cost"] if target["refId"] == "economy")
    assert len(shown["Cost of the time shown"]) == 2


def test_nothing_of_it_is_there_unless_asked_for() -> None:
    assert not render("default").of("PodMonitor", "ServiceMonitor", "PrometheusRule")


@pytest.mark.parametrize(
    ("monitoring", "said"),
    [
        ({"rules": {"enabled": True}, "podMonitor": {"enabled": True}}, "monitoring.rules.enabled is true: set"),
        ({"dashboard": {"hourlyCost": {"cheap": 0.1}}}, "monitoring.dashboard.hourlyCost.cheap is the price of a pool"),
    ],
)
def test_what_would_show_nothing_is_refused(monitoring: Object, said: str) -> None:
    with pytest.raises(Refused, match=said):
        render({"monitoring": monitoring})
