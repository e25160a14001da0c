"""The two gRPC sides of Centrifugo: a client that calls its proxy, and a server with its API."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import grpc  # type: ignore[import-untyped]

from pyroadrunner.proto.centrifugo.api.v1 import api_pb2 as api
from pyroadrunner.proto.centrifugo.proxy.v1 import proxy_pb2 as pb

PROXY = "centrifugal.centrifugo.proxy.CentrifugoProxy"
API = "centrifugal.centrifugo.api.CentrifugoApi"
_PATIENCE = 30.0  # seconds for any call

Metadata = Sequence[tuple[str, str | bytes]]


class CentrifugoCalls:
    """Calls the proxy as Centrifugo does.

    Args:
        address: ``host:port`` or ``unix:path``.
    """

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])

    def __enter__(self) -> CentrifugoCalls:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._channel.close()

    def call(self, method: str, /, *, metadata: Metadata = (), timeout: float = _PATIENCE, **fields: Any) -> Any:
        """Call a method with the fields of its request; return the response."""
        request = getattr(pb, f"{method}Request")(**fields)
        data = self.send(f"/{PROXY}/{method}", request.SerializeToString(), metadata=metadata, timeout=timeout)
        return getattr(pb, f"{method}Response").FromString(data)

    def rpc(self, method: str, data: bytes = b"", /, **more: Any) -> pb.RPCResponse:
        """The call RPC."""
        response: pb.RPCResponse = self.call("RPC", method=method, data=data, **more)
        return response

    def send(self, path: str, message: bytes, *, metadata: Metadata = (), timeout: float = _PATIENCE) -> bytes:
        """Send any bytes to any path."""
        call: Any = self._channel.unary_unary(path)
        answer = call(message, metadata=metadata, timeout=timeout, wait_for_ready=True)
        assert isinstance(answer, bytes)
        return answer

    def begin(self, method: str, data: bytes = b"") -> Any:
        """Begin an RPC; its ``result()`` is the bytes of the response."""
        call: Any = self._channel.unary_unary(f"/{PROXY}/RPC")
        message = pb.RPCRequest(method=method, data=data).SerializeToString()
        return call.future(message, timeout=_PATIENCE, wait_for_ready=True)

    def status(self, call: Callable[[], Any]) -> tuple[str, str]:
        """Name and text of the status with which a call fails."""
        try:
            answer = call()
        except grpc.RpcError as error:
            failed: Any = error
            return failed.code().name, failed.details()
        raise AssertionError(f"the call succeeded: {answer!r}")


class ApiServer:
    """Centrifugo's API.

    Attributes:
        calls: method, metadata and bytes of each request.
        answers: by method, the bytes of the answer; by default an empty one.

    Args:
        port: 0 = a free one.
        key: what callers need; empty = nothing.
        credentials: for TLS.
    """

    def __init__(self, port: int = 0, *, key: str = "", credentials: Any = None, limit: int = 4 << 20) -> None:
        self.calls: queue.Queue[tuple[str, dict[str, str | bytes], bytes]] = queue.Queue()
        self.answers: dict[str, bytes | Exception] = {}
        self.gate = threading.Event()
        self.gate.set()
        self._key = key
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", limit)]
        self._server = grpc.server(ThreadPoolExecutor(4), options=options)
        self._server.add_generic_rpc_handlers((_Methods(self._answer),))
        where = f"127.0.0.1:{port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(where)
        else:
            self.port = self._server.add_secure_port(where, credentials)
        self._server.start()

    def __enter__(self) -> ApiServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.gate.set()
        self._server.stop(None).wait(_PATIENCE)

    def last(self) -> tuple[str, dict[str, str | bytes], bytes]:
        """The next recorded call."""
        return self.calls.get(timeout=_PATIENCE)

    def published(self) -> api.PublishRequest:
        """The next call, which must be Publish."""
        method, _, data = self.last()
        assert method == "Publish"
        return api.PublishRequest.FromString(data)

    def _answer(self, path: str, data: bytes, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        service, _, method = path.removeprefix("/").partition("/")
        if service != API:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown service")
        if self._key and metadata.get("authorization") != f"apikey {self._key}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")
        self.calls.put((method, metadata, data))
        self.gate.wait(_PATIENCE)
        answer = self.answers.get(method, b"")
        if isinstance(answer, Exception):
            context.abort(grpc.StatusCode.INTERNAL, str(answer))
        assert isinstance(answer, bytes)
        return answer


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # its types are not installed
    def __init__(self, answer: Callable[[str, bytes, Any], bytes]) -> None:
        self._answer = answer

    def service(self, handler_call_details: Any) -> Any:
        path = handler_call_details.method
        return grpc.unary_unary_rpc_method_handler(lambda data, context: self._answer(path, data, context))
