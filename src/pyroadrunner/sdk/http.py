"""HTTP in a worker: receive requests, send responses, and the loop around a handler.

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
from pyroadrunner.sdk.worker import Worker, unreadable

__all__ = ["Answer", "Handler", "HttpWorker", "Request", "Response", "UploadedFile", "serve"]

Answer: TypeAlias = Response | tuple[int, Headers, Body] | str | bytes
Handler: TypeAlias = Callable[[Request], Answer]

_NO_PROTOBUF = (
    "this worker reads request contexts in JSON, the server sends protobuf: "
    'set "codec: json" in the http section of .rr.yaml'
)


class HttpWorker:
    """HTTP requests and responses in a worker. Same names as in the PHP library."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    @classmethod
    def create(cls) -> HttpWorker:
        """The HTTP worker of the server that started this process. Raises as :meth:`Worker.create`."""
        return cls(Worker.create())

    def receive(self) -> Request | None:
        """Wait for the next request; ``None`` when it is time to exit.

        A malformed context gets an error response, and the wait continues. Raises as :meth:`Worker.receive`.
        """
        while (payload := self.worker.receive()) is not None:
            if payload.codec & Flag.PROTO:
                print(_NO_PROTOBUF, file=sys.stderr, flush=True)
                self.worker.error(_NO_PROTOBUF)
                continue
            try:
                return Request(payload.context, payload.body)
            except MalformedRequest as error:
                self.worker.error(unreadable("request", error, "http"))
        return None

    def respond(self, status: int, body: Body = b"", headers: Headers | None = None) -> None:
        """Send the response.

        A body that is neither bytes nor text is streamed, and its ``close`` is called at the end in any case. If it
        raises before its first piece, :meth:`error` still works; later the server closes the client's connection.
        Text is sent in UTF-8, as ``text/plain`` unless ``headers`` has a ``Content-Type``.

        Raises:
            NoRequest: the request already has a response.
            RelayClosed: the server has exited.
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
                        head = b""  # sent only once, with the first piece
            finally:
                close = getattr(body, "close", None)
                if close is not None:
                    close()
            self.worker.respond(b"", head)

    def respond_early_hints(self, headers: Headers) -> None:
        """Send 103 Early Hints before the response; the server repeats these headers in the response. Raises as
        :meth:`respond`."""
        self.worker.stream(b"", encode_head(103, headers))

    def error(self, text: str) -> None:
        """Report that the request failed: status 500, and the text in the server's log."""
        self.worker.error(text)


def serve(handler: Handler, worker: HttpWorker | None = None) -> None:
    """Call the handler for each request until the server stops the worker or exits.

    An exception of the handler becomes an error response (status 500, the traceback in the server's log), and the
    worker keeps running.

    Args:
        handler: takes the request; returns a :class:`Response`, ``(status, headers, body)``, or text or bytes, which
            are sent with status 200.
        worker: the source of the requests; ``None`` = the server that started this process.

    Raises:
        RelayError: the server can't be reached.
        RemoteFrameError: the server does not speak goridge.
    """
    http = worker or HttpWorker.create()
    try:
        while (request := http.receive()) is not None:
            try:
                _answer(http, handler(request))
            except RelayClosed:
                raise
            except Exception:  # of the handler: one request fails, the worker keeps running
                http.error(traceback.format_exc())
    except RelayClosed:
        return  # the server exited without a stop


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
