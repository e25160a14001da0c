"""The PROXY protocol, version 2: sends the client's address to the engine, which sees us as its client. Pure."""

from __future__ import annotations

import socket
from typing import Any

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LOCAL = b"\x20\0\0\0"  # no addresses
_FAMILIES = {socket.AF_INET: b"\x11", socket.AF_INET6: b"\x21"}


def preamble(family: int, peer: Any, local: Any) -> bytes:
    """Encode the bytes before the first byte of a connection.

    Args:
        family: of the address; only IPv4 and IPv6 have addresses to send.
        peer: the client's address, as a socket returns it.
        local: the address of our end.
    """
    kind = _FAMILIES.get(socket.AddressFamily(family))
    if kind is None:
        return _SIGNATURE + _LOCAL
    addresses = b"".join(socket.inet_pton(family, where[0].partition("%")[0]) for where in (peer, local))
    ports = b"".join(int(where[1]).to_bytes(2, "big") for where in (peer, local))
    block = addresses + ports
    return _SIGNATURE + b"\x21" + kind + len(block).to_bytes(2, "big") + block
