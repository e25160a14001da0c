"""What surrounds each call: the span, then the interceptors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from temporalio.api.common.v1 import Payload

from pyroadrunner.contracts import TemporalCall
from pyroadrunner.plugins.temporal.interceptors import Interceptors
from pyroadrunner.plugins.temporal.tracing import Tracer, with_trace

Header = Mapping[str, Payload]


class Wrappers:
    """False if nothing surrounds a call: then callers take the short way."""

    def __init__(self, tracer: Tracer, interceptors: Interceptors) -> None:
        self._tracer = tracer
        self._interceptors = interceptors

    def __bool__(self) -> bool:
        return bool(self._tracer) or bool(self._interceptors)

    @property
    def intercept(self) -> bool:
        """Whether there are interceptors."""
        return bool(self._interceptors)

    async def run(self, call: TemporalCall, work: Callable[[Header], Awaitable[str]], *, traced: bool = True) -> None:
        """Run a call.

        Args:
            traced: whether it gets a span.
            work: gets the header for PHP; returns why the call failed, or an empty text.
        """
        span = self._tracer.begin(call) if traced else None
        header = with_trace(call.header, span) if span is not None else call.header
        failed = "interrupted"
        try:
            failed = await self._interceptors.run(call, lambda: work(header))
        except Exception as error:
            failed = str(error)
            raise
        finally:
            if span is not None:
                if failed:
                    span.fail(failed)
                span.end()
