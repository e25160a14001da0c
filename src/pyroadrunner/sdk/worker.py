"""A worker's exchange with the server: receive one request, send its response, one at a time.

Implements the handshake, the stop order and streams (spec of goridge workers, handshake and exchange). It does not
interpret requests: ``http.py`` or the application's own loop does.
"""

from __future__ import annotations

import os
import sys
from collections import deque

import msgspec

from pyroadrunner.goridge.errors import RemoteFrameError
from pyroadrunner.goridge.frame import Flag, Frame, Stream, encode, encode_payload
from pyroadrunner.sdk.relay import Relay, open_relay

_CODECS = int(Flag.RAW | Flag.JSON | Flag.MSGPACK | Flag.GOB | Flag.PROTO)
_CONTROL = int(Flag.CONTROL)
_SIGNALS = int(Stream.STOP | Stream.PONG)
_PING_EVERY = 5  # over pipes, the chunk after every fifth one requests a PONG: the 6th, 11th, ...


class NoRequest(RuntimeError):
    """The application sent a response although no request waits for one: it responded twice."""


class _Order(msgspec.Struct):
    pid: int = 0
    stop: bool = False


_decode_order = msgspec.json.Decoder(_Order).decode


class Payload:
    """One undecoded request.

    Attributes:
        context: encoded head.
        body: raw bytes.
        codec: codec bits of the frame's flags, plain int; the response has the same.
    """

    __slots__ = ("body", "codec", "context")

    def __init__(self, context: bytes, body: bytes, codec: int) -> None:
        self.context = context
        self.body = body
        self.codec = codec

    def __repr__(self) -> str:
        return f"Payload(context={len(self.context)} B, body={len(self.body)} B, codec={self.codec:#04x})"


def unreadable(what: str, why: object, serves: str) -> str:
    """The error text for a context that can't be read. The usual cause: the server started this worker for another
    plugin.

    Args:
        what: ``request``, ``job``, ...
        serves: the plugin that the caller serves, as in ``RR_MODE``.
    """
    mode = os.environ.get("RR_MODE", serves)
    hint = (
        ""
        if mode == serves
        else f"; the server started this worker for `{mode}`, but it serves `{serves}` (see RR_MODE)"
    )
    return f"cannot read the {what}: {why}{hint}"


class Worker:
    """The worker's side of the relay. Not safe to share between threads.

    Each payload needs exactly one call of :meth:`respond`, :meth:`error` or :meth:`stop`, or any number of calls of
    :meth:`stream` followed by :meth:`respond` or :meth:`end_stream`.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._early: deque[Frame] = deque()  # frames that arrived during a stream and do not concern it
        self._codec = 0
        self._chunks = 0
        self._awaits_pong = False
        self._awaits_answer = False
        self._abandoned = False

    def __repr__(self) -> str:
        state = "abandoned" if self._abandoned else "working" if self._awaits_answer else "ready"
        return f"Worker(pid={os.getpid()}, {state})"

    @classmethod
    def create(cls) -> Worker:
        """The worker of the server that started this process: its relay is in ``RR_RELAY``.

        Raises:
            RelayError: the connect failed.
        """
        return cls(open_relay(os.environ.get("RR_RELAY", "")))

    def receive(self) -> Payload | None:
        """Wait for the next request; ``None`` when the server stops the worker or has exited: leave the loop and exit.

        Also answers the server's handshake.

        Raises:
            RemoteFrameError: the server sent an invalid request.
            RelayClosed: the server exited within a frame.
        """
        while True:
            frame = self._early.popleft() if self._early else self._relay.receive()
            if frame is None:
                return None
            if frame.flags & _CONTROL:
                if not self._control(frame.payload):
                    return None
            elif not frame.stream & _SIGNALS:  # signals that arrive after their stream are ignored
                return self._accept(frame)

    def respond(self, body: bytes, context: bytes = b"") -> None:
        """Send the response, or the last frame of a stream.

        Raises:
            NoRequest: the request already has a response.
            RelayClosed: the server has exited.
        """
        if self._claim():
            self._awaits_answer = False
            self._relay.send(encode_payload(context, body, self._codec))

    def stream(self, body: bytes, context: bytes = b"") -> bool:
        """Send one frame of a streamed response.

        Returns:
            False if the server has ended the stream (the client disconnected). The stream is then closed; stop
            producing.

        Raises:
            NoRequest: the request already has a response.
            RelayClosed: the server has exited.
        """
        if self._chunks:
            self._listen()
        if not self._claim():
            return False
        bits = int(Stream.STREAM)
        if self._relay.pings and self._chunks and not self._chunks % _PING_EVERY and not self._awaits_pong:
            bits |= Stream.PING
            self._awaits_pong = True
        self._chunks += 1
        self._relay.send(encode_payload(context, body, self._codec, bits))
        return True

    def end_stream(self) -> None:
        """Close a stream. Without a chunk before it, this is an empty response. Raises as :meth:`respond`."""
        self.respond(b"")

    def error(self, text: str) -> None:
        """Report that the request failed; the worker keeps running.

        Within a stream, the server closes the client's connection and replaces the worker. If no request waits for a
        response, the text goes to stderr.

        Raises:
            RelayClosed: the server has exited.
        """
        if not self._awaits_answer:
            print(text, file=sys.stderr, flush=True)
            return
        self._awaits_answer = False
        self._relay.send(encode(Flag.ERROR, text.encode("utf-8", "replace")))

    def stop(self) -> None:
        """Return the request without a response and ask to be replaced: another worker gets the request.

        Raises as :meth:`respond`.
        """
        self.respond(b"", b'{"stop":true}')

    def _accept(self, frame: Frame) -> Payload:
        size = frame.options[0] if frame.options else 0
        if size > len(frame.payload):
            raise RemoteFrameError(f"context of {size} bytes is longer than its frame")
        self._codec = frame.flags & _CODECS
        self._chunks = 0
        self._awaits_pong = self._abandoned = False
        self._awaits_answer = True
        return Payload(frame.payload[:size], frame.payload[size:], self._codec)

    def _control(self, payload: bytes) -> bool:
        """Handle a control frame; False if it is a stop order."""
        try:
            order = _decode_order(payload)
        except (msgspec.DecodeError, RecursionError) as error:
            raise RemoteFrameError("unknown control frame", payload) from error
        if order.stop:
            return False
        if not order.pid:
            raise RemoteFrameError("unknown control frame", payload)
        self._relay.send(encode(Flag.CONTROL, b'{"pid":%d}' % os.getpid()))
        return True

    def _claim(self) -> bool:
        """Whether a frame may be sent; False if the server no longer expects a response."""
        if self._awaits_answer:
            return True
        if self._abandoned:
            return False
        raise NoRequest("no request waits for a response")

    def _listen(self) -> None:
        """Read the server's frames about a running stream; on STOP close it with an empty frame.

        RoadRunner's own client reads its pipe only while a PONG is due. Checking before every chunk costs one poll and
        detects a disconnected client within one chunk.
        """
        while self._awaits_answer and self._relay.readable():
            frame = self._relay.receive()
            if frame is None or frame.stream & Stream.STOP:
                self._abandoned = True
                self._awaits_answer = False
                if frame is not None:
                    self._relay.send(encode_payload(b"", b"", self._codec))
            elif frame.stream & Stream.PONG:
                self._awaits_pong = False
            else:
                self._early.append(frame)
