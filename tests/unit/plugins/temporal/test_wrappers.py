"""Spans and interceptors around calls; packets for statsd."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from pyroadrunner.contracts import InterceptsTemporal, TemporalCall
from pyroadrunner.plugins.temporal.config import StatsdConfig
from pyroadrunner.plugins.temporal.core import MetricUpdate
from pyroadrunner.plugins.temporal.errors import UnknownInterceptor
from pyroadrunner.plugins.temporal.interceptors import Interceptors
from pyroadrunner.plugins.temporal.statsd import lines, packets
from pyroadrunner.plugins.temporal.tracing import HEADER, Tracer, carried
from pyroadrunner.plugins.temporal.values import json_payload
from pyroadrunner.plugins.temporal.wrappers import Wrappers
from support.tracing import KeptTracing


class Named(InterceptsTemporal):
    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self._log = log

    async def intercept_temporal(self, call: TemporalCall, proceed: Callable[[], Awaitable[str]]) -> str:
        self._log.append(f"{self.name} begins {call.type}")
        failed = await proceed()
        self._log.append(f"{self.name} ends {failed}")
        return failed


def call(**fields: Any) -> TemporalCall:
    return TemporalCall(
        **{"kind": "activity", "type": "A", "task_queue": "q", "workflow_id": "w", "run_id": "r", **fields}
    )


def test_interceptors_surround_a_call_in_their_order() -> None:
    log: list[str] = []
    plugins = [Named("a", log), Named("b", log), Named("c", log)]

    async def work() -> str:
        log.append("works")
        return "why"

    assert asyncio.run(Interceptors(plugins, ["c", "a"]).run(call(), work)) == "why"
    assert log == ["c begins A", "a begins A", "works", "a ends why", "c ends why"]


def test_all_interceptors_are_used_when_none_is_named_and_an_unknown_one_is_an_error() -> None:
    assert Interceptors([Named("a", [])])
    assert not Interceptors()
    with pytest.raises(UnknownInterceptor, match="unknown interceptor x; installed: a"):
        Interceptors([Named("a", [])], ["x"])


def test_an_activity_has_a_span_that_continues_its_caller_s() -> None:
    tracing = KeptTracing()
    wrappers = Wrappers(Tracer([tracing]), Interceptors())
    seen: list[Mapping[str, Any]] = []

    async def work(header: Mapping[str, Any]) -> str:
        seen.append(header)
        return "it failed"

    header = {HEADER: json_payload({"Traceparent": "00-1"}), "other": json_payload(1)}
    asyncio.run(wrappers.run(call(header=header), work))
    [span] = tracing.spans
    assert (span.name, span.failed, span.ended) == ("RunActivity:A", "it failed", 1)
    assert span.attributes == {"temporalWorkflowID": "w", "temporalRunID": "r"}
    assert json.loads(seen[0][HEADER].data) == {"traceparent": str(span.number)}
    assert seen[0]["other"] == json_payload(1)
    assert carried(header) == [(b"traceparent", b"00-1")]
    assert carried({HEADER: json_payload("x")}) == []


def test_lines_for_statsd() -> None:
    update = MetricUpdate(name="temporal_requests", kind=0, value=2, attributes={"operation": "Poll"})
    config = StatsdConfig(prefix="app", tags={"env": "x"}, tag_prefix="t_")
    assert list(lines([update], config)) == ["app.temporal_requests:2|c|#t_operation:Poll,t_env:x"]
    joined = StatsdConfig(tag_separator="_")
    assert list(lines([update], joined)) == ["temporal_requests.operation_Poll:2|c"]


def test_packets_are_not_longer_than_they_may_be() -> None:
    assert list(packets(["aaaa", "bbbb", "cccc"], 9)) == [b"aaaa\nbbbb", b"cccc"]
    assert list(packets(["a" * 20], 9)) == [b"a" * 20]
    assert list(packets([], 9)) == []
