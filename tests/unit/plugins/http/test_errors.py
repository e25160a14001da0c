"""The table of error responses."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.http.errors import (
    BadReply,
    RequestTooLarge,
    RequestTooSlow,
    UnreadableRequest,
    bad_status,
    failure,
    refusal,
)
from pyroadrunner.workers.errors import (
    EmptyPayload,
    ExecTimeout,
    NoFreeWorker,
    PoolClosed,
    QueueFull,
    WorkerCrashed,
    WorkerFailed,
    WorkerStartError,
)

CRASHED = WorkerCrashed(1, "EOF", 7, "", "")


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (WorkerFailed("boom", 1), 555, False),
        (CRASHED, 555, False),
        (ExecTimeout(1, 2.0), 555, False),
        (BadReply("x"), 555, False),
        (EmptyPayload(), 555, False),
        (WorkerStartError(["php"], "x"), 555, False),
        (ValueError("x"), 555, False),
        (QueueFull("http", 1), 503, True),
        (NoFreeWorker("http", 1.0), 503, True),
        (PoolClosed("http"), 503, True),
    ],
)
def test_failed_workers_give_one_status_and_an_overload_another(error: Exception, status: int, retry: bool) -> None:
    answer = failure(error, 555, 503, debug=False)
    assert (answer.status, answer.body) == (status, b"")
    assert (b"retry-after", b"1") in answer.headers or not retry
    assert bool(answer.headers) == retry


def test_in_debug_mode_the_client_gets_the_error() -> None:
    answer = failure(WorkerFailed("boom", 1), 500, 503, debug=True)
    assert answer.body == b"sync_worker_receive_frame: SoftJobError: boom\n"
    assert answer.headers == [(b"content-type", b"text/plain; charset=utf-8")]


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (UnreadableRequest("unexpected EOF"), 500, b"serve_http: unexpected EOF\n"),
        (RequestTooLarge(), 413, b"serve_http: http: request body too large\n"),
        (RequestTooSlow(), 408, b"serve_http: the request body arrived too slowly\n"),
    ],
)
def test_refused_requests_have_statuses_of_their_own(error: UnreadableRequest, status: int, body: bytes) -> None:
    assert refusal(error) == (
        status,
        [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")],
        body,
    )


def test_an_invalid_status_is_named() -> None:
    assert bad_status(99) == b"unknown status code from worker: 99\n"
