"""The bytes that send the client's address to the engine."""

from __future__ import annotations

import socket

from pyroadrunner.plugins.http.protocols.forwarding.proxy_protocol import preamble

SIGNATURE = "0d0a0d0a000d0a515549540a"


def test_ipv4() -> None:
    made = preamble(socket.AF_INET, ("192.0.2.1", 0x1234), ("127.0.0.1", 80))
    assert made.hex() == SIGNATURE + "2111000c" + "c0000201" + "7f000001" + "1234" + "0050"


def test_ipv6() -> None:
    made = preamble(socket.AF_INET6, ("fe80::1%eth0", 1, 0, 2), ("::1", 2, 0, 0))
    assert made.hex() == SIGNATURE + "21210024" + "fe80" + "00" * 13 + "01" + "00" * 15 + "01" + "0001" + "0002"


def test_a_unix_socket_has_no_addresses() -> None:
    assert preamble(socket.AF_UNIX, "", "/run/rr.sock").hex() == SIGNATURE + "20000000"
