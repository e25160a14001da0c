"""Error responses of the server itself: one table of status codes."""

from __future__ import annotations

from typing import NamedTuple

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.http import debug_page
from pyroadrunner.workers.errors import NoFreeWorker, PoolClosed, PoolError, QueueFull, WorkerCrashed

_TEXT = (b"content-type", b"text/plain; charset=utf-8")
NO_WORKERS = (b"no-workers", b"true")  # RoadRunner's header, for clients that count or retry
_NOSNIFF = (b"x-content-type-options", b"nosniff")


class HttpError(RoadRunnerError):
    """An error of the http plugin; the root of its family."""


class RequestError(HttpError):
    """A request that is refused before it reaches a worker."""

    status = 500


class UnreadableRequest(RequestError):
    """A form or an upload that can't be read (RoadRunner responds with 500, regardless of ``internal_error_code``)."""


class RequestTooLarge(RequestError):
    """A body larger than ``max_request_size``."""

    status = 413

    def __init__(self) -> None:
        super().__init__("http: request body too large")


class FormTooLarge(RequestError):
    """A form that exceeds a limit of ``http.forms``."""

    status = 413

    def __init__(self, what: str, key: str) -> None:
        """
        Args:
            what: such as ``more than 1000 fields``.
            key: of ``http.forms``; the limit to raise.
        """
        super().__init__(f"http: the form has {what} (http.forms.{key})")


class FormTooDeep(RequestError):
    """A field name with more segments than ``http.forms.max_depth``."""

    status = 400

    def __init__(self, limit: int) -> None:
        super().__init__(f"http: a field's name is more than {limit} levels deep (http.forms.max_depth)")


class RequestTooSlow(RequestError):
    """A body that arrives more slowly than any normal connection."""

    status = 408

    def __init__(self) -> None:
        super().__init__("the request body arrived too slowly")


class ClientGone(HttpError):
    """The client disconnected before its request was complete; no response is possible."""


class BadReply(HttpError):
    """A worker's reply whose head can't be read."""


class Answer(NamedTuple):
    """A complete response made by the server itself."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


OVERLOAD = (QueueFull, NoFreeWorker, PoolClosed)
CLIENT_LEFT = Answer(499, [], b"")  # nginx's status for the log: the client has disconnected


def refusal(error: RequestError) -> Answer:
    """The response to a refused request."""
    return Answer(error.status, [_TEXT, _NOSNIFF], f"serve_http: {error}\n".encode())


def failure(error: Exception, internal_code: int, overload_code: int, debug: bool) -> Answer:
    """The response if the worker failed or no worker was available.

    Args:
        error: what the pool raised, or :class:`BadReply`.
        internal_code: ``http.internal_error_code``.
        overload_code: ``http.overload_code``.
        debug: ``http.pool.debug`` or ``http.dev``: send the error to the client.
    """
    if debug and isinstance(error, WorkerCrashed) and (error.garbage or error.stderr):
        return Answer(internal_code, [*debug_page.HEADERS], debug_page.debug_page(error))
    headers = [_TEXT] if debug else []
    if isinstance(error, PoolError) and error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after))
    if isinstance(error, OVERLOAD):
        headers.append(NO_WORKERS)
    status = overload_code if isinstance(error, OVERLOAD) else internal_code
    return Answer(status, headers, f"{error}\n".encode() if debug else b"")


def bad_status(status: int) -> bytes:
    """The body of the response if the worker's status does not exist in HTTP; the worker's headers are kept."""
    return b"unknown status code from worker: %d\n" % status


BAD_STATUS_HEADERS = [_TEXT, _NOSNIFF]
