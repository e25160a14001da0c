"""A worker with the ConformanceService: its responses are what the requests ask for."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage

from pyroadrunner.grpcd.status import write_status
from pyroadrunner.sdk.worker import Payload, Worker
from support.grpc_conformance.messages import message, method_types

_BASE64 = ":base64"


class Call:
    """One call: what the client sent, and the context of the reply."""

    def __init__(self, worker: Worker, payload: Payload) -> None:
        self._worker = worker
        head = json.loads(payload.context)
        self.method: str = head["method"]
        self._metadata: dict[str, list[str]] = head["context"]
        self._request_type, self._response_type = method_types(self.method)
        self._request = self._request_type.FromString(payload.body)

    def serve(self) -> None:
        if self.method == "Unimplemented":
            self._fail(12, f"{self.method} is not implemented", [])
        elif self.method in ("ServerStream", "BidiStream"):
            self._stream()
        else:
            self._unary()

    def _unary(self) -> None:
        wanted = self._request.response_definition
        time.sleep(wanted.response_delay_ms / 1000)
        if wanted.WhichOneof("response") == "error":
            self._error(wanted, [self._info()])
            return
        response = self._response_type()
        response.payload.request_info.CopyFrom(self._info())
        response.payload.data = wanted.response_data
        self._worker.respond(response.SerializeToString(), self._context(wanted))

    def _stream(self) -> None:
        wanted = self._request.response_definition
        context = self._context(wanted)
        for at, data in enumerate(wanted.response_data):  # the trailers come with the first message
            time.sleep(wanted.response_delay_ms / 1000)
            response = self._response_type()
            response.payload.data = data
            if not at:
                response.payload.request_info.CopyFrom(self._info())
            if not self._worker.stream(response.SerializeToString(), context):
                return
            context = b""
        if wanted.HasField("error"):
            self._error(wanted, [] if wanted.response_data else [self._info()], sent=bool(wanted.response_data))
        elif wanted.response_data:
            self._worker.end_stream()
        else:
            self._fail(0, "", [], wanted)  # OK, and no message

    def _info(self) -> Any:
        info = message("ConformancePayload.RequestInfo")()
        for name, values in self._metadata.items():
            if name.endswith(_BASE64):
                info.request_headers.add(name=name.removesuffix(_BASE64), value=values)
            elif name + _BASE64 not in self._metadata:
                info.request_headers.add(name=name, value=values)
        if timeout := self._metadata.get(":timeout-ms"):
            info.timeout_ms = int(timeout[0])
        request = AnyMessage()
        request.Pack(self._request)
        info.requests.add().CopyFrom(request)
        return info

    def _error(self, wanted: Any, infos: Iterable[Any], *, sent: bool = False) -> None:
        details = list(wanted.error.details)
        for info in infos:
            detail = AnyMessage()
            detail.Pack(info)
            details.append(detail)
        self._fail(wanted.error.code, wanted.error.message, details, wanted, sent=sent)

    def _fail(
        self, code: int, text: str, details: Iterable[AnyMessage], wanted: Any = None, *, sent: bool = False
    ) -> None:
        status = write_status(code, text, [detail.SerializeToString() for detail in details])
        error = base64.b64encode(status).decode()
        self._worker.respond(b"", self._context(wanted, headers=not sent, error=error))

    def _context(self, wanted: Any, *, headers: bool = True, **more: str) -> bytes:
        context = dict(more)
        if wanted is not None and headers:
            context["headers"] = json.dumps(_pairs(wanted.response_headers))
            context["trailers"] = json.dumps(_pairs(wanted.response_trailers))
        return json.dumps(context).encode()


def _pairs(headers: Iterable[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for header in headers:
        # The values of binary metadata come in base64.
        name = header.name.lower() + (_BASE64 if header.name.lower().endswith("-bin") else "")
        found.setdefault(name, []).extend(header.value)
    return found


def main() -> None:
    worker = Worker.create()
    while (payload := worker.receive()) is not None:
        Call(worker, payload).serve()


main()
