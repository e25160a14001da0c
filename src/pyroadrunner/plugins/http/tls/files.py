"""The files of ``http.ssl``, and the authentication of clients."""

from __future__ import annotations

from pyroadrunner.httpd.errors import TlsError
from pyroadrunner.httpd.tls import ClientAuth, TlsFiles
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.tls.config import SslConfig

# The TLS engine always verifies client certificates. So two of RoadRunner's values are stricter here: they accept only
# certificates that the strict values accept.
_CLIENT_AUTH: dict[str, ClientAuth] = {
    "request_client_cert": "optional",
    "verify_client_cert_if_given": "optional",
    "require_any_client_cert": "required",
    "require_and_verify_client_cert": "required",
}
_STRICTER = ("request_client_cert", "require_any_client_cert")
_NO_CLIENT_AUTH = ("", "no_client_cert", "no_client_certs")  # the second form is from RoadRunner's documentation

log = Log("http")


def files_of(config: SslConfig, acme: str = "") -> TlsFiles | None:
    """The configured files; ``None`` if TLS is not configured.

    Args:
        acme: file with a certificate from an ACME server and its key; replaces the configured files.

    Raises:
        TlsError: only one of ``cert`` and ``key`` is set.
    """
    if acme:
        return TlsFiles(acme, acme, config.root_ca, _client_auth(config))
    if not config.cert and not config.key:
        return None
    if not config.cert or not config.key:
        there, missing = ("cert", "key") if config.cert else ("key", "cert")
        raise TlsError(f"http.ssl.{there} is set and http.ssl.{missing} is not: TLS needs both")
    return TlsFiles(config.cert, config.key, config.root_ca, _client_auth(config))


def _client_auth(config: SslConfig) -> ClientAuth:
    name = config.client_auth_type
    if name in _NO_CLIENT_AUTH:
        if config.root_ca:
            log.warning("http.ssl.root_ca has no effect: client_auth_type requests no certificate")
        return "none"
    auth = _CLIENT_AUTH.get(name)
    if auth is None:
        log.warning("http.ssl.client_auth_type is unknown; no certificate is requested", value=name)
        return "none"
    if not config.root_ca:
        log.warning("http.ssl.client_auth_type has no effect without root_ca", value=name)
        return "none"
    if name in _STRICTER:
        log.warning("client certificates are always verified, even with this http.ssl.client_auth_type", value=name)
    return auth
