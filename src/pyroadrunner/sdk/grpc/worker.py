"""Calls, and the loop around the services."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
import traceback
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from pyroadrunner.goridge.errors import RelayClosed
from pyroadrunner.sdk.grpc.status import Code, GrpcError
from pyroadrunner.sdk.worker import Worker, unreadable

Read = Callable[[bytes], Any]
_T = TypeVar("_T")
_BASE64 = ":base64"


class _Head(msgspec.Struct):
    service: str
    method: str
    context: dict[str, list[str]] = {}


_decode = msgspec.json.Decoder(_Head).decode
_encode = msgspec.json.Encoder().encode


class Call:
    """One call: what the client has sent besides its message, and the metadata of the response.

    Attributes:
        service: full name, ``package.Service``.
        metadata: of the client; names in lower case.
    """

    def __init__(self, head: _Head) -> None:
        self.service = head.service
        self.method = head.method
        self.metadata: Mapping[str, Sequence[str]] = head.context
        self._began = time.monotonic()
        self._headers: dict[str, list[str]] = {}
        self._trailers: dict[str, list[str]] = {}
        self._headers_sent = False

    def __repr__(self) -> str:
        return f"Call({self.service}/{self.method})"

    @property
    def peer(self) -> str:
        """Address of the client: ``ip:port``."""
        return next(iter(self.metadata.get(":peer.address", ())), "")

    def header(self, name: str) -> str | None:
        """The first value of the client's metadata with this name."""
        return next(iter(self.metadata.get(name.lower(), ())), None)

    def binary(self, name: str) -> Sequence[bytes]:
        """All values of a name that ends in ``-bin``."""
        return [b64decode(value) for value in self.metadata.get(name.lower() + _BASE64, ())]

    @property
    def remaining(self) -> float | None:
        """Seconds until the client gives the call up; ``None`` = it has set no deadline."""
        timeout = self.metadata.get(":timeout-ms")
        return max(0.0, int(timeout[0]) / 1000 - (time.monotonic() - self._began)) if timeout else None

    def add_header(self, name: str, value: str | bytes) -> None:
        """Add metadata before the response; of a streamed response, before its first message.

        Raises:
            RuntimeError: the first message was sent.
        """
        if self._headers_sent:
            raise RuntimeError("the headers were sent with the first message")
        _add(self._headers, name, value)

    def add_trailer(self, name: str, value: str | bytes) -> None:
        """Add metadata behind the response."""
        _add(self._trailers, name, value)

    def message_context(self) -> bytes:
        """The context of a frame with a message: the headers, once."""
        sent, self._headers_sent = self._headers_sent, True
        return _encode({"headers": _text(self._headers)}) if self._headers and not sent else b""

    def last_context(self, error: str | None = None) -> bytes:
        """The context of the last frame.

        Args:
            error: a status in base64; empty = OK, without a message.
        """
        context: dict[str, str] = {}
        if self._headers and not self._headers_sent:
            context["headers"] = _text(self._headers)
        if self._trailers or context:
            context["trailers"] = _text(self._trailers)
        if error is not None:
            context = {"headers": "{}", **context, "error": error}
        self._headers_sent = True
        return _encode(context) if context else b""


