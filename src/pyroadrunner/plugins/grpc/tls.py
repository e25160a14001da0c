"""The files of ``grpc.tls``, and the authentication of clients."""

from __future__ import annotations

from pyroadrunner.httpd.tls import ClientAuth, TlsFiles
from pyroadrunner.log import Log
from pyroadrunner.plugins.grpc.config import GrpcTlsConfig

# The TLS engine always verifies client certificates. So two of RoadRunner's values are stricter here.
_CLIENT_AUTH: dict[str, ClientAuth] = {
    "no_client_cert": "none",
    "request_client_cert": "optional",
    "verify_client_cert_if_given": "optional",
    "require_any_client_cert": "required",
    "require_and_verify_client_cert": "required",
}
_STRICTER = ("request_client_cert", "require_any_client_cert")

log = Log("grpc")


def files_of(config: GrpcTlsConfig) -> TlsFiles | None:
    """The configured files; ``None`` if TLS is off."""
    if not config.enabled:
        return None
    if config.root_ca and config.auth_type == "no_client_cert":
        log.warning("grpc.tls.root_ca has no effect: client_auth_type requests no certificate")
    if config.auth_type in _STRICTER:
        log.warning(
            "client certificates are always verified, even with this grpc.tls.client_auth_type", value=config.auth_type
        )
    return TlsFiles(config.cert, config.key, config.root_ca, _CLIENT_AUTH[config.auth_type], "grpc.tls")
