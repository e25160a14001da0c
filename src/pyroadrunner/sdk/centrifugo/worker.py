"""Calls of Centrifugo's proxy in a worker: receive them, answer them, and the loop around handlers."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, MutableSequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from google.protobuf.message import DecodeError

from pyroadrunner.goridge.errors import RelayClosed
from pyroadrunner.proto.centrifugo.proxy.v1 import proxy_pb2 as pb
from pyroadrunner.sdk.centrifugo.messages import as_bytes
from pyroadrunner.sdk.worker import Worker, unreadable

Result: TypeAlias = Mapping[str, Any] | None
Handler: TypeAlias = Callable[["Call"], Awaitable[Result] | Result]

# Type -> the beginning of its messages' names.
_NAMES = {
    "connect": "Connect",
    "refresh": "Refresh",
    "subscribe": "Subscribe",
    "publish": "Publish",
    "rpc": "RPC",
    "subrefresh": "SubRefresh",
    "sub_refresh": "SubRefresh",  # see `centrifuge.sub_refresh_type`
    "notifychannelstate": "NotifyChannelState",
    "notifycacheempty": "NotifyCacheEmpty",
    "mappublish": "MapPublish",
    "mapremove": "MapRemove",
    "sharedpollrefresh": "SharedPollRefresh",
}

_decode_context = msgspec.json.Decoder(dict[str, list[str]]).decode
_decode_json = msgspec.json.Decoder().decode


class Answered(RuntimeError):
    """The call is answered already."""


class Call:
    """A call of Centrifugo. It needs exactly one of :meth:`respond`, :meth:`error`, :meth:`disconnect` and
    :meth:`fail`.

    Attributes:
        type: ``connect``, ``refresh``, ``subscribe``, ``publish``, ``rpc``, ``subrefresh``, ...
        request: the message; its fields have the names of Centrifugo's documentation.
        metadata: of the call, names in lower case: headers that Centrifugo forwards.
        answered: whether one of these methods was called.
    """

    def __init__(self, worker: Worker, metadata: Mapping[str, list[str]], body: bytes) -> None:
        """
        Raises:
            ValueError: it is no call that this version knows.
        """
        self.type = (metadata.get("type") or [""])[0]
        name = _NAMES.get(self.type)
        if name is None:
            raise ValueError(f"the type {self.type!r} is unknown")
        try:
            self.request: Any = getattr(pb, f"{name}Request").FromString(body)
        except DecodeError as error:
            raise ValueError(str(error)) from error
        self.metadata = metadata
        self.answered = False
        self._response = getattr(pb, f"{name}Response")
        self._worker = worker

    def __repr__(self) -> str:
        return f"Call({self.type!r}, {'answered' if self.answered else 'open'})"

    @property
    def data(self) -> Any:
        """``data`` as JSON; ``None`` if it is empty, or the type has none."""
        return self._json("data")

    @property
    def meta(self) -> Any:
        """``meta`` as JSON; ``None`` if it is empty, or the type has none."""
        return self._json("meta")

    def header(self, name: str) -> str | None:
        """The first value of a metadata key; its name may be in any case."""
        values = self.metadata.get(name.lower())
        return values[0] if values else None

    def respond(self, **result: Any) -> None:
        """Answer with a result. ``data``, ``info`` and ``meta`` are sent as they are if they are bytes, otherwise as
        JSON.

        Raises:
            ValueError, TypeError: the result has no such field, or a value has the wrong type.
        """
        response = self._response()
        response.result.SetInParent()
        _fill(response.result, result)
        self._answer(response)

    def error(self, code: int, message: str, *, temporary: bool = False) -> None:
        """Answer with an error for the client; codes of applications begin at 400."""
        self._answer(self._response(error=pb.Error(code=code, message=message, temporary=temporary)))

    def disconnect(self, code: int, reason: str) -> None:
        """Disconnect the client; codes of applications are 4000 to 4999."""
        self._answer(self._response(disconnect=pb.Disconnect(code=code, reason=reason)))

    def fail(self, message: str) -> None:
        """The call has failed: Centrifugo logs it and treats it as an internal error."""
        self._claim()
        self._worker.error(message)

    def _json(self, name: str) -> Any:
        text = getattr(self.request, name, b"")
        return _decode_json(text) if text else None

    def _answer(self, response: Any) -> None:
        self._claim()
        self._worker.respond(response.SerializeToString())

    def _claim(self) -> None:
        if self.answered:
            raise Answered(f"the call of type {self.type} is answered already")
        self.answered = True


class CentrifugoWorker:
    """Calls of Centrifugo in a worker. Same names as in the PHP library."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    @classmethod
    def create(cls) -> CentrifugoWorker:
        """The worker of the server that started this process. Raises as :meth:`Worker.create`."""
        return cls(Worker.create())

    def receive(self) -> Call | None:
        """Wait for the next call; ``None`` when it is time to exit. Raises as :meth:`Worker.receive`."""
        while (payload := self.worker.receive()) is not None:
            try:
                return Call(self.worker, _decode_context(payload.context), payload.body)
            except (msgspec.MsgspecError, ValueError) as error:
                self.worker.error(unreadable("call", error, "centrifuge"))
        return None

    def run(self, handler: Handler) -> None:
        """Call the handler for each call until the server stops the worker.

        It may be a coroutine function; all calls run on one event loop, one after another. It answers the call, or
        returns the fields of its result. An exception makes the call fail.
        """
        with asyncio.Runner() as runner:
            try:
                while (call := self.receive()) is not None:
                    self._handle(call, handler, runner)
            except RelayClosed:
                pass  # the server exited without a stop

    def _handle(self, call: Call, handler: Handler, runner: asyncio.Runner) -> None:
        try:
            result = handler(call)
            if isinstance(result, Awaitable):
                result = runner.run(_awaited(result))
            if not call.answered:
                call.respond(**(result or {}))
        except RelayClosed:
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
            if call.answered:
                print(text, file=sys.stderr, flush=True)
            else:
                call.fail(text)


