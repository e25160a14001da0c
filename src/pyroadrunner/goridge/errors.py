"""What can go wrong between the server and a worker on the wire. Frames first, then the relay that carries them."""

from pyroadrunner.errors import RoadRunnerError


class FrameError(RoadRunnerError):
    """A frame that is not one. Split by who broke the rule."""


class LocalFrameError(FrameError):
    """We tried to build a frame the protocol cannot carry: our bug."""


class RemoteFrameError(FrameError):
    """The peer sent bytes that are no frame. ``garbage`` holds what arrived (bounded)."""

    def __init__(self, reason: str, garbage: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.garbage = garbage


class FrameTooLarge(RemoteFrameError):
    """A header announces more than the reader accepts.

    Attributes:
        length: bytes of the payload.
        limit: what is accepted.
    """

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"frame of {length} bytes exceeds the limit of {limit}")
        self.length = length
        self.limit = limit


class FramePassedOver(FrameTooLarge):
    """The same, where the reader keeps the beginning of such a frame and reads past the rest.

    Attributes:
        options: of the frame, as ``flags``.
        beginning: of its payload.
        rest: what was fed behind it, to be fed again.
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
    """The relay to a peer failed: cut, refused, or never came up."""


class RelayClosed(RelayError):
    """The peer closed its side; ``mid_frame`` says whether it did so inside a frame."""

    def __init__(self, *, mid_frame: bool) -> None:
        super().__init__("unexpected EOF" if mid_frame else "EOF")
        self.mid_frame = mid_frame


class HandshakeError(RelayError):
    """The peer's first frame does not say who it is."""
