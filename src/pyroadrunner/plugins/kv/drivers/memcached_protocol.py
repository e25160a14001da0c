"""memcached's text protocol (its doc/protocol.txt): commands -> bytes, bytes -> replies. Pure.

By hand, since the clients there are can't be had: of those for asyncio one looks for the end of an answer in the value
itself (emcache 1.3.3: ``END`` and a line break where a packet happens to end cuts the value there), the other gives a
connection back in the middle of an answer when a call is cancelled (aiomcache 0.8.2). A length goes before each value,
so nothing has to be searched.
"""

from __future__ import annotations

from pyroadrunner.remote.errors import StoreError

LONGEST_KEY = 250
_LONGEST_LINE = 4096  # of a reply; an error text is the longest

Reply = bytes | dict[bytes, bytes]


class BadReply(StoreError):
    """What arrives is no reply of memcached."""


def key_bytes(key: str) -> bytes:
    """The key on the wire.

    Raises:
        StoreError: memcached has no such keys. One with a blank or a line break in it would be a command of its own.
    """
    encoded = key.encode()
    if not encoded or len(encoded) > LONGEST_KEY or any(byte <= 32 or byte == 127 for byte in encoded):
        raise StoreError(
            f"malformed: key is too long or contains invalid characters; memcached takes 1 to {LONGEST_KEY} bytes"
            " without blanks"
        )
    return encoded


def store(command: bytes, key: bytes, value: bytes, exptime: int) -> bytes:
    """``set`` or ``add``; answered with a line."""
    return b"%b %b 0 %d %d\r\n%b\r\n" % (command, key, exptime, len(value), value)


class ReplyReader:
    """Cuts what a server sends into replies: a line such as ``STORED``, or, of ``get`` and ``stats``, values by key."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._found: dict[bytes, bytes] = {}
        self._key = b""
        self._missing = -1  # bytes of the value of ``_key`` with its line break; -1 = a line comes next

    def feed(self, data: bytes) -> list[Reply]:
        """Take what arrived, return the replies it completes, in order.

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
            self._found = {}  # an error in the middle of values
            replies.append(line)


def _head(rest: bytes) -> tuple[bytes, int]:
    parts = rest.split(b" ")
    if len(parts) < 3 or not parts[2].isdigit():
        raise BadReply("the server does not speak memcached's text protocol")
    return parts[0], int(parts[2])
