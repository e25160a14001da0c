"""The types of ASGI 3. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# A key of the scope: ``dict[str, str]`` that a middleware passes to the worker as request attributes.
ATTRIBUTES = "pyroadrunner.attributes"
# A key of the scope, set if ``client`` is not the peer of the connection: the peer, in the form of ``client``; ``None``
# = its disconnect can't be detected.
PEER = "pyroadrunner.peer"
# Keys of the scope, set by a middleware: the ids of the request and of its trace (32 hexadecimal digits), as ``str``.
# The request log shows them.
REQUEST_ID = "pyroadrunner.request_id"
TRACE_ID = "pyroadrunner.trace_id"

# The message with which a listener cancels the tasks of the requests that still run after the grace period
# (``task.cancel(STOPPED)``). Any other cancellation means that the client has left.
STOPPED = "the server stops"
