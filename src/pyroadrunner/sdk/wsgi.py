"""Serve a WSGI application (Flask, Django, Bottle ...) in a worker (PEP 3333).

A whole worker, with ``http.raw_body: true`` in ``.rr.yaml``::

    from pyroadrunner.sdk import wsgi

    wsgi.serve("app:app")
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from pyroadrunner.sdk import http
from pyroadrunner.sdk.application import loaded, refuse_parsed
from pyroadrunner.sdk.http import HttpWorker, Request, Response

Application: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def serve(application: Application | str, worker: HttpWorker | None = None) -> None:
    """Serve requests until the server stops the worker.

    Args:
        application: the application, or where it is: ``package.module:name``. It is then imported after the worker has
            taken over the output, so that it may print.
        worker: the source of the requests; ``None`` = the server that started this process.

    Raises:
        ImportError, AttributeError: there is no such application.
    """
    worker = worker or HttpWorker.create()
    app: Application = loaded(application)
    http.serve(lambda request: respond(app, request), worker)


def respond(application: Application, request: Request) -> Response:
    """The response of an application. Its iterable is streamed, and closed in any case.

    Raises:
        RuntimeError: the server has parsed a form, or the application did not call ``start_response``.
    """
    refuse_parsed(request)
    started: list[tuple[int, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        if started and exc_info is None:
            raise AssertionError("start_response was called twice")
        started[:] = [(int(status.split(" ", 1)[0]), headers)]
        return written.append

    result = application(environ(request), start_response)
    close = getattr(result, "close", None)
    try:
        pieces = iter(result)
        first = next((piece for piece in pieces if piece), b"")  # a generator calls start_response only now
        if not started:
            raise RuntimeError("the application did not call start_response")
        status, listed = started[0]
        headers: dict[str, list[str]] = {}
        for name, value in listed:
            headers.setdefault(name, []).append(_unicode(value))
        if isinstance(result, list | tuple) and len(result) < 2:
            return Response(status, b"".join(written) + first, headers)
        stream = _Stream(chain(written, [first], pieces), close)
        close = None
        return Response(status, stream, headers)
    finally:
        if close is not None:
            close()


def environ(request: Request) -> dict[str, Any]:
    """The environment of a request."""
    uri = urlsplit(request.uri)
    tls = uri.scheme == "https"
    env: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.raw_query,
        "SERVER_NAME": uri.hostname or "localhost",
        "SERVER_PORT": str(uri.port or (443 if tls else 80)),
        "SERVER_PROTOCOL": request.protocol,
        "REMOTE_ADDR": request.remote_addr,
        "HTTP_HOST": uri.netloc,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": uri.scheme or "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, values in request.headers.items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            env[key] = _native(values[-1])
        elif key not in ("CONTENT_LENGTH", "HOST"):
            env[f"HTTP_{key}"] = _native(("; " if key == "COOKIE" else ", ").join(values))
    return env


def _native(text: str) -> str:
    """Text as WSGI passes it: each byte is one character."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _unicode(text: str) -> str:
    """The reverse of :func:`_native`; the server sends text in UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


class _Stream:
    """The pieces of a streamed body; closing it closes the iterable of the application."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None] | None) -> None:
        self._pieces = pieces
        self._close = close

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        if self._close is not None:
            self._close()
