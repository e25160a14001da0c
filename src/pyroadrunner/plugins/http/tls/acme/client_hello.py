"""What a connection of TLS begins with: is it the question of an ACME server? Pure."""

from __future__ import annotations

from enum import Enum, auto

PROTOCOL = "acme-tls/1"  # what the server offers as its only application protocol (RFC 8737 section 3)

_HANDSHAKE = 22  # type of a record
_HEAD = 5  # bytes before a record's content: its type, two of a version, two of its length
_LONGEST = _HEAD + (1 << 14)
# In the list of a ClientHello each name stands behind its length.
_OFFERED = bytes([len(PROTOCOL)]) + PROTOCOL.encode()


class ConnectionKind(Enum):
    """For whom a connection is."""

    UNKNOWN = auto()
    """More has to come."""
    ACME = auto()
    """For the challenge."""
    OTHER = auto()
    """For the server; also what is no TLS."""


def classify(data: bytes | bytearray) -> ConnectionKind:
    """Judge by the first record, which has the whole ClientHello.

    Args:
        data: all that has come yet.
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
