"""Counting requests by status and duration."""

from __future__ import annotations

import pytest

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.counters import RequestCounters
from pyroadrunner.plugins.http.middleware.metrics import HttpMetrics
from pyroadrunner.plugins.http.middleware.registry import Setup, layers
from pyroadrunner.workers.errors import NoFreeWorker
from support.asgi import Exchange, ScriptedPool, head, http_scope, reply, worker_app


def told(counters: RequestCounters) -> dict[str, float]:
    return {
        f"{family.name}{sample.suffix} {sample.labels.get('status', '')} {sample.labels.get('le', '')}".strip(): (
            sample.value
        )
        for family in counters.families()
        for sample in family.samples
    }


def test_http_metrics_is_a_middleware_of_the_config_and_counts_for_the_plugin() -> None:
    counters = RequestCounters()
    [around] = layers(Setup(config=HttpConfig(middleware=["http_metrics"]), effective={}, counters=counters))
    Exchange(http_scope()).run(around(worker_app(ScriptedPool(reply(head(201))))))
    assert told(counters)["rr_http_request_total 201"] == 1


def test_a_request_without_a_free_worker_is_counted_separately_too() -> None:
    counters = RequestCounters()
    assert told(counters) == {}
    Exchange(http_scope()).run(HttpMetrics(worker_app(ScriptedPool(NoFreeWorker("http", 1.0))), counters))
    assert told(counters)["rr_http_no_free_workers_total"] == 1
    assert told(counters)["rr_http_request_total 503"] == 1


def test_a_failure_is_a_500() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    counters = RequestCounters()
    with pytest.raises(ZeroDivisionError):
        Exchange(http_scope()).run(HttpMetrics(broken, counters))
    assert told(counters)["rr_http_request_total 500"] == 1


def test_a_request_without_a_response_is_a_499() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        return None

    counters = RequestCounters()
    Exchange(http_scope()).run(HttpMetrics(silent, counters))
    assert told(counters)["rr_http_request_total 499"] == 1


def test_durations_are_counted_up_to_each_bound() -> None:
    counters = RequestCounters()
    for seconds in (0.005, 0.3, 99):
        counters.add(200, seconds)
    found = told(counters)
    name = "rr_http_request_duration_seconds"
    assert [found[f"{name}_bucket 200 {le}"] for le in ("0.005", "0.25", "0.5", "60", "+Inf")] == [1, 1, 2, 2, 3]
    assert (found[f"{name}_sum 200"], found[f"{name}_count 200"]) == (pytest.approx(99.305), 3)
