"""An HTTP answer of a worker, and the head the server reads (spec of http, "Response"). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

Headers: TypeAlias = Mapping[str, str | Sequence[str]]
"""One value or several per name."""

Body: TypeAlias = bytes | str | Iterable[bytes]
"""Anything but bytes and text is streamed: each piece is sent when it comes."""

_encode = msgspec.json.Encoder().encode
_NO_HEADERS: dict[str, str] = {}


class Response:
    """One answer.

    Args:
        status: 100 to 599.
        body: bytes, text (UTF-8), or an iterable of bytes, which is streamed and closed when the client goes away.
        headers: one value or a list of them per name.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int = 200, body: Body = b"", headers: Headers = _NO_HEADERS) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    def __repr__(self) -> str:
        size = f"{len(self.body)}" if isinstance(self.body, bytes | str) else "streamed"
        return f"Response({self.status}, body={size})"


def encode_head(status: int, headers: Headers) -> bytes:
    """The context of an answer, in JSON."""
    values = {name: [each] if isinstance(each, str) else list(each) for name, each in headers.items()}
    return _encode({"status": status, "headers": values})
