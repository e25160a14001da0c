"""beanstalkd's protocol (https://github.com/beanstalkd/beanstalkd, doc/protocol.txt). Pure."""

from __future__ import annotations

from typing import NamedTuple

from pyroadrunner.remote.errors import StoreError

_WITH_BODY = (b"RESERVED", b"FOUND", b"OK")  # the last number of their line is the length of a body
_LONGEST_LINE = 1024


class Reply(NamedTuple):
    """A reply: ``INSERTED 7``, or ``RESERVED 7 5`` with a body."""

    word: bytes
    arguments: list[bytes]
    body: bytes = b""

    def __str__(self) -> str:
        return b" ".join([self.word, *self.arguments]).decode("ascii", "replace")

    @property
    def number(self) -> int:
        """The first argument: an id of a job."""
        return int(self.arguments[0])

    def figures(self) -> dict[str, str]:
        """The body of ``stats``: a list of ``name: value``."""
        lines = self.body.decode("utf-8", "replace").splitlines()
        return {name: value for name, found, value in (line.partition(": ") for line in lines) if found}


class ReplyReader:
    """Splits the stream of bytes into replies."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Reply]:
        """Decode a chunk and return the replies that it completes.

        Raises:
            StoreError: it is not beanstalkd that replies.
        """
        rest = self._rest
        rest += data
        at = 0
        replies = []
        while (end := rest.find(b"\r\n", at)) >= 0:
            word, *arguments = bytes(rest[at:end]).split(b" ")
            body = b""
            end += 2
            if word in _WITH_BODY:
                if not arguments or not all(one.isdigit() for one in arguments):
                    raise StoreError("the server does not speak beanstalkd's protocol")
                length = int(arguments[-1])
                if len(rest) < end + length + 2:
                    break
                body = bytes(rest[end : end + length])
                end += length + 2
            replies.append(Reply(word, arguments, body))
            at = end
        del rest[:at]
        if len(rest) > _LONGEST_LINE and rest.find(b"\r\n", 0, _LONGEST_LINE) < 0:
            raise StoreError("the server does not speak beanstalkd's protocol")
        return replies


def put(body: bytes, priority: int, delay: int, time_to_run: int) -> bytes:
    """The command that pushes a job; times in seconds."""
    return b"put %d %d %d %d\r\n%b\r\n" % (priority, delay, time_to_run, len(body), body)


def reserve(count: int, wait: int) -> bytes:
    """Reserve up to ``count`` jobs: wait for the first, take the others if they are there."""
    return b"reserve-with-timeout %d\r\n" % wait + b"reserve-with-timeout 0\r\n" * (count - 1)
