"""A worker's exchange with the server: one request in, one answer out, one at a time.

Knows the handshake, the stop order and streams (spec of goridge workers, handshake and exchange); not what a request
means: that is ``http.py``, or the application's own loop.
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
_PING_EVERY = 5  # over pipes every fifth chunk is followed by one that asks for a PONG: the 6th, 11th, ...


class NoRequest(RuntimeError):
    """The application answered although no request waits for an answer: it answered twice."""


class _Order(msgspec.Struct):
    pid: int = 0
    stop: bool = False


_decode_order = msgspec.json.Decoder(_Order).decode


class Payload:
    """One request as it came.

    Attributes:
        context: encoded head.
        body: raw bytes.
        codec: codec bits of the frame's flags, plain int; the answer carries the same.
    """

    __slots__ = ("body", "codec", "context")

    def __init__(self, context: bytes, body: bytes, codec: int) -> None:
        self.context = context
        self.body = body
        self.codec = codec

    def __repr__(self) -> str:
        return f"Payload(context={len(self.context)} B, body={len(self.body)} B, codec={self.codec:#04x})"


class Worker:
    """The worker's side of the relay. Not safe to share between threads.

    Each payload is answered by exactly one of :meth:`respond`, :meth:`error`, :meth:`stop`, or by any number of
    :meth:`stream` closed by :meth:`respond` or :meth:`end_stream`.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._early: deque[Frame] = deque()  # came while a stream was running and is no word about it
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
            RelayError: nobody listens there.
        """
        return cls(open_relay(os.environ.get("RR_RELAY", "")))

    def receive(self) -> Payload | None:
        """Wait for the next request; ``None`` when the server says stop or has gone: leave the loop and exit.

        Answers the server's handshake on the way.

        Raises:
            RemoteFrameError: the server sent something that is no request.
            RelayClosed: the server went in the middle of a frame.
        """
        while True:
            frame = self._early.popleft() if self._early else self._relay.receive()
            if frame is None:
                return None
            if frame.flags & _CONTROL:
                if not self._control(frame.payload):
                    return None
            elif not frame.stream & _SIGNALS:  # those came too late for their stream
                return self._accept(frame)

    def respond(self, body: bytes, context: bytes = b"") -> None:
        """Answer, or send the last frame of a stream.

        Raises:
            NoRequest: this request was answered before.
            RelayClosed: the server has gone.
        """
        if self._claim():
            self._awaits_answer = False
            self._relay.send(encode_payload(context, body, self._codec))

    def stream(self, body: bytes, context: bytes = b"") -> bool:
        """Send one frame of an answer of many.

        Returns:
            False once the server wants no more of it (its client has gone): the stream is closed already, stop
            producing.

        Raises:
            NoRequest: this request was answered before.
            RelayClosed: the server has gone.
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
        """Close a stream. Without a chunk before it this is an empty answer. Raises as :meth:`respond`."""
        self.respond(b"")

    def error(self, text: str) -> None:
        """Answer that the request failed; the worker lives on.

        In the middle of a stream the server cuts the client's connection and replaces the worker. When nothing waits
        for an answer, the text goes to stderr.

        Raises:
            RelayClosed: the server has gone.
        """
        if not self._awaits_answer:
            print(text, file=sys.stderr, flush=True)
            return
        self._awaits_answer = False
        self._relay.send(encode(Flag.ERROR, text.encode("utf-8", "replace")))

    def stop(self) -> None:
        """Hand the request back unanswered and ask to be replaced: another worker gets it.

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
        """Obey a control frame; False when it says stop."""
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
        """Whether a frame may be sent; False when the server wants no answer any more."""
        if self._awaits_answer:
            return True
        if self._abandoned:
            return False
        raise NoRequest("no request is waiting for an answer")

    def _listen(self) -> None:
        """Read what the server says about a running stream; on STOP close it with an empty frame.

        RoadRunner's own client looks at its pipe only while a PONG is due; looking before every chunk costs one poll
        and notices a client that has gone within one chunk.
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
