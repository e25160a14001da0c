"""Passes the client's certificate to workers, as request attributes with mod_ssl's names."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import lru_cache
from typing import Any

from pyroadrunner.asgi import ATTRIBUTES, ASGIApp, Receive, Scope, Send

VERIFY = "SSL_CLIENT_VERIFY"  # SUCCESS, or NONE without a certificate; an invalid one fails the handshake
SUBJECT = "SSL_CLIENT_S_DN"  # as in RFC 4514: CN=alice,O=Example
FINGERPRINT = "SSL_CLIENT_FINGERPRINT"  # SHA-256 of the certificate, in lower-case hex
CERTIFICATE = "SSL_CLIENT_CERT"  # the certificate itself, PEM

_CONNECTIONS = 1024  # certificates whose attributes are cached: all requests of a connection have the same

_NOBODY = {VERIFY: "NONE"}


class ClientCertificate:
    """Adds the attributes. Unlike headers, attributes can't be forged by clients."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Add the attributes to the scope, in place."""
        if scope["type"] in ("http", "websocket"):
            tls: dict[str, Any] = scope.get("extensions", {}).get("tls") or {}
            chain: tuple[str, ...] = tls.get("client_cert_chain") or ()
            mine = _attributes(chain[0], tls.get("client_cert_name") or "") if chain else _NOBODY
            scope[ATTRIBUTES] = {**scope.get(ATTRIBUTES, {}), **mine}
        return self._app(scope, receive, send)


@lru_cache(_CONNECTIONS)
def _attributes(certificate: str, subject: str) -> dict[str, str]:
    # Imported here, because most servers have no client certificates.
    import hashlib
    import ssl

    der = ssl.PEM_cert_to_DER_cert(certificate)
    return {
        VERIFY: "SUCCESS",
        SUBJECT: subject,
        FINGERPRINT: hashlib.sha256(der).hexdigest(),
        CERTIFICATE: certificate,
    }
