"""An unreachable collector is logged once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from pyroadrunner.plugins.otel.exporter import ExporterLogHandler, SafeExporter
from support.log import logged

GONE = "traces can't be exported and are dropped; requests are not affected"
SPANS = [ReadableSpan("a"), ReadableSpan("b")]


class Scripted(SpanExporter):
    """Scripted results, one per export: ``True``, ``False``, or an error to raise."""

    def __init__(self, *script: bool | Exception, says: str = "") -> None:
        self._script = list(script)
        self._says = says
        self.closed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        what = self._script.pop(0)
        if self._says:
            logging.getLogger("opentelemetry.exporter.some").error("first: %s", self._says)
            logging.getLogger("opentelemetry.exporter.some").error("given up")
        if isinstance(what, Exception):
            raise what
        return SpanExportResult.SUCCESS if what else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.closed += 1


def deliver(exporter: Scripted, times: int) -> list[tuple[str, str, dict[str, object]]]:
    log_handler = ExporterLogHandler()
    delivery = SafeExporter(exporter, log_handler)
    log_handler.install()
    try:
        with logged("otel") as log:
            for _ in range(times):
                delivery.export(SPANS)
    finally:
        log_handler.remove()
    return log.lines


def test_successful_exports_are_not_logged() -> None:
    assert deliver(Scripted(True, True), 2) == []


def test_an_unreachable_collector_is_one_line_with_the_first_reason() -> None:
    assert deliver(Scripted(False, False, False, says="refused"), 3) == [("WARNING", GONE, {"error": "first: refused"})]


def test_a_collector_that_is_back_is_one_line_with_the_number_of_lost_spans() -> None:
    lines = deliver(Scripted(False, False, True, True, False), 5)
    assert [message for _, message, _ in lines] == [GONE, "traces are exported again", GONE]
    assert lines[1][2] == {"lost": 4}


def test_an_error_of_the_client_library_is_such_a_failure() -> None:
    assert deliver(Scripted(OSError("boom")), 1) == [("WARNING", GONE, {"error": "OSError: boom"})]


def test_it_is_closed_once() -> None:
    exporter = Scripted()
    delivery = SafeExporter(exporter, ExporterLogHandler())
    delivery.shutdown()
    delivery.shutdown()
    assert exporter.closed == 1


def test_during_a_stop_a_failure_is_not_retried() -> None:
    exporter = Scripted(False, says="refused")
    log_handler = ExporterLogHandler()
    delivery = SafeExporter(exporter, log_handler)
    log_handler.install()
    try:
        delivery.stop_retrying()
        assert exporter.closed == 0, "a collector that answers gets the last traces"
        delivery.export(SPANS)
    finally:
        log_handler.remove()
    assert exporter.closed == 1


def test_during_a_stop_an_unreachable_collector_is_not_asked_again() -> None:
    exporter = Scripted(False)
    delivery = SafeExporter(exporter, ExporterLogHandler())
    delivery.export(SPANS)
    delivery.stop_retrying()
    assert exporter.closed == 1


def test_other_messages_of_the_library_are_logged_once_each() -> None:
    log_handler = ExporterLogHandler()
    log_handler.install()
    logger = logging.getLogger("opentelemetry.sdk.any")
    try:
        with logged("otel") as log:
            for number in range(3):
                logger.warning("bad value %s", number)
                logger.info("no matter")
            log_handler.failing = True
            logger.warning("queue full")
    finally:
        log_handler.remove()
    assert log.lines == [("WARNING", "bad value 0", {"library": "opentelemetry.sdk.any"})]


def test_messages_about_settings_are_logged_immediately() -> None:
    log_handler = ExporterLogHandler()
    log_handler.setting_up = True
    log_handler.install()
    try:
        with logged("otel") as log:
            logging.getLogger("opentelemetry.exporter.some").warning("bad compression")
    finally:
        log_handler.remove()
    assert log.messages == ["bad compression"]
