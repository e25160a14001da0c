"""gRPC over HTTP/2 as an ASGI application. What a call means is decided by the handlers of plugins.

    status      codes and names; google.rpc.Status
    metadata    legal names and values, base64, percent-encoding
    timeout     grpc-timeout
    message     length-prefixed messages, gzip
    call        what a handler gets and returns; interceptors
    deadlines   ends calls whose deadline has passed
    unread      ends streams that hold up the other calls of their connection
    app         the application

A plugin makes a :class:`GrpcApp` from its methods and serves it with ``httpd``::

    async def echo(request: Request) -> Response:
        return Response(request.message)

    app = GrpcApp({"/pkg.Echo/Say": Method("/pkg.Echo/Say", echo)}, max_receive=1 << 22, max_send=1 << 22)
"""

from pyroadrunner.grpcd.app import GrpcApp
from pyroadrunner.grpcd.call import (
    Handler,
    Interceptor,
    MessageStream,
    Method,
    Observer,
    Pairs,
    Request,
    Response,
    Stream,
    StreamHandler,
    chain,
)
from pyroadrunner.grpcd.status import GrpcStatus, StatusCode, code_name

__all__ = [
    "GrpcApp",
    "GrpcStatus",
    "Handler",
    "Interceptor",
    "MessageStream",
    "Method",
    "Observer",
    "Pairs",
    "Request",
    "Response",
    "StatusCode",
    "Stream",
    "StreamHandler",
    "chain",
    "code_name",
]
