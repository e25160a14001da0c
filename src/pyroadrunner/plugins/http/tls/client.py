"""Tells the worker who the client is, where clients show certificates: request attributes with mod_ssl's names."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import lru_cache
from typing import Any

from pyroadrunner.asgi import ATTRIBUTES, ASGIApp, Receive, Scope, Send

VERIFY = "SSL_CLIENT_VERIFY"  # SUCCESS, or NONE without a certificate; one that is not good never gets this far
SUBJECT = "SSL_CLIENT_S_DN"  # as in RFC 4514: CN=alice,O=Example
FINGERPRINT = "SSL_CLIENT_FINGERPRINT"  # SHA-256 of the certificate, in lower-case hex
CERTIFICATE = "SSL_CLIENT_CERT"  # the certificate itself, PEM

_CONNECTIONS = 1024  # certificates whose attributes are remembered: every request of a connection has the same

_NOBODY = {VERIFY: "NONE"}


class ClientCertificate:
    """Only attributes can be trusted: a client can send a header of any name, an attribute it can't."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Add the attributes; the scope is ours to change."""
        if scope["type"] in ("http", "websocket"):
            tls: dict[str, Any] = scope.get("extensions", {}).get("tls") or {}
            chain: tuple[str, ...] = tls.get("client_cert_chain") or ()
            mine = _attributes(chain[0], tls.get("client_cert_name") or "") if chain else _NOBODY
            scope[ATTRIBUTES] = {**scope.get(ATTRIBUTES, {}), **mine}
        return self._app(scope, receive, send)


@lru_cache(_CONNECTIONS)
def _attributes(certificate: str, subject: str) -> dict[str, str]:
    # Here, since most servers have no such clients.
    import hashlib
    import ssl

    der = ssl.PEM_cert_to_DER_cert(certificate)
    return {
        VERIFY: "SUCCESS",
        SUBJECT: subject,
        FINGERPRINT: hashlib.sha256(der).hexdigest(),
        CERTIFICATE: certificate,
    }
