"""The header lines of a response, to bytes. Pure.

Names are written as Go writes them (``Content-Type``), since clients of RoadRunner see them that way.
"""

from __future__ import annotations

from collections.abc import Iterable

Pair = tuple[bytes, bytes]

_NAMES_KEPT = 1024  # names cached; applications choose them, so the cache is limited
_CONTENT_LENGTH = b"Content-Length: "
_CONNECTION = b"Connection: "
_OURS = (b"Transfer-Encoding: ", b"Keep-Alive: ", b"Date: ")
_names: dict[bytes, bytes] = {}


class HeaderBlock:
    """Header lines ready to send, and what the server must know of them.

    Attributes:
        lines: without ``Content-Length``, ``Connection``, ``Transfer-Encoding``, ``Keep-Alive``, ``Date``.
        length: of ``Content-Length``.
        close: whether the application wants the connection closed.
    """

    __slots__ = ("close", "length", "lines")

    def __init__(self, headers: Iterable[Pair]) -> None:
        """
        Raises:
            ValueError: a value contains a line break.
        """
        self.length: int | None = None
        self.close = False
        lines: list[bytes] = []
        count = 0
        for name, value in headers:
            line = _names.get(name) or _remember(name)
            if line == _CONTENT_LENGTH:
                self.length = int(value)
            elif line == _CONNECTION:
                self.close = self.close or b"close" in value.lower()
            elif line not in _OURS:
                lines += (line, value, b"\r\n")
                count += 1
        self.lines = b"".join(lines)
        if self.lines.count(b"\n") != count or self.lines.count(b"\r") != count:
            raise ValueError("a response header contains a line break")


def _remember(name: bytes) -> bytes:
    canonical = b"-".join([part.capitalize() for part in name.split(b"-")]) + b": "
    if len(_names) < _NAMES_KEPT:
        _names[name] = canonical
    return canonical
