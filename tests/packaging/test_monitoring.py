"""Every metric that the dashboard and the alerts name is one that the controller tells."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

yaml: Any = import_module("yaml")  # it comes without types
PACKAGING = Path(__file__).parents[2] / "packaging"
LABELS = {
    "lango_agent_heard_seconds": {"site"},
    "lango_agent_up": {"site"},
    "lango_build_info": {"version"},
    "lango_db_pool": {"state"},
    "lango_http_request_seconds": {"route"},
    "lango_http_requests": {"method", "route", "status"},
    "lango_payment": {"method", "result"},
    "lango_payment_seconds": {"stage"},
    "lango_queue_lag": {"queue"},
    "lango_sessions": {"site"},
}


def told() -> set[str]:
    """The name of every series that can come out, also before there is one."""
    names = set()
    for family in Metrics().registry.collect():
        ends = {
            "counter": ("_total",),
            "histogram": ("_bucket", "_sum", "_count"),
        }.get(family.type, ("",))
        names |= {family.name + end for end in ends}
    return names


def named(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:lango|process)_[a-z_0-9]+\b", expression))


def expressions() -> Iterator[tuple[str, str]]:
    dashboard = json.loads((PACKAGING / "grafana/lango.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for one in dashboard["templating"]["list"]:
        yield one["name"], one["query"]
    for rule in rules():
        yield rule["alert"], rule["expr"]


def rules() -> list[dict[str, Any]]:
    content = yaml.safe_load((PACKAGING / "prometheus/alerts.yml").read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


def test_every_metric_that_is_named_is_told() -> None:
    found = list(expressions())
    missing = {(where, name) for where, text in found for name in named(text) - told()}

    assert len(found) > 30
    assert missing == set()


def test_brackets_of_every_expression_close() -> None:
    for where, text in expressions():
        for opening, closing in ("()", "[]", "{}"):
            assert text.count(opening) == text.count(closing), where


def test_every_alert_says_how_bad_and_what_it_is() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}, rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]


def test_labels_are_few_and_name_nobody() -> None:
    metrics = Metrics()
    labels = {
        name: set(getattr(collector, "_labelnames", ()))
        for collector, names in metrics.registry._collector_to_names.items()  # noqa: SLF001
        for name in names
        if name in LABELS
    }

    assert labels == LABELS
