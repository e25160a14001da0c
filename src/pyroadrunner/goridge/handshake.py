"""The handshake: the first frame to and from a worker. Pure.

The server sends its pid, the worker replies with its own. Both are CONTROL frames with a JSON payload, sent once per
worker. A worker replies when it waits for its first request, so the reply comes after its application has booted.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from pyroadrunner.goridge.errors import HandshakeError
from pyroadrunner.goridge.frame import Flag, Frame, encode

MAX_HELLO = 4096  # bytes; a real hello has about 20


class _Hello(msgspec.Struct):
    pid: Annotated[int, msgspec.Meta(le=0x7FFF_FFFF)] = 0  # pid_t


_decode = msgspec.json.Decoder(_Hello).decode


def hello_request(pid: int) -> bytes:
    """The frame that requests a worker's pid.

    Args:
        pid: the server's pid.
    """
    return encode(Flag.CONTROL | Flag.JSON, b'{"pid":%d}' % pid)


def hello_pid(frame: Frame) -> int:
    """The pid in a worker's reply. Its codec bits do not matter: PHP sets none.

    Raises:
        HandshakeError: the frame is not a reply to :func:`hello_request`; the texts are RoadRunner's.
    """
    if not frame.flags & Flag.CONTROL:
        raise HandshakeError("unexpected response, header is missing, no CONTROL flag")
    try:
        pid = _decode(frame.payload).pid
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise HandshakeError(f"unexpected response, the pid cannot be read: {wrong}") from wrong
    if pid <= 0:
        raise HandshakeError("pid should be greater than 0")
    return pid
