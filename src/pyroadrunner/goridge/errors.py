"""Errors of the wire protocol between the server and a worker: first those of frames, then those of relays."""

from pyroadrunner.errors import RoadRunnerError


class FrameError(RoadRunnerError):
    """An invalid frame. The subclasses tell which side is at fault."""


class LocalFrameError(FrameError):
    """The server tried to build an invalid frame: a bug of the server."""


class RemoteFrameError(FrameError):
    """The peer sent bytes that are not a frame. ``garbage`` holds those bytes (bounded)."""

    def __init__(self, reason: str, garbage: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.garbage = garbage


class FrameTooLarge(RemoteFrameError):
    """A header announces a larger payload than the reader accepts.

    Attributes:
        length: bytes of the payload.
        limit: the accepted maximum, in bytes.
    """

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"frame of {length} bytes exceeds the limit of {limit}")
        self.length = length
        self.limit = limit


class FramePassedOver(FrameTooLarge):
    """A frame that is too large, of which the reader keeps the beginning and skips the rest.

    Attributes:
        flags, options: of the frame.
        beginning: the first bytes of its payload.
        rest: the input after the frame, to be fed again.
    """

    def __init__(
        self, length: int, limit: int, *, flags: int, options: tuple[int, ...], beginning: bytes, rest: bytes
    ) -> None:
        super().__init__(length, limit)
        self.flags = flags
        self.options = options
        self.beginning = beginning
        self.rest = rest


class RelayError(RoadRunnerError):
    """The relay to a peer failed: it was closed, refused or never established."""


class RelayClosed(RelayError):
    """The peer closed its side; ``mid_frame`` says whether it did so inside a frame."""

    def __init__(self, *, mid_frame: bool) -> None:
        super().__init__("unexpected EOF" if mid_frame else "EOF")
        self.mid_frame = mid_frame


class HandshakeError(RelayError):
    """The peer's first frame does not identify it."""
