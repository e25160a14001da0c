"""The way of finished spans to whoever collects them, on a thread of the library.

A collector that is gone is said once, and once more when it is back; meanwhile spans are lost and requests go on.
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
    """Hands spans to an exporter and says when that fails.

    Args:
        exporter: blocks for as long as it likes; tries again by itself.
        log_handler: what the library has to say about a failure.

    Attributes:
        lost: spans that were lost since the last that were taken.
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
        """Never raises: what is thrown here ends nowhere."""
        self._log_handler.reason = ""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # whatever a client library throws; the next batch is tried again
            result = SpanExportResult.FAILURE
            self._log_handler.reason = f"{type(error).__name__}: {error}"
        if result is SpanExportResult.SUCCESS:
            if self.lost:
                log.info("traces are delivered again", lost=self.lost)
                self._lose(0)
            return result
        if not self.lost and not self._given_up:
            log.warning("traces can't be delivered and are lost; requests go on", error=self._log_handler.reason)
        self._lose(self.lost + len(spans))
        return result

    def stop_retrying(self) -> None:
        """From now on one try is enough: the server is about to end."""
        self._log_handler.on_failure = self.shutdown
        if self.lost or self._log_handler.reason:
            self.shutdown()

    def give_up(self) -> None:
        """Close without another word. Does not wait for a delivery that is under way."""
        self._given_up = True
        threading.Thread(target=self.shutdown, name="otel-give-up", daemon=True).start()

    def shutdown(self) -> None:
        """Close the exporter; a delivery that waits for another try ends. Idempotent, from any thread."""
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
    """Takes the log lines of the library, which repeats itself at each try and for each span.

    What exporters say is kept, for :class:`SafeExporter` to say it; of the others each text is said once.

    Attributes:
        reason: what an exporter said first in this delivery: later it only says that it has given up.
        failing: whether nothing is delivered; what the library says of its full queue goes without saying then.
        on_failure: called when an exporter says something.
        setting_up: what exporters say is about settings, and said at once.
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
        """Take them from now on."""
        logger = logging.getLogger(_LIBRARY)
        logger.addHandler(self)
        logger.propagate = False

    def remove(self) -> None:
        """Leave them to the log of other libraries again."""
        logger = logging.getLogger(_LIBRARY)
        logger.removeHandler(self)
        logger.propagate = True
