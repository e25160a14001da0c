"""tlsalpn-01: the ACME server opens a TLS connection to port 443 of each name and expects a certificate with a hash of
the key authorization (RFC 8737).

If ``http.ssl.address`` uses that port, an interceptor inspects all new connections while a certificate is being issued,
and forwards those of clients. Otherwise it listens on a port of its own for that time.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.httpd.tls_listener import TlsListener
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.plugins.http.tls.acme.challenge import ChallengeRequest
from pyroadrunner.plugins.http.tls.acme.client_hello import PROTOCOL
from pyroadrunner.plugins.http.tls.acme.interceptor import ChallengeInterceptor

_ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTET_STRING = 4  # the DER tag
_LIFE = timedelta(days=1)


class TlsAlpnChallenge:
    """Responds in the TLS handshake.

    Args:
        port: on which the server's connections arrive.
        bound: the HTTPS sockets, before the engine listens on them.
    """

    kind = "tls-alpn-01"

    def __init__(self, port: int, bound: BoundSockets) -> None:
        self._port = port
        self._bound = bound
        self._upstream: TlsListener | None = None
        self._answers: dict[str, ssl.SSLContext] = {}

    def __repr__(self) -> str:
        return f"TlsAlpnChallenge({self._port})"

    def plain(self, app: ASGIApp) -> ASGIApp:
        """Return the application of ``http.address`` unchanged: this challenge does not use it."""
        return app

    def serves(self, engine: TlsListener) -> None:
        """HTTPS has started: from now on the interceptor forwards connections to it."""
        self._upstream = engine

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """A context in which the server can validate challenges.

        Raises:
            ListenError: the port can't be bound or shared.
        """
        interceptor = ChallengeInterceptor(self._context())
        try:
            if self._port != self._bound.port:
                own = BoundSockets(TcpAddress("", self._port), "http.ssl.acme.alt_tlsalpn_port")
                try:
                    await interceptor.start(own)
                    yield
                finally:
                    interceptor.refuse()
                    own.close()
            elif self._upstream is None:
                try:
                    await interceptor.start(self._bound)
                    yield
                finally:
                    interceptor.refuse()
            else:
                async with self._upstream.intercept(interceptor):
                    yield
        finally:
            self._answers.clear()

    def expect(self, request: ChallengeRequest) -> None:
        """Prepare for a challenge. Called in the thread that talks to the server."""
        self._answers[request.domain] = _answering(request)

    def _context(self) -> ssl.SSLContext:
        """A context without a certificate: it is chosen by the requested name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols([PROTOCOL])

        def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            found = self._answers.get((name or "").lower())
            if found is None:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            connection.context = found
            return None

        context.sni_callback = choose
        return context


def _answering(request: ChallengeRequest) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme challenge")])
    digest = sha256(request.answer.encode()).digest()
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIFE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(request.domain)]), critical=False)
        .add_extension(
            x509.UnrecognizedExtension(_ACME_IDENTIFIER, bytes([_OCTET_STRING, len(digest)]) + digest), critical=True
        )
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols([PROTOCOL])
    with tempfile.NamedTemporaryFile() as file:  # ssl reads only files; no other user can read this one
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.write(made.public_bytes(Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return context
