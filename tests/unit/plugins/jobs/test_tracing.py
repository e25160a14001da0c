"""The trace of a job, from the caller to the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

import pytest

from pyroadrunner.contracts import Span, Tracing
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, Host, PushRefused
from pyroadrunner.plugins.jobs.errors import CallFailed
from support.jobs import FakeDriver, head_of, running_jobs
from support.virtual_time import in_virtual_time, turns


class FakeSpan(Span):
    """A span whose headers name it."""

    def __init__(self, name: str, parent: str, attributes: Mapping[str, str | int]) -> None:
        self.name = name
        self.parent = parent
        self.attributes = attributes
        self.failed = ""
        self.ended = False

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        return [(b"traceparent", self.name.encode()), (b"uber-trace-id", b"u")]

    def fail(self, why: str = "") -> None:
        self.failed = why

    def end(self) -> None:
        self.ended = True


class FakeTracing(Tracing):
    """Keeps all spans."""

    def __init__(self) -> None:
        self.spans: list[FakeSpan] = []

    def begin_trace(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
    ) -> Span:
        span = FakeSpan(name, dict(headers).get(b"traceparent", b"").decode(), attributes)
        self.spans.append(span)
        return span

    @property
    def propagated_headers(self) -> Collection[bytes]:
        return {b"traceparent", b"tracestate", b"baggage", b"uber-trace-id"}


@in_virtual_time
async def test_the_callers_trace_goes_on_through_the_push_to_the_worker() -> None:
    tracing = FakeTracing()
    async with running_jobs(tracing=[tracing]) as jobs:
        await jobs.push("1", headers={"traceparent": ["http request"], "h": ["x"]})
        (worker,) = jobs.workers()
        headers = head_of(worker.requests[0])["headers"]
        assert headers == {"h": ["x"], "Traceparent": ["process p"], "Uber-Trace-Id": ["u"]}
        await jobs.finish()
    push, process = tracing.spans
    assert (push.name, push.parent, push.ended) == ("publish p", "http request", True)
    assert (process.name, process.parent, process.ended, process.failed) == ("process p", "publish p", True, "")
    assert process.attributes == {
        "messaging.system": "memory",
        "messaging.destination.name": "p",
        "messaging.operation.type": "process",
        "messaging.message.id": "1",
        "messaging.message.body.size": 1,
    }


@in_virtual_time
async def test_the_span_of_a_push_ends_when_the_broker_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    drivers: list[FakeDriver] = []

    def make(host: Host, config: object, section: object) -> FakeDriver:
        drivers.append(FakeDriver(host))
        return drivers[0]

    monkeypatch.setattr(DriverInfo, "load", lambda _info: make)
    tracing = FakeTracing()
    async with running_jobs(tracing=[tracing], consume=[]) as jobs:
        (driver,) = drivers
        driver.hangs = True
        cancelled = asyncio.ensure_future(jobs.push("1"))
        await turns()
        assert [span.ended for span in tracing.spans] == [False]
        cancelled.cancel()
        await turns()
        driver.hangs = False
        await jobs.push("2")
        driver.fails = PushRefused("no")
        with pytest.raises(CallFailed):
            await jobs.push("3")
        driver.fails = None
    assert [span.failed for span in tracing.spans] == ["", "", "no"]
    assert all(span.ended for span in tracing.spans)


@in_virtual_time
async def test_a_retry_continues_the_trace_and_a_failure_is_one_of_its_span() -> None:
    tracing = FakeTracing()
    async with running_jobs(tracing=[tracing]) as jobs:
        await jobs.push("1")
        await jobs.answer({"message": "no", "requeue": True}, kind=1)
        await jobs.finish()
    first, second = (span for span in tracing.spans if span.name == "process p")
    assert (first.failed, first.ended, second.failed) == ("no", True, "")
    assert second.parent == "process p"


@in_virtual_time
async def test_without_tracing_headers_pass_unchanged() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", headers={"traceparent": ["http request"]})
        (worker,) = jobs.workers()
        assert head_of(worker.requests[0])["headers"] == {"traceparent": ["http request"]}
        await jobs.finish()
