"""The trace of a job, from the caller to the worker."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from pyroadrunner.contracts import Span, Tracing
from support.jobs import head_of, running_jobs
from support.virtual_time import in_virtual_time


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
