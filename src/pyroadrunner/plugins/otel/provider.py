"""Set up the OpenTelemetry SDK from the section. Imported only if the section is present, since it slows down the
start."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Iterable, Mapping
from importlib import import_module

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from pyroadrunner.contracts import Span
from pyroadrunner.log import Log
from pyroadrunner.plugins.otel.client import choose_client
from pyroadrunner.plugins.otel.config import OtelConfig
from pyroadrunner.plugins.otel.exporter import ExporterLogHandler, SafeExporter
from pyroadrunner.plugins.otel.propagation import CARRIERS
from pyroadrunner.plugins.otel.resource import resource_attributes
from pyroadrunner.plugins.otel.span import NoSpan, Recorder
from pyroadrunner.version import __version__

log = Log("otel")

__all__ = ["CARRIERS", "Provider"]


class Provider:
    """Creates spans and exports them in batches from a thread.

    The library's variables apply to settings without a key in the section: ``OTEL_TRACES_SAMPLER``, ``OTEL_BSP_...``.

    Raises:
        ModuleNotFoundError: a package is not installed.
        Exception: any exception of the library for invalid settings.
    """

    def __init__(self, config: OtelConfig, environ: Mapping[str, str]) -> None:
        self._log_handler = ExporterLogHandler()
        self._log_handler.setting_up = True
        self._log_handler.install()
        try:
            self._exporter_wrapper = SafeExporter(_exporter(config, environ), self._log_handler)
            # Not at exit: the plugin closes it when it stops, and the interpreter's exit must not be blocked.
            sdk = TracerProvider(resource=_resource(config), shutdown_on_exit=False)
            self._processor = BatchSpanProcessor(self._exporter_wrapper)
        except BaseException:
            self._log_handler.remove()
            raise
        self._log_handler.setting_up = False
        self._off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        self._recorder = Recorder(
            sampler=sdk.sampler,
            ids=sdk.id_generator,
            processor=self._processor,
            resource=sdk.resource,
            scope=InstrumentationScope("pyroadrunner", __version__),
        )

    def __repr__(self) -> str:
        return f"Provider({self._exporter_wrapper!r})"

    def begin(self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]) -> Span:
        """Begin the span of a request, as part of the trace named in its headers."""
        return NoSpan() if self._off else self._recorder.begin(name, headers, attributes)

    def flush_and_close(self) -> None:
        """Export the remaining spans, then close. Blocks while the collector does not answer."""
        self._exporter_wrapper.stop_retrying()
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def give_up(self) -> None:
        """Drop the remaining spans, so that :meth:`flush_and_close` on another thread ends soon. Does not block."""
        self._exporter_wrapper.give_up()

    def forget(self) -> None:
        """Stop handling the library's log records. The last call."""
        self._log_handler.remove()


def _exporter(config: OtelConfig, environ: Mapping[str, str]) -> SpanExporter:
    name = config.exporter
    if name == "otlp":
        client, unknown = choose_client(config, environ)
        if unknown:
            log.warning("unknown protocol in OTEL_EXPORTER_OTLP_PROTOCOL; using http/protobuf", protocol=unknown)
        name = f"otlp_{client}"
    made: SpanExporter = import_module(f"pyroadrunner.plugins.otel.exporters.{name}").build(config, environ)
    return made


def _resource(config: OtelConfig) -> Resource:
    said = {key: str(value) for key, value in OTELResourceDetector().detect().attributes.items()}
    own = resource_attributes(
        config, said, lambda: str(uuid.uuid4()), platform.system(), platform.machine(), __version__
    )
    return Resource.create().merge(Resource(own))
