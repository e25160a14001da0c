"""Answers Centrifugo's calls with workers: the bytes of the request go to a worker, those of its reply to Centrifugo.

Statuses: what a worker does wrong is UNKNOWN with the text of the error, as in RoadRunner. A full pool is
RESOURCE_EXHAUSTED and a stopping server UNAVAILABLE, so that metrics and alarms can tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from pyroadrunner.contracts import NoFreeWorker, PoolClosed, QueueFull, WorkerPool
from pyroadrunner.grpcd import GrpcApp, GrpcStatus, Method, Request, Response, StatusCode, Stream, code_name
from pyroadrunner.log import Log
from pyroadrunner.plugins.centrifuge.calls import (
    SERVICE,
    STREAMS,
    ProxyMethod,
    answer_of,
    check_request,
    methods,
    payload_of,
)
from pyroadrunner.plugins.centrifuge.errors import BadReply
from pyroadrunner.plugins.centrifuge.figures import Figures

MAX_MESSAGE = 4 << 20  # bytes that Centrifugo may send, as in RoadRunner
_MAX_ANSWER = (1 << 31) - 1

log = Log("centrifuge")


class Proxy:
    """Serves Centrifugo's gRPC proxy.

    Args:
        pool: returns the pool of the workers.
        sub_refresh_type: type of SubRefresh for workers.
        figures: counts the calls.
    """

    def __init__(self, pool: Callable[[], WorkerPool], sub_refresh_type: str, figures: Figures) -> None:
        self._pool = pool
        self._figures = figures
        found = methods(sub_refresh_type)
        self._types: Mapping[str, str] = {f"/{SERVICE}/{name}": method.type for name, method in found.items()}
        served = [Method(f"/{SERVICE}/{name}", partial(self._call, method)) for name, method in found.items()]
        served += [Method(f"/{SERVICE}/{name}", stream_handler=_refuse) for name in STREAMS]
        self.app = GrpcApp(
            {method.path: method for method in served},
            max_receive=MAX_MESSAGE,
            max_send=_MAX_ANSWER,
            observer=self,
            unknown=_unknown,
        )

    def __repr__(self) -> str:
        return f"Proxy({len(self._types)} methods)"

    async def _call(self, method: ProxyMethod, request: Request) -> Response:
        if not check_request(method, request.message):
            raise GrpcStatus(
                StatusCode.INTERNAL, "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data"
            )
        payload = payload_of(method, request.headers, request.message)
        try:
            reply = await self._pool().exec(payload, describe=lambda: f"Centrifugo {method.name}")
        except (QueueFull, NoFreeWorker) as full:
            raise GrpcStatus(StatusCode.RESOURCE_EXHAUSTED, str(full)) from full
        except PoolClosed as closed:
            raise GrpcStatus(StatusCode.UNAVAILABLE, str(closed)) from closed
        try:
            return Response(answer_of(method, reply))
        except BadReply as wrong:
            if reply.stream is not None:
                reply.stream.drop()
            log.warning("a worker's reply is no answer for Centrifugo", method=method.name, error=str(wrong))
            raise

    # Observer

    def began(self) -> None:
        pass

    def ended(self, path: str, code: int, text: str, seconds: float) -> None:
        kind = self._types.get(path)
        if kind is not None:
            self._figures.proxied[kind, code_name(code)] += 1
            if code and log.enabled_for(10):
                log.debug("a call of Centrifugo failed", type=kind, status=code_name(code), error=text)


async def _refuse(stream: Stream) -> None:
    raise GrpcStatus(StatusCode.UNKNOWN, "not supported")  # RoadRunner's text


def _unknown(path: str) -> GrpcStatus:
    service, _, name = path.removeprefix("/").rpartition("/")
    if service == SERVICE:
        return GrpcStatus(StatusCode.UNIMPLEMENTED, f"unknown method {name} for service {service}")
    return GrpcStatus(StatusCode.UNIMPLEMENTED, f"unknown service {service}")
