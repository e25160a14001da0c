"""Recognizes a challenge connection of an ACME server by its first TLS record. Pure."""

from __future__ import annotations

from enum import Enum, auto

PROTOCOL = "acme-tls/1"  # the only application protocol the server offers (RFC 8737 section 3)

_HANDSHAKE = 22  # type of a record
_HEAD = 5  # bytes before a record's content: type, two bytes of version, two of length
_LONGEST = _HEAD + (1 << 14)
# In the list of a ClientHello each name follows its length.
_OFFERED = bytes([len(PROTOCOL)]) + PROTOCOL.encode()


class ConnectionKind(Enum):
    """The kind of a connection."""

    UNKNOWN = auto()
    """More data is needed."""
    ACME = auto()
    """A challenge."""
    OTHER = auto()
    """A client of the server, or not TLS."""


def classify(data: bytes | bytearray) -> ConnectionKind:
    """Classify by the first record, which contains the whole ClientHello.

    Args:
        data: all data received so far.
    """
    if data and data[0] != _HANDSHAKE:
        return ConnectionKind.OTHER
    if len(data) < _HEAD:
        return ConnectionKind.UNKNOWN
    end = _HEAD + int.from_bytes(data[3:_HEAD], "big")
    if end > _LONGEST:
        return ConnectionKind.OTHER
    if len(data) < end:
        return ConnectionKind.UNKNOWN
    return ConnectionKind.ACME if data.find(_OFFERED, _HEAD, end) >= 0 else ConnectionKind.OTHER
