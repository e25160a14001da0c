"""Metadata on the wire: which names and values are legal, base64 of ``-bin`` keys, percent-encoding of messages.

(https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md) Pure.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from urllib.parse import quote_from_bytes

# Fields of the protocol itself, and those that control an HTTP/2 connection, which must not appear in it.
_RESERVED = frozenset(
    {
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_RESERVED_PREFIX = b"grpc-"
_BASE64 = b":base64"
_ENCODED = b"-bin" + _BASE64
_NAME = re.compile(rb"[0-9a-z_.\-]+")
_VALUE = re.compile(rb"[\x20-\x7e]*")
_UNRESERVED = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"  # all of 0x20 to 0x7e but the percent sign
_MAX_VALUE = 1 << 16  # bytes; h2corn refuses longer lists of headers, and so do clients


def is_legal_name(name: bytes) -> bool:
    """Whether a lower-case name may be the key of metadata: legal, and not reserved for gRPC or HTTP."""
    return _NAME.fullmatch(name) is not None and name not in _RESERVED and not name.startswith(_RESERVED_PREFIX)


def encode_pair(name: str, value: str) -> tuple[bytes, bytes] | None:
    """A pair of metadata as a header; ``None`` if it must not go onto the wire.

    A ``-bin`` key's value is encoded in base64; with ``:base64`` behind the key it is in base64 already, for bytes that
    are no text. Values with a line break or another control character are never sent.
    """
    key = name.lower().encode("utf-8", "replace")
    if key.endswith(_ENCODED):
        return _encoded_pair(key.removesuffix(_BASE64), value)
    if not is_legal_name(key):
        return None
    data = value.encode("utf-8", "surrogateescape")
    if key.endswith(b"-bin"):
        data = encode_bin(data)
    else:
        data = data.strip(b" ")
        if _VALUE.fullmatch(data) is None:
            return None
    return (key, data) if len(data) <= _MAX_VALUE else None


def _encoded_pair(key: bytes, value: str) -> tuple[bytes, bytes] | None:
    try:
        data = encode_bin(_decode_one(value.encode("ascii", "replace")))
    except ValueError:
        return None
    return (key, data) if is_legal_name(key) and len(data) <= _MAX_VALUE else None


def encode_bin(value: bytes) -> bytes:
    """The value of a ``-bin`` header; without padding, as the protocol recommends."""
    return b64encode(value).rstrip(b"=")


def decode_bin(value: bytes) -> list[bytes]:
    """The values of a ``-bin`` header; several may be joined by commas.

    Raises:
        ValueError: one is no base64.
    """
    return [_decode_one(part.strip()) for part in value.split(b",")]


def _decode_one(value: bytes) -> bytes:
    bare = value.rstrip(b"=")
    try:
        return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4), strict_mode=True)
    except binascii.Error as wrong:
        raise ValueError(f"is no base64: {wrong}") from wrong


def encode_message(message: str) -> bytes:
    """The value of ``grpc-message``: percent-encoded UTF-8."""
    return quote_from_bytes(message.encode("utf-8", "replace"), safe=_UNRESERVED).encode("ascii")
