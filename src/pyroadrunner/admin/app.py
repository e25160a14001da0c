"""The ASGI application of an endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from pyroadrunner.admin.response import FAILED, NO_BODY, NOT_ALLOWED, TOO_MANY_PARAMETERS, AdminResponse
from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.log import Log

_MOST_PARAMETERS = 256


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """A request.

    Attributes:
        path: decoded, without the query.
        query: the values of each parameter, in order.
    """

    path: str
    query: Mapping[str, Sequence[str]]


Handler = Callable[[AdminRequest], Awaitable[AdminResponse]]


class AdminApp:
    """Answers GET and HEAD without a body.

    Args:
        answer: turns a request into its response; an exception is logged and becomes a 500.
        log: the owner's channel.
    """

    def __init__(self, answer: Handler, log: Log) -> None:
        self._answer = answer
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = _refusal(scope) or await self._response(scope)
        await send({"type": "http.response.start", "status": response.status, "headers": response.pairs})
        await send({"type": "http.response.body", "body": response.content})

    async def _response(self, scope: Scope) -> AdminResponse:
        query = scope["query_string"].decode("utf-8", "replace")
        try:
            parameters = parse_qs(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            return TOO_MANY_PARAMETERS
        try:
            return await self._answer(AdminRequest(scope["path"], parameters))
        except Exception as error:  # a bug fails only this request
            self._log.error("request failed", path=scope["path"], error=f"{type(error).__name__}: {error}")
            return FAILED


def _refusal(scope: Scope) -> AdminResponse | None:
    if scope["method"] not in ("GET", "HEAD"):
        return NOT_ALLOWED
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers or headers.get(b"content-length", b"").strip(b"0"):
        return NO_BODY
    return None
