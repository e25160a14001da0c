"""The header lines of a response, to bytes. Pure, and on the hot path.

Names are written as Go writes them (``Content-Type``), since clients of RoadRunner see them that way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyroadrunner.bounded_cache import BoundedCache

Pair = tuple[bytes, bytes]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTENT_LENGTH = b"Content-Length: "
_CONNECTION = b"Connection: "
_DATE = b"Date: "
_HOP_BY_HOP = (b"Transfer-Encoding: ", b"Keep-Alive: ", b"Proxy-Connection: ", b"Upgrade: ")
_SPECIAL = frozenset((_CONTENT_LENGTH, _CONNECTION, _DATE, *_HOP_BY_HOP))


class HeaderBlock:
    """Header lines ready to send, and what the server must know of them.

    Attributes:
        lines: without ``Content-Length`` and the headers of the connection.
        length: of ``Content-Length``.
        close: whether the application wants the connection closed.
        dated: whether there is a ``Date``.
    """

    __slots__ = ("close", "dated", "length", "lines")

    def __init__(self, headers: Iterable[Pair], *, checked: bool = False) -> None:
        """
        Args:
            checked: whether it is certain that no value contains a line break or NUL.

        Raises:
            ValueError: a name is not a token, a value contains a line break or NUL, or there is no single length.
        """
        self.length: int | None = None
        self.close = False
        self.dated = False
        lines: list[bytes] = []
        for name, value in headers:
            line = _names[name]
            if line in _SPECIAL:
                if line == _CONTENT_LENGTH:
                    if not value.isdigit() or self.length not in (None, int(value)):
                        raise ValueError("the Content-Length of a response is not a single number")
                    self.length = int(value)
                elif line == _CONNECTION:
                    self.close = self.close or b"close" in value.lower()
                elif line == _DATE:
                    self.dated = True
                    lines += (line, value, b"\r\n")
            else:
                lines += (line, value, b"\r\n")
        self.lines = block = b"".join(lines)
        if not checked and (not 3 * block.count(b"\n") == 3 * block.count(b"\r") == len(lines) or b"\0" in block):
            raise ValueError("a response header contains a line break or NUL")

    @classmethod
    def checked(cls, headers: Iterable[Pair], *, close: bool, dated: bool) -> HeaderBlock:
        """A block of headers of which the application knows that they have no line break, and that neither
        ``Content-Length`` nor headers of the connection are among them."""
        block = cls.__new__(cls)
        block.length = None
        block.close = close
        block.dated = dated
        block.lines = b"".join([b"%b%b\r\n" % (_names[name], value) for name, value in headers])
        return block

    def __repr__(self) -> str:
        return f"HeaderBlock({self.lines!r}, length={self.length})"


def _line(name: bytes) -> bytes:
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not the name of a response header")
    return b"-".join([part.capitalize() for part in name.split(b"-")]) + b": "


_names = BoundedCache(_line, entries=1024, max_bytes=1 << 16)
