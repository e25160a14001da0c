"""The status of a call that its worker did not answer."""

from __future__ import annotations

import pytest

from pyroadrunner.grpcd import StatusCode
from pyroadrunner.plugins.grpc.errors import status_of
from pyroadrunner.workers.errors import (
    BadReply,
    EmptyPayload,
    ExecTimeout,
    NoFreeWorker,
    PoolClosed,
    PoolError,
    QueueFull,
    WorkerCrashed,
    WorkerFailed,
    WorkerRefused,
)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (QueueFull("grpc", 5), StatusCode.RESOURCE_EXHAUSTED, "static_pool_exec: QueueSize: max queue size reached"),
        (NoFreeWorker("grpc", 60), StatusCode.UNAVAILABLE, "static_pool_exec: NoFreeWorkers:\n\tstatic_pool_exec"),
        (PoolClosed("grpc"), StatusCode.UNAVAILABLE, "static_pool_exec: Workers watcher stopped"),
        (ExecTimeout(7, 1.0), StatusCode.INTERNAL, "worker_exec_with_timeout: ExecTTL: context deadline exceeded"),
        (WorkerCrashed(7, "EOF", 0, "", ""), StatusCode.INTERNAL, "sync_worker_receive_frame: Network: EOF"),
        (WorkerCrashed(7, "EOF", 0, "", "dump"), StatusCode.INTERNAL, "sync_worker_receive_frame: Network:\n\t"),
        (BadReply("two options", 7), StatusCode.INTERNAL, "two options"),
        (WorkerRefused(5), StatusCode.INTERNAL, "5 workers in a row"),
        (EmptyPayload(), StatusCode.INTERNAL, "static_pool_exec: payload can not be empty"),
        (WorkerFailed("boom", 7), StatusCode.INTERNAL, "sync_worker_receive_frame: SoftJobError: boom"),
        (WorkerFailed("5|:|none", 7), StatusCode.NOT_FOUND, "none"),
    ],
)
def test_each_error_has_a_status(error: PoolError, code: StatusCode, message: str) -> None:
    status = status_of(error)
    assert status.code == code
    assert status.message.startswith(message)
