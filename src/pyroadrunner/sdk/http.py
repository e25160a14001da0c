"""HTTP over a worker: requests in, answers out, and the loop around a handler.

A whole worker is::

    from pyroadrunner.sdk import http

    http.serve(lambda request: "Hello, world!")
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import TypeAlias

from pyroadrunner.goridge.errors import RelayClosed
from pyroadrunner.goridge.frame import Flag
from pyroadrunner.sdk.request import MalformedRequest, Request, UploadedFile
from pyroadrunner.sdk.response import Body, Headers, Response, encode_head, for_text
from pyroadrunner.sdk.worker import Worker

__all__ = ["Answer", "Handler", "HttpWorker", "Request", "Response", "UploadedFile", "serve"]

Answer: TypeAlias = Response | tuple[int, Headers, Body] | str | bytes
Handler: TypeAlias = Callable[[Request], Answer]

_NO_PROTOBUF = (
    "this worker reads request contexts in JSON, the server sends protobuf: "
    'set "codec: json" in the http section of .rr.yaml'
)


class HttpWorker:
    """HTTP requests and answers over a worker. Same words as in the PHP library."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    @classmethod
    def create(cls) -> HttpWorker:
        """The HTTP worker of the server that started this process. Raises as :meth:`Worker.create`."""
        return cls(Worker.create())

    def receive(self) -> Request | None:
        """Wait for the next request; ``None`` when it is time to exit.

        A context that cannot be read is answered with an error, and the wait goes on. Raises as
        :meth:`Worker.receive`.
        """
        while (payload := self.worker.receive()) is not None:
            if payload.codec & Flag.PROTO:
                print(_NO_PROTOBUF, file=sys.stderr, flush=True)
                self.worker.error(_NO_PROTOBUF)
                continue
            try:
                return Request(payload.context, payload.body)
            except MalformedRequest as error:
                self.worker.error(f"cannot read the request: {error}")
        return None

    def respond(self, status: int, body: Body = b"", headers: Headers | None = None) -> None:
        """Answer the request.

        A body that is neither bytes nor text is streamed, and its ``close`` called at the end, whatever the end. What
        it raises before its first piece can still be answered with :meth:`error`; later the client's connection is
        cut. Text is sent in UTF-8, as ``text/plain`` unless ``headers`` have a ``Content-Type``.

        Raises:
            NoRequest: this request was answered before.
            RelayClosed: the server has gone.
        """
        headers = headers or {}
        if isinstance(body, str):
            headers = for_text(headers) if body else headers
            body = body.encode()
        head = encode_head(status, headers)
        if isinstance(body, bytes):
            self.worker.respond(body, head)
        else:
            try:
                for piece in body:
                    if piece:
                        if not self.worker.stream(piece, head):
                            return
                        head = b""  # it travels once, with the first piece
            finally:
                close = getattr(body, "close", None)
                if close is not None:
                    close()
            self.worker.respond(b"", head)

    def respond_early_hints(self, headers: Headers) -> None:
        """Send 103 Early Hints ahead of the answer; the server repeats these headers in the answer. Raises as
        :meth:`respond`."""
        self.worker.stream(b"", encode_head(103, headers))

    def error(self, text: str) -> None:
        """Answer that the request failed: status 500, and the text in the server's log."""
        self.worker.error(text)


def serve(handler: Handler, worker: HttpWorker | None = None) -> None:
    """Call the handler for each request until the server says stop or goes away.

    What the handler raises is answered with an error (status 500, the traceback in the server's log), and the worker
    lives on.

    Args:
        handler: takes the request; returns a :class:`Response`, ``(status, headers, body)``, or text or bytes, which
            are a 200.
        worker: whose requests; ``None`` = those of the server that started this process.

    Raises:
        RelayError: there is no server to work for.
        RemoteFrameError: the server does not speak goridge.
    """
    http = worker or HttpWorker.create()
    try:
        while (request := http.receive()) is not None:
            try:
                _answer(http, handler(request))
            except RelayClosed:
                raise
            except Exception:  # the handler's: one request fails, the worker stays
                http.error(traceback.format_exc())
    except RelayClosed:
        return  # the server has gone without a word: there is nobody left to work for


def _answer(http: HttpWorker, answer: Answer) -> None:
    if isinstance(answer, Response):
        http.respond(answer.status, answer.body, answer.headers)
    elif isinstance(answer, tuple):
        status, headers, body = answer
        http.respond(status, body, headers)
    elif isinstance(answer, str | bytes):
        http.respond(200, answer)
    else:
        raise TypeError(f"the handler returned {type(answer).__name__}, not a Response, a tuple, str or bytes")
