"""The interceptor of HTTPS connections during an ACME challenge: real sockets, real TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.httpd.tls_listener import TlsListener
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.plugins.http.tls.acme.challenge import ChallengeRequest
from pyroadrunner.plugins.http.tls.acme.tlsalpn01 import TlsAlpnChallenge
from support.pools import run
from support.tls import Authority

QUESTION = ChallengeRequest("localhost", "token", "token.thumbprint")
ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


async def ends(scope: Scope, receive: Receive, send: Send) -> None:
    """Responds with both addresses of the connection."""
    body = json.dumps([scope["client"], scope["server"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})


async def asked(port: int, context: ssl.SSLContext) -> tuple[list[list[object]], list[list[object]]]:
    """The addresses that the application sees, and those of the sockets."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    own = [list(writer.get_extra_info(name)) for name in ("sockname", "peername")]
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    told = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    return json.loads(told[told.index(b"[") : told.rindex(b"]") + 1]), own


async def shown(port: int) -> x509.Certificate:
    """The certificate that the ACME server gets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["acme-tls/1"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    tls = writer.get_extra_info("ssl_object")
    assert tls.selected_alpn_protocol() == "acme-tls/1"
    writer.transport.abort()
    return x509.load_der_x509_certificate(tls.getpeercert(True))


def served(folder: Path, act: Callable[[TlsListener, TlsAlpnChallenge, int, ssl.SSLContext], Awaitable[None]]) -> None:
    """Run ``act`` with a running HTTPS listener and the challenge on its port."""
    authority = Authority(folder)
    identity = authority.server()

    async def main() -> None:
        bound = BoundSockets(TcpAddress("127.0.0.1", 0))
        port = bound.port
        listener = TlsListener(ends, bound, TlsFiles(str(identity.cert), str(identity.key)), streams=8)
        challenge = TlsAlpnChallenge(port, bound)
        challenge.serves(listener)
        await listener.start()
        try:
            await act(listener, challenge, port, authority.context())
        finally:
            listener.refuse()
            await listener.finish(0)

    run(main())


def test_a_challenge_is_handled_and_other_connections_are_forwarded(tmp_path: Path) -> None:
    async def act(listener: TlsListener, challenge: TlsAlpnChallenge, port: int, context: ssl.SSLContext) -> None:
        async with challenge.open():
            challenge.expect(QUESTION)
            made = await shown(port)
            identifier = made.extensions.get_extension_for_oid(ACME_IDENTIFIER)
            assert identifier.critical
            assert isinstance(identifier.value, x509.UnrecognizedExtension)
            assert identifier.value.value == b"\x04\x20" + sha256(b"token.thumbprint").digest()
            names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert names.get_values_for_type(x509.DNSName) == ["localhost"]
            told, own = await asked(port, context)
            assert told == own  # and not the connection between interceptor and engine
        told, own = await asked(port, context)
        assert told == own

    served(tmp_path, act)


def test_a_forwarded_connection_survives_the_interceptor(tmp_path: Path) -> None:
    async def act(listener: TlsListener, challenge: TlsAlpnChallenge, port: int, context: ssl.SSLContext) -> None:
        async with challenge.open():
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()

    served(tmp_path, act)


def test_before_the_first_certificate_other_connections_are_closed(tmp_path: Path) -> None:
    async def main() -> None:
        bound = BoundSockets(TcpAddress("127.0.0.1", 0))
        async with TlsAlpnChallenge(bound.port, bound).open():
            reader, writer = await asyncio.open_connection("127.0.0.1", bound.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
        bound.close()

    run(main())


def test_a_name_without_a_challenge_has_no_certificate(tmp_path: Path) -> None:
    async def act(listener: TlsListener, challenge: TlsAlpnChallenge, port: int, context: ssl.SSLContext) -> None:
        async with challenge.open():
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
                await shown(port)

    served(tmp_path, act)
