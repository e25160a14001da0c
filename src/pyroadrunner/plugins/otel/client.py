"""Choose the protocol and URL for OTLP. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pyroadrunner.plugins.otel.config import CLIENTS, OtelConfig

_PROTOCOL_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = {"grpc": "grpc", "http/protobuf": "http"}
_PATH = "/v1/traces"


def choose_client(config: OtelConfig, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return ``http`` or ``grpc``, and the protocol of the environment if it is unknown (else empty)."""
    if config.client:
        return (config.client if config.client in CLIENTS else "http"), ""
    protocol = next((environ[name] for name in _PROTOCOL_VARIABLES if environ.get(name)), "http/protobuf")
    return (_PROTOCOLS[protocol], "") if protocol in _PROTOCOLS else ("http", protocol)


def http_url(config: OtelConfig, environ: Mapping[str, str]) -> str | None:
    """The URL for the http client; ``None`` = the library reads it from its own variables."""
    path = config.custom_url and "/" + config.custom_url.lstrip("/")
    if not config.endpoint:
        if not path:
            return None
        base = next((environ[name] for name in _ENDPOINT_VARIABLES if environ.get(name)), "http://localhost:4318")
        scheme, _, rest = base.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}{path}"
    if "://" in config.endpoint:
        scheme, _, rest = config.endpoint.partition("://")
    else:
        scheme, rest = ("http" if config.insecure else "https"), config.endpoint
    host, slash, given = rest.partition("/")
    return f"{scheme}://{host}{path or (slash + given if given else _PATH)}"
