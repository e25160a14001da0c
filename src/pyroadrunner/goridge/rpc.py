"""Encode and decode RPC calls and replies. Pure.

A call and its reply have the same form. There are two options, the sequence number and the length of the method's name.
The payload is the name, then the encoded argument, the encoded result, or the text of an error (flag ERROR, never
encoded). Replies arrive in the order in which calls end; the sequence number identifies the call.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

import msgspec

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.goridge.errors import LocalFrameError, RemoteFrameError
from pyroadrunner.goridge.frame import MAX_PAYLOAD, VERSION, Flag, Frame

# If several bits are set, the first of these wins (goridge, pkg/rpc/codec.go: storeCodec).
CODECS = (Flag.PROTO, Flag.JSON, Flag.RAW, Flag.MSGPACK, Flag.GOB)
MAX_SEQUENCE = 0xFFFF_FFFF

_BITS = tuple(map(int, CODECS))  # plain ints: enum operations are slow
_CODEC_OF = tuple([next((bit for bit in _BITS if flags & bit), 0) for flags in range(256)])
_FIRST_BYTE = VERSION << 4 | 5  # three words of header, two options
_HEAD = Struct("<BBI").pack
_TAIL = Struct("<IHII").pack


class IllFormedMethod(RoadRunnerError):
    """The method's name has no dot."""

    def __init__(self, name: str) -> None:
        super().__init__(f"rpc: service/method request ill-formed: {name}")


class Call(msgspec.Struct, eq=False, gc=False):  # created in half the time of a Python class
    """One call. Compared by identity.

    Attributes:
        sequence: the caller's number, repeated in the reply.
        method: ``service.Method``, as received.
        body: the encoded argument; empty = no argument.
        codec: one codec bit of :class:`~pyroadrunner.goridge.frame.Flag`, or 0 if the caller set none.
    """

    sequence: int
    method: bytes
    body: bytes
    codec: int

    def __repr__(self) -> str:
        return f"Call({self.method!r}, sequence={self.sequence}, codec={self.codec:#04x}, body={len(self.body)} B)"


class Answer:
    """The reply to a call: ``body`` is the encoded result, or the text of an error if ``failed``."""

    __slots__ = ("body", "failed", "method", "sequence")

    def __init__(self, sequence: int, method: bytes, body: bytes, failed: bool) -> None:
        self.sequence = sequence
        self.method = method
        self.body = body
        self.failed = failed

    def __repr__(self) -> str:
        kind = "failed" if self.failed else f"{len(self.body)} B"
        return f"Answer({self.method!r}, sequence={self.sequence}, {kind})"


def read_call(frame: Frame) -> Call:
    """Decode a call from its frame.

    Raises:
        RemoteFrameError: the call is malformed. It can't be answered, as its sequence number is unknown.
    """
    options = frame.options
    payload = frame.payload
    if len(options) != 2 or options[1] > len(payload):
        _parts(frame)
    size = options[1]
    return Call(options[0], payload[:size], payload[size:], _CODEC_OF[frame.flags])


def read_answer(frame: Frame) -> Answer:
    """Decode a reply from its frame.

    Raises:
        RemoteFrameError: the reply is malformed.
    """
    method, body = _parts(frame)
    return Answer(frame.options[0], method, body, bool(frame.flags & Flag.ERROR))


def _parts(frame: Frame) -> tuple[bytes, bytes]:
    if len(frame.options) != 2:
        raise RemoteFrameError(f"a call has 2 options, sequence and length of the method, not {len(frame.options)}")
    size = frame.options[1]
    payload = frame.payload
    if size > len(payload):
        raise RemoteFrameError(f"a method's name of {size} bytes in a payload of {len(payload)}")
    return payload[:size], payload[size:]


def encode_call(sequence: int, method: bytes, body: bytes, codec: int) -> bytes:
    """Build the frame of a call.

    Raises:
        LocalFrameError: the sequence number or the payload does not fit into 32 bits.
    """
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise LocalFrameError(f"sequence {sequence} does not fit into 32 bits")
    return _encode(codec, sequence, method, body)


def encode_result(call: Call, result: bytes) -> bytes:
    """Build the reply to ``call`` with an encoded result.

    Raises:
        LocalFrameError: the payload does not fit into 32 bits.
    """
    return _encode(call.codec, call.sequence, call.method, result)


def encode_error(call: Call, text: str) -> bytes:
    """Build the reply to ``call`` with an error. If the call has no codec, the reply is marked gob, as in goridge."""
    return _encode((call.codec or Flag.GOB) | Flag.ERROR, call.sequence, call.method, text.encode("utf-8", "replace"))


def _encode(flags: int, sequence: int, method: bytes, body: bytes) -> bytes:
    length = len(method) + len(body)
    if length > MAX_PAYLOAD:
        raise LocalFrameError(f"a frame carries at most {MAX_PAYLOAD} bytes, not {length}")
    head = _HEAD(_FIRST_BYTE, flags, length)
    return b"".join((head, _TAIL(crc32(head), 0, sequence, len(method)), method, body))


def split_method(name: str) -> tuple[str, str]:
    """Split a name at its last dot into service and method.

    Raises:
        IllFormedMethod: the name has no dot.
    """
    service, dot, method = name.rpartition(".")
    if not dot:
        raise IllFormedMethod(name)
    return service, method
