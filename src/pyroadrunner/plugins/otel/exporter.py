"""Export finished spans to a collector, on a thread of the library.

An unreachable collector is logged once, and once more when it is reachable again. Meanwhile spans are dropped; requests
are not affected.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from pyroadrunner.log import Log

log = Log("otel")

_LIBRARY = "opentelemetry"
_EXPORTERS = "opentelemetry.exporter"


class SafeExporter(SpanExporter):
    """Passes spans to an exporter and logs failures.

    Args:
        exporter: may block, and retries by itself.
        log_handler: receives the library's messages about failures.

    Attributes:
        lost: spans dropped since the last successful export.
    """

    def __init__(self, exporter: SpanExporter, log_handler: ExporterLogHandler) -> None:
        self._exporter = exporter
        self._log_handler = log_handler
        self._closing = threading.Lock()
        self._closed = False
        self._given_up = False
        self.lost = 0

    def __repr__(self) -> str:
        return f"SafeExporter({type(self._exporter).__name__}, lost={self.lost})"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch. Never raises: the caller would drop the exception."""
        self._log_handler.reason = ""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # any exception of a client library; the next batch tries again
            result = SpanExportResult.FAILURE
            self._log_handler.reason = f"{type(error).__name__}: {error}"
        if result is SpanExportResult.SUCCESS:
            if self.lost:
                log.info("traces are exported again", lost=self.lost)
                self._lose(0)
            return result
        if not self.lost and not self._given_up:
            log.warning(
                "traces can't be exported and are dropped; requests are not affected", error=self._log_handler.reason
            )
        self._lose(self.lost + len(spans))
        return result

    def stop_retrying(self) -> None:
        """From now on try only once: the server is stopping."""
        self._log_handler.on_failure = self.shutdown
        if self.lost or self._log_handler.reason:
            self.shutdown()

    def give_up(self) -> None:
        """Close without logging. Does not wait for a running export."""
        self._given_up = True
        threading.Thread(target=self.shutdown, name="otel-give-up", daemon=True).start()

    def shutdown(self) -> None:
        """Close the exporter; an export that waits for a retry ends. Idempotent, may be called from any thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def _lose(self, lost: int) -> None:
        self.lost = lost
        self._log_handler.failing = lost > 0


class ExporterLogHandler(logging.Handler):
    """Receives the log records of the library, which repeats them for each retry and each span.

    Records of exporters are stored for :class:`SafeExporter`; of all others each text is logged once.

    Attributes:
        reason: the first message of an exporter during this export; later ones only report that it gives up.
        failing: whether exports fail; then messages about a full queue are redundant.
        on_failure: called for each message of an exporter.
        setting_up: messages of exporters are about settings and are logged immediately.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.reason = ""
        self.failing = False
        self.on_failure: Callable[[], None] | None = None
        self.setting_up = False
        self._said: set[object] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.name.startswith(_EXPORTERS) and not self.setting_up:
            self.reason = self.reason or message
            if self.on_failure is not None:
                self.on_failure()
        elif not self.failing and record.msg not in self._said:
            self._said.add(record.msg)
            log.warning(message, library=record.name)

    def install(self) -> None:
        """Start receiving the records."""
        logger = logging.getLogger(_LIBRARY)
        logger.addHandler(self)
        logger.propagate = False

    def remove(self) -> None:
        """Return the records to the log of other libraries."""
        logger = logging.getLogger(_LIBRARY)
        logger.removeHandler(self)
        logger.propagate = True