class GrpcWorker:
    """Calls in a worker. Same names as in the PHP library.

    Args:
        debug: whether clients see the trace of an unexpected exception.
    """

    def __init__(self, worker: Worker, *, debug: bool = False) -> None:
        self.worker = worker
        self._debug = debug
        self._services: dict[str, tuple[object, Mapping[str, Read]]] = {}

    @classmethod
    def create(cls, *, debug: bool = False) -> GrpcWorker:
        """The worker of the server that started this process. Raises as :meth:`Worker.create`."""
        return cls(Worker.create(), debug=debug)

    def service(self, name: str | ServiceDescriptor, service: object) -> None:
        """Add a service: an object with a method for each of its methods, which may be a generator, a coroutine
        function or an asynchronous generator.

        Args:
            name: the descriptor of a generated module; with a name (``package.Service``), messages are bytes.
        """
        if isinstance(name, str):
            self._services[name] = service, {}
            return
        readers = {method.name: GetMessageClass(method.input_type).FromString for method in name.methods}
        self._services[name.full_name] = service, readers

    def run(self) -> None:
        """Answer calls until the server stops the worker. Coroutines run on one event loop, one after another."""
        with asyncio.Runner() as runner:
            try:
                while (frame := self.worker.receive()) is not None:
                    try:
                        call = Call(_decode(frame.context))
                    except msgspec.MsgspecError as error:
                        self.worker.error(unreadable("call", error, "grpc"))
                        continue
                    self._answer(call, frame.body, runner)
            except RelayClosed:
                pass  # the server exited without a stop

    def _answer(self, call: Call, message: bytes, runner: asyncio.Runner) -> None:
        try:
            result = self._call(call, message)
            if isinstance(result, Awaitable):
                result = runner.run(_awaited(result))
            if isinstance(result, AsyncIterator):
                result = _drained(result, runner)
            if isinstance(result, Iterator):
                self._stream(call, result)
            else:
                body = _bytes(result)
                self.worker.respond(body, call.last_context())
        except RelayClosed:
            raise
        except GrpcError as error:
            self.worker.respond(b"", call.last_context(b64encode(error.status()).decode()))
        except Exception as error:
            trace = traceback.format_exc()
            print(trace, file=sys.stderr, flush=True)
            self.worker.error(trace if self._debug else f"{type(error).__name__}: {error}")

    def _call(self, call: Call, message: bytes) -> Any:
        service, readers = self._services.get(call.service, (None, {}))
        method = getattr(service, call.method, None) if not call.method.startswith("_") else None
        if not callable(method):
            raise GrpcError(Code.UNIMPLEMENTED, f"the worker does not implement {call.service}/{call.method}")
        read = readers.get(call.method)
        try:
            request = read(message) if read is not None else message
        except DecodeError as wrong:
            raise GrpcError(Code.INVALID_ARGUMENT, f"the message is malformed: {wrong}") from wrong
        return method(request, call)

    def _stream(self, call: Call, messages: Iterator[Any]) -> None:
        sent = 0
        try:
            for one in messages:
                if not self.worker.stream(_bytes(one), call.message_context()):
                    return  # the client has left: the stream is closed
                sent += 1
        finally:
            if inspect.isgenerator(messages):
                messages.close()
        # Without a message, a status says that there is none.
        self.worker.respond(b"", call.last_context(None if sent else ""))


def serve(services: Mapping[str | ServiceDescriptor, object], *, debug: bool = False) -> None:
    """Answer calls until the server stops the worker; see :class:`GrpcWorker`."""
    worker = GrpcWorker.create(debug=debug)
    for name, service in services.items():
        worker.service(name, service)
    worker.run()


def _drained(messages: AsyncIterator[Any], runner: asyncio.Runner) -> Iterator[Any]:
    """The messages of an asynchronous generator, one at a time."""
    try:
        while True:
            try:
                yield runner.run(_awaited(anext(messages)))
            except StopAsyncIteration:
                return
    finally:
        if inspect.isasyncgen(messages):
            runner.run(_awaited(messages.aclose()))


async def _awaited(result: Awaitable[_T]) -> _T:
    return await result


def _bytes(result: Any) -> bytes:
    if isinstance(result, bytes):
        return result
    if isinstance(result, Message):
        return result.SerializeToString()
    raise TypeError(f"a method returns bytes, a message, or yields these, not {type(result).__name__}")


def _add(metadata: dict[str, list[str]], name: str, value: str | bytes) -> None:
    name = name.lower()
    if name.endswith("-bin"):
        data = value.encode() if isinstance(value, str) else value
        metadata.setdefault(name + _BASE64, []).append(b64encode(data).decode())
    else:
        metadata.setdefault(name, []).append(value if isinstance(value, str) else value.decode())


def _text(metadata: Mapping[str, Sequence[str]]) -> str:
    return _encode(metadata).decode()
