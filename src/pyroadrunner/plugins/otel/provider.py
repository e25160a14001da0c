"""The OpenTelemetry SDK, set up from the section. Imported only when the section is there: it costs start time."""

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
    """What makes spans and sends them, in batches, from a thread.

    The library's own variables hold for what the section has no key for: ``OTEL_TRACES_SAMPLER``, ``OTEL_BSP_...``.

    Raises:
        ModuleNotFoundError: a package is missing.
        Exception: whatever the library makes of settings it can't use.
    """

    def __init__(self, config: OtelConfig, environ: Mapping[str, str]) -> None:
        self._log_handler = ExporterLogHandler()
        self._log_handler.setting_up = True
        self._log_handler.install()
        try:
            self._exporter_wrapper = SafeExporter(_exporter(config, environ), self._log_handler)
            # Not at exit: the end has its place in the order of the plugins, and must not hold up the interpreter.
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
        """The span of a request, as a part of the trace that its headers name."""
        return NoSpan() if self._off else self._recorder.begin(name, headers, attributes)

    def flush_and_close(self) -> None:
        """Send what is left, then close. Blocks for as long as a collector takes that does not answer."""
        self._exporter_wrapper.stop_retrying()
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def give_up(self) -> None:
        """Lose what is left; :meth:`flush_and_close`, on another thread, ends as soon as it can. Does not block."""
        self._exporter_wrapper.give_up()

    def forget(self) -> None:
        """The last call."""
        self._log_handler.remove()


def _exporter(config: OtelConfig, environ: Mapping[str, str]) -> SpanExporter:
    name = config.exporter
    if name == "otlp":
        client, unknown = choose_client(config, environ)
        if unknown:
            log.warning("unknown protocol of OTEL_EXPORTER_OTLP_PROTOCOL; http/protobuf is used", protocol=unknown)
        name = f"otlp_{client}"
    made: SpanExporter = import_module(f"pyroadrunner.plugins.otel.exporters.{name}").build(config, environ)
    return made


def _resource(config: OtelConfig) -> Resource:
    said = {key: str(value) for key, value in OTELResourceDetector().detect().attributes.items()}
    own = resource_attributes(
        config, said, lambda: str(uuid.uuid4()), platform.system(), platform.machine(), __version__
    )
    return Resource.create().merge(Resource(own))
