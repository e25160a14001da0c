"""memcached's text protocol (its doc/protocol.txt): commands -> bytes, bytes -> replies. Pure.

Written by hand, since both asyncio clients have bugs. emcache 1.3.3 searches for the end of a reply in the value
itself: ``END`` and a line break at the end of a packet truncate the value. aiomcache 0.8.2 returns a connection to its
pool in the middle of a reply when a call is cancelled. Here the length before each value is used, so nothing is
searched.
"""

from __future__ import annotations

from pyroadrunner.remote.errors import StoreError

LONGEST_KEY = 250
_LONGEST_LINE = 4096  # bytes of a reply line; error texts are the longest

Reply = bytes | dict[bytes, bytes]


class BadReply(StoreError):
    """The received data is not a memcached reply."""


def key_bytes(key: str) -> bytes:
    """The key on the wire.

    Raises:
        StoreError: the key is invalid in memcached. A blank or line break in it would start another command.
    """
    encoded = key.encode()
    if not encoded or len(encoded) > LONGEST_KEY or any(byte <= 32 or byte == 127 for byte in encoded):
        raise StoreError(
            f"malformed: key is too long or contains invalid characters; memcached takes 1 to {LONGEST_KEY} bytes"
            " without blanks"
        )
    return encoded


def store(command: bytes, key: bytes, value: bytes, exptime: int) -> bytes:
    """``set`` or ``add``; the reply is a line."""
    return b"%b %b 0 %d %d\r\n%b\r\n" % (command, key, exptime, len(value), value)


class ReplyReader:
    """Splits received data into replies: a line such as ``STORED``, or values by key for ``get`` and ``stats``."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._found: dict[bytes, bytes] = {}
        self._key = b""
        self._missing = -1  # bytes of the value of ``_key`` with its line break; -1 = a line is next

    def feed(self, data: bytes) -> list[Reply]:
        """Process received data; return the completed replies, in order.

        Raises:
            BadReply
        """
        self._buffer += data
        replies: list[Reply] = []
        at = 0
        while True:
            if self._missing >= 0:
                end = at + self._missing
                if len(self._buffer) < end:
                    break
                self._found[self._key] = bytes(self._buffer[at : end - 2])
                self._missing = -1
                at = end
                continue
            end = self._buffer.find(b"\r\n", at)
            if end < 0:
                if len(self._buffer) - at > _LONGEST_LINE:
                    raise BadReply("the server does not speak memcached's text protocol")
                break
            self._line(bytes(self._buffer[at:end]), replies)
            at = end + 2
        del self._buffer[:at]
        return replies

    def _line(self, line: bytes, replies: list[Reply]) -> None:
        word, _, rest = line.partition(b" ")
        if word == b"VALUE":
            self._key, size = _head(rest)
            self._missing = size + 2
        elif word == b"STAT":
            key, _, value = rest.partition(b" ")
            self._found[key] = value
        elif line == b"END":
            replies.append(self._found)
            self._found = {}
        else:
            self._found = {}  # an error line between values
            replies.append(line)


def _head(rest: bytes) -> tuple[bytes, int]:
    parts = rest.split(b" ")
    if len(parts) < 3 or not parts[2].isdigit():
        raise BadReply("the server does not speak memcached's text protocol")
    return parts[0], int(parts[2])
