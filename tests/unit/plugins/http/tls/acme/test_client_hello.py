"""Recognizing a challenge by the first record of a connection."""

from __future__ import annotations

import ssl

import pytest

from pyroadrunner.plugins.http.tls.acme.client_hello import PROTOCOL, ConnectionKind, classify


def hello(*protocols: str) -> bytes:
    """The first record of Python's TLS client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(list(protocols))
    sent = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="ex.com")
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return sent.read()


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [((PROTOCOL,), ConnectionKind.ACME), (("h2", "http/1.1"), ConnectionKind.OTHER), ((), ConnectionKind.OTHER)],
)
def test_a_complete_hello(protocols: tuple[str, ...], expected: ConnectionKind) -> None:
    assert classify(hello(*protocols)) is expected


def test_a_hello_in_pieces() -> None:
    whole = hello(PROTOCOL)
    assert {classify(whole[:n]) for n in range(len(whole))} == {ConnectionKind.UNKNOWN}
    assert classify(whole + b"more") is ConnectionKind.ACME


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x00", b"\x16\x03\x01\xff\xff"])
def test_other_data_is_for_the_engine(data: bytes) -> None:
    assert classify(data) is ConnectionKind.OTHER


def test_the_protocol_name_after_the_first_record_is_ignored() -> None:
    assert classify(hello("h2") + hello(PROTOCOL)) is ConnectionKind.OTHER
