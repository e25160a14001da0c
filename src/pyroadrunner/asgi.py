"""The types of ASGI 3. Pure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# A message, and the extension of a scope whose server accepts it: an interim response (1xx, but 100 and 101) before
# ``http.response.start``, with ``status`` and ``headers``.
INFORMATIONAL = "http.response.informational"
# A key of the scope: ``dict[str, str]`` that a middleware passes to the worker as request attributes.
ATTRIBUTES = "pyroadrunner.attributes"
# A key of the scope, set if ``client`` is not the peer of the connection: the peer, in the form of ``client``; ``None``
# = its disconnect can't be detected.
PEER = "pyroadrunner.peer"
# A key of the scope, set if the target ends in ``?`` with no query behind it; ``query_string`` can't tell.
BARE_QUERY = "pyroadrunner.bare_query"
# Keys of the scope, set by a middleware: the ids of the request and of its trace (32 hexadecimal digits), as ``str``.
# The request log shows them.
REQUEST_ID = "pyroadrunner.request_id"
TRACE_ID = "pyroadrunner.trace_id"
# A key of the scope, set by our own HTTP/1 server: the :class:`Client` of the request.
CLIENT = "pyroadrunner.client"
# A key of the scope, set by our own HTTP/1 server if the client asks to switch to another protocol: the :data:`Switch`.
# After it, the application sends a response with status 101 and no body: middleware sees it, the client does not.
SWITCH = "pyroadrunner.switch"
# The message with which a listener cancels the tasks of the requests that still run after the grace period
# (``task.cancel(STOPPED)``). Any other cancellation means that the client has left.
STOPPED = "the server stops"


class Client(Protocol):
    """The client of a running request.

    Attributes:
        on_left: called when the client disconnects; without it the task of the request is cancelled. Its argument is
            whether the client can't read a response any more (it may have closed its sending side only).
    """

    on_left: Callable[[bool], None] | None

    def cut(self) -> None:
        """Close the connection in the middle of a response, and drop what the client has not read: for a client that
        reads too slowly."""


class Switch(Protocol):
    """Switches the connection of a request to another protocol."""

    def __call__(self, name: bytes, headers: Iterable[tuple[bytes, bytes]], protocol: asyncio.Protocol) -> None:
        """Send ``101 Switching Protocols``, and hand the connection over: ``protocol`` gets ``connection_made``, the
        bytes that have arrived behind the request, and all that follows. Its owner closes the connection when the
        server stops; the listener aborts what is left after the grace period.

        Args:
            name: of the protocol, for ``Upgrade``.
            headers: more headers of the response.

        Raises:
            ConnectionResetError: the client has disconnected.
            RuntimeError: the response has already started, or the body of the request has not arrived.
        """
