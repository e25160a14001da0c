"""The types of ASGI 3. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
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
