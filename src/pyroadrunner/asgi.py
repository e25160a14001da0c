"""The words of ASGI 3, as types. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# A key of the scope: ``dict[str, str]`` that a middleware hands to the worker as request attributes.
ATTRIBUTES = "pyroadrunner.attributes"
# A key of the scope, there when ``client`` is not whom the connection is with: the other end, as ``client`` has it;
# ``None`` = it can't be watched.
PEER = "pyroadrunner.peer"
# Keys of the scope, set by a middleware that knows: the request's id and that of its trace (32 hexadecimal digits), as
# ``str``. The request log shows them.
REQUEST_ID = "pyroadrunner.request_id"
TRACE_ID = "pyroadrunner.trace_id"
