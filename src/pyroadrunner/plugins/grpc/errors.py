"""The status of a call that its worker did not answer: one table."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.grpcd import GrpcStatus, StatusCode
from pyroadrunner.plugins.grpc.reply import worker_error
from pyroadrunner.workers.errors import NoFreeWorker, PoolClosed, QueueFull, WorkerFailed


class GrpcError(RoadRunnerError):
    """An error of the grpc plugin; the root of its family."""


class InterceptorNotFound(GrpcError):
    """A configured interceptor is not installed, or can't be loaded."""


OVERLOAD = (QueueFull, NoFreeWorker, PoolClosed)


def status_of(error: Exception) -> GrpcStatus:
    """The status of a call whose pool raised an error. A client may try again what is UNAVAILABLE or
    RESOURCE_EXHAUSTED: no worker has seen it."""
    if isinstance(error, WorkerFailed):
        return worker_error(error.payload, str(error))
    if isinstance(error, QueueFull):
        return GrpcStatus(StatusCode.RESOURCE_EXHAUSTED, str(error))
    if isinstance(error, NoFreeWorker | PoolClosed):
        return GrpcStatus(StatusCode.UNAVAILABLE, str(error))
    return GrpcStatus(StatusCode.INTERNAL, str(error))
