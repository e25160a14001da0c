"""The first two frames of a worker: who asks, and who answers. Pure.

The server sends its own pid, the worker answers with its own; both frames are CONTROL frames with a JSON payload. Sent
once per worker. A worker answers from where it waits for its first request, so the time its application takes to boot
passes before the answer.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from pyroadrunner.goridge.errors import HandshakeError
from pyroadrunner.goridge.frame import Flag, Frame, encode

MAX_HELLO = 4096  # bytes; the real one has about 20


class _Hello(msgspec.Struct):
    pid: Annotated[int, msgspec.Meta(le=0x7FFF_FFFF)] = 0  # pid_t


_decode = msgspec.json.Decoder(_Hello).decode


def hello_request(pid: int) -> bytes:
    """The frame that asks a worker for its pid.

    Args:
        pid: the server's own.
    """
    return encode(Flag.CONTROL | Flag.JSON, b'{"pid":%d}' % pid)


def hello_pid(frame: Frame) -> int:
    """The pid in a worker's answer. Its codec bits do not matter: PHP sets none.

    Raises:
        HandshakeError: the frame is no answer to :func:`hello_request`; the texts are RoadRunner's.
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