class Handlers:
    """Handlers of calls by type."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def on(self, kind: str) -> Callable[[Handler], Handler]:
        """A decorator for the handler of the calls of this type."""

        def register(handler: Handler) -> Handler:
            self._handlers[kind] = handler
            return handler

        return register

    def __call__(self, call: Call) -> Awaitable[Result] | Result:
        """Handle a call; one without a handler fails."""
        handler = self._handlers.get(call.type)
        if handler is None:
            call.fail(f"no handler for the call {call.type}; there are {', '.join(sorted(self._handlers)) or 'none'}")
            return None
        return handler(call)

    def serve(self) -> None:
        """Answer calls until the server stops the worker."""
        serve(self)


def serve(handler: Handler) -> None:
    """Answer calls until the server stops the worker; see :meth:`CentrifugoWorker.run`."""
    CentrifugoWorker.create().run(handler)


async def _awaited(result: Awaitable[Result]) -> Result:
    return await result


def _fill(message: Any, fields: Mapping[str, Any]) -> None:
    """Set the fields of a message from plain data."""
    known = message.DESCRIPTOR.fields_by_name
    for name, value in fields.items():
        field = known.get(name)
        if field is None:
            raise ValueError(f"a {message.DESCRIPTOR.name} has no field {name}; there are {', '.join(known)}")
        if value is not None:
            _set(message, field, value)


def _set(message: Any, field: Any, value: Any) -> None:
    current = getattr(message, field.name)
    if isinstance(current, MutableMapping):
        for key, item in value.items():
            if isinstance(item, Mapping):
                _fill(current[key], item)
            else:
                current[key] = item
    elif isinstance(current, MutableSequence):
        if field.message_type is None:
            current.extend(value)
        else:
            for item in value:
                _fill(current.add(), item)  # type: ignore[attr-defined]  # a list of messages
    elif field.message_type is not None:
        current.SetInParent()
        _fill(current, value if isinstance(value, Mapping) else {"value": value})  # a Switch
    elif field.type == field.TYPE_BYTES:
        setattr(message, field.name, as_bytes(value))
    else:
        setattr(message, field.name, int(value.timestamp()) if isinstance(value, datetime) else value)
