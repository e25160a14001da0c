"""Operations on the application's collectors, and refusals."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pyroadrunner.plugins.metrics.collectors import WINDOW
from pyroadrunner.plugins.metrics.config import CollectorConfig
from pyroadrunner.plugins.metrics.errors import BadCollector, Refused
from pyroadrunner.plugins.metrics.exposition import exposition
from pyroadrunner.plugins.metrics.registry import Registry


def registry(max_series: int = 0, **collectors: CollectorConfig) -> Registry:
    made = Registry(max_series)
    for name, config in collectors.items():
        made.declare(name, config)
    return made


def lines(made: Registry) -> list[str]:
    return [line for line in exposition(made.families()).splitlines() if not line.startswith("#")]


def test_a_counter_keeps_its_name_and_is_exposed_immediately() -> None:
    made = registry(hits=CollectorConfig(type="counter", namespace="app", subsystem="web", help="Hits."))
    assert lines(made) == ["app_web_hits 0"]
    made.call("Add", "hits", 2.5, ["ignored", "labels"])
    assert exposition(made.families()) == ("# HELP app_web_hits Hits.\n# TYPE app_web_hits counter\napp_web_hits 2.5\n")


def test_a_labelled_collector_shows_nothing_until_it_is_used() -> None:
    made = registry(mails=CollectorConfig(type="gauge", labels=["kind", "box"]))
    assert exposition(made.families()) == ""
    made.call("Set", "mails", 7, ["in", "a"])
    made.call("Sub", "mails", 3, ["in", "a"])
    made.call("Add", "mails", 1, ["in", "a"])
    assert lines(made) == ['mails{box="a",kind="in"} 5']


def test_a_histogram_counts_up_to_each_bound() -> None:
    made = registry(took=CollectorConfig(type="histogram", buckets=[1, 2.5, math.inf]))
    for value in (1, 2, 9):
        made.call("Observe", "took", value, [])
    assert lines(made) == [
        'took_bucket{le="1"} 1',
        'took_bucket{le="2.5"} 2',
        'took_bucket{le="+Inf"} 3',
        "took_sum 12",
        "took_count 3",
    ]


def test_a_summary_forgets_what_is_older_than_its_window() -> None:
    now = [0.0]
    made = Registry(clock=lambda: now[0])
    made.declare("took", CollectorConfig(type="summary", objectives={"0.5": 0.05, "0.99": 0.001}))
    assert lines(made)[0] == 'took{quantile="0.5"} NaN'
    for value in range(1, 101):
        made.call("Observe", "took", value, [])
    assert lines(made) == ['took{quantile="0.5"} 50', 'took{quantile="0.99"} 99', "took_sum 5050", "took_count 100"]
    now[0] = WINDOW + 1
    made.call("Observe", "took", 7, [])
    assert lines(made) == ['took{quantile="0.5"} 7', 'took{quantile="0.99"} 7', "took_sum 5057", "took_count 101"]


ALLOWED = {
    "gauge": {"Add", "Sub", "Set"},
    "counter": {"Add"},
    "histogram": {"Observe"},
    "summary": {"Observe"},
}


@pytest.mark.parametrize("kind", ALLOWED)
@pytest.mark.parametrize("method", ["Add", "Sub", "Set", "Observe"])
def test_each_kind_has_only_its_own_methods(kind: str, method: str) -> None:
    made = registry(x=CollectorConfig(type=kind))
    if method in ALLOWED[kind]:
        made.call(method, "x", 1, [])
        return
    with pytest.raises(Refused) as refused:
        made.call(method, "x", 1, [])
    assert str(refused.value) == f"metrics_plugin_{method.lower()}: collector `x` does not support method `{method}`"


@pytest.mark.parametrize(
    ("method", "name", "value", "labels", "text"),
    [
        ("Add", "no", 1, [], "add: undefined collector no, try first Declare the desired collector"),
        ("Set", "no", 1, [], "set: undefined collector no"),
        ("Add", "labelled", 1, [], "add: required labels for collector labelled"),
        (
            "Add",
            "labelled",
            1,
            ["a", "b"],
            "add: inconsistent label cardinality: expected 1 label values but got 2 in [a b]",
        ),
        ("Add", "plain", -1, [], "add: counter plain cannot decrease in value"),
        ("Add", "plain", math.nan, [], "add: counter plain cannot decrease in value"),
    ],
)
def test_what_a_collector_refuses(method: str, name: str, value: float, labels: list[str], text: str) -> None:
    made = registry(plain=CollectorConfig(type="counter"), labelled=CollectorConfig(type="counter", labels=["a"]))
    with pytest.raises(Refused) as refused:
        made.call(method, name, value, labels)
    assert str(refused.value) == f"metrics_plugin_{text}"


def test_label_values_beyond_the_limit_are_refused_and_known_ones_keep_working() -> None:
    made = registry(max_series=2, hits=CollectorConfig(type="counter", labels=["user"]))
    made.call("Add", "hits", 1, ["a"])
    made.call("Add", "hits", 1, ["b"])
    with pytest.raises(Refused, match=r"2 combinations of label values already.*metrics\.max_series"):
        made.call("Add", "hits", 1, ["c"])
    made.call("Add", "hits", 1, ["a"])
    assert lines(made) == ['hits{user="a"} 2', 'hits{user="b"} 1']


@pytest.mark.parametrize(
    "config",
    [
        {"type": "curve"},
        {"type": "histogram", "buckets": [2, 1]},
        {"type": "histogram", "labels": ["le"]},
        {"type": "summary", "labels": ["quantile"]},
        {"type": "summary", "objectives": {"1.5": 0.1}},
        {"type": "gauge", "labels": ["a", "a"]},
        {"type": "gauge", "labels": ["__a"]},
        {"type": "gauge", "labels": [""]},
    ],
)
def test_invalid_declarations_are_refused(config: dict[str, Any]) -> None:
    made = Registry()
    with pytest.raises(BadCollector):
        made.declare("x", CollectorConfig(**config))
    assert "x" not in made


def test_a_duplicate_exposed_name_is_refused_until_the_first_is_removed() -> None:
    made = registry(a_b=CollectorConfig(type="gauge"))
    with pytest.raises(BadCollector, match="tried to register existing collector: a_b"):
        made.declare("a-b", CollectorConfig(type="gauge"))
    made.unregister("a_b")
    made.declare("a-b", CollectorConfig(type="gauge"))
    assert lines(made) == ["a_b 0"]
    with pytest.raises(Refused, match="metrics_plugin_unregister: undefined collector a_b"):
        made.unregister("a_b")
