"""``grpc.health.v1.Health``: whether the server, and each service, takes calls.

(https://github.com/grpc/grpc/blob/master/doc/health-checking.md) RoadRunner answers every name with the state of the
server; here an unknown service is NOT_FOUND, as the protocol says, and ``List`` names each service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from google.protobuf.message import DecodeError

from pyroadrunner.grpcd import GrpcStatus, StatusCode, Stream
from pyroadrunner.plugins.grpc.builtin import BUILTIN_SERVICES, HEALTH, BuiltinMethods, only_message
from pyroadrunner.proto.grpc.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

_SERVING, _NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """The state of the server. All services have the same, since they share its workers.

    Args:
        services: full names of those that workers serve; the empty name, for the server, and the server's own services
            are added.
    """

    def __init__(self, services: Iterable[str] = ()) -> None:
        self._services = dict.fromkeys(("", *services, *BUILTIN_SERVICES))
        self._status: HealthCheckResponse.ServingStatus = _NOT_SERVING
        self._ended = False
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"Health({HealthCheckResponse.ServingStatus.Name(self._status)}, {len(self._services)} services)"

    def set_serving(self, serving: bool) -> None:
        """Change the state and tell all watchers. No effect after the shutdown."""
        status = _SERVING if serving else _NOT_SERVING
        if status != self._status and not self._ended:
            self._status = status
            self._notify()

    def shutdown(self) -> None:
        """Not serving from now on; ends every ``Watch``, so that none holds up a stop. Idempotent."""
        if not self._ended:
            self._status = _NOT_SERVING
        self.end_watches()

    def end_watches(self) -> None:
        """End every ``Watch`` in the current state: another process has taken over. Idempotent."""
        self._ended = True
        self._notify()

    def methods(self) -> BuiltinMethods:
        """Handlers by path."""
        return {f"/{HEALTH}/Check": self._check, f"/{HEALTH}/List": self._list, f"/{HEALTH}/Watch": self._watch}

    async def _check(self, call: Stream) -> None:
        service = _service(await only_message(call))
        if service not in self._services:
            raise GrpcStatus(StatusCode.NOT_FOUND, f"unknown service {service}")
        await call.send(_response(self._status))

    async def _list(self, call: Stream) -> None:
        try:
            HealthListRequest.FromString(await only_message(call))
        except DecodeError as wrong:
            raise _malformed(wrong) from wrong
        statuses = {service: HealthCheckResponse(status=self._status) for service in self._services}
        await call.send(HealthListResponse(statuses=statuses).SerializeToString())

    async def _watch(self, call: Stream) -> None:
        """Send the state, then each change. A watcher that is slow misses states in between, never the last one."""
        known = _service(await only_message(call)) in self._services
        sent: HealthCheckResponse.ServingStatus | None = None
        while True:
            changed, ended = self._changed, self._ended
            status = self._status if known else _UNKNOWN
            if status != sent:
                sent = status
                await call.send(_response(status))
            if ended:
                raise GrpcStatus(StatusCode.CANCELLED, "Stream has ended")
            await changed.wait()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _service(message: bytes) -> str:
    try:
        return HealthCheckRequest.FromString(message).service
    except DecodeError as wrong:
        raise _malformed(wrong) from wrong


def _response(status: HealthCheckResponse.ServingStatus) -> bytes:
    return HealthCheckResponse(status=status).SerializeToString()


def _malformed(wrong: DecodeError) -> GrpcStatus:
    return GrpcStatus(StatusCode.INVALID_ARGUMENT, f"the request can't be decoded: {wrong}")
