"""Calls that wait, time out, are cancelled or refused, and workers that fail: the real ``rr serve``."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from pyroadrunner.sdk.rpc import RpcClient
from support.grpc_site import Client, GrpcSite, wait_until


def code_of(call: Any) -> grpc.StatusCode:
    """The status of a call that was begun with ``later``."""
    error = call.exception()
    return grpc.StatusCode.OK if error is None else error.code()


def hold(site: GrpcSite, client: Client, gate: Path) -> Any:
    """Begin a call that occupies a worker until its gate exists."""
    call = client.later("Gate", str(gate).encode())
    wait_until(lambda: "working" in workers(site))
    return call


def workers(site: GrpcSite) -> list[str]:
    return [worker["statusStr"] for worker in informer(site)]


def informer(site: GrpcSite) -> list[dict[str, Any]]:
    with RpcClient(site.rpc) as rpc:
        found: list[dict[str, Any]] = rpc.call("informer.Workers", "grpc")["workers"]
    return found


# -- deadlines and cancellation ----------------------------------------------------------------------------------------


def test_a_deadline_ends_the_wait_and_the_running_call_goes_on(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with GrpcSite(tmp_path, pool={"max_queue_size": 2}) as site, site.client() as client:
        pid = client.ask("Pid")
        running = hold(site, client, gate)
        error = client.fail("Echo", timeout=0.3)
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        # Its slot in the queue is free again.
        wait_until(lambda: client.fail("Echo", timeout=0.3).code() == grpc.StatusCode.DEADLINE_EXCEEDED)
        gate.touch()
        assert running.result() == pid
        assert client.ask("Pid") == pid


def test_a_deadline_ends_a_running_call_for_its_client_and_the_worker_lives(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with GrpcSite(tmp_path, pool={"supervisor": {"exec_ttl": "60s"}}) as site, site.client() as client:
        pid = client.ask("Pid")
        assert client.fail("Gate", str(gate).encode(), timeout=0.3).code() == grpc.StatusCode.DEADLINE_EXCEEDED
        wait_until(lambda: site.logged("method call was finished with error"))
        gate.touch()
        assert client.ask("Pid") == pid


def test_a_cancelled_call_leaves_the_queue(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with GrpcSite(tmp_path, pool={"max_queue_size": 2}) as site, site.client() as client:
        running = hold(site, client, gate)
        waiting = [client.later("Echo", b"never") for _ in range(2)]
        wait_until(lambda: any(call.done() for call in waiting))
        assert sorted(call.done() for call in waiting) == [False, True]  # one waits, one was refused
        for call in waiting:
            call.cancel()
        wait_until(lambda: client.fail("Pid", timeout=0.2).code() == grpc.StatusCode.DEADLINE_EXCEEDED)
        gate.touch()
        assert code_of(running) == grpc.StatusCode.OK


# -- overload ----------------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses_at_once_and_a_worker_that_is_not_free_in_time_is_unavailable(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pool = {"max_queue_size": 2, "allocate_timeout": "1s"}
    with GrpcSite(tmp_path, pool=pool) as site, site.client() as client:
        running = hold(site, client, gate)
        errors = {call.exception().code(): call for call in [client.later("Echo") for _ in range(3)]}
        assert set(errors) == {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
        refused, late = errors[grpc.StatusCode.RESOURCE_EXHAUSTED], errors[grpc.StatusCode.UNAVAILABLE]
        assert refused.details() == "static_pool_exec: QueueSize: max queue size reached"
        assert late.details().startswith("static_pool_exec: NoFreeWorkers:\n\tstatic_pool_exec")
        gate.touch()
        assert code_of(running) == grpc.StatusCode.OK
        assert client.ask("Echo", b"again") == b"again"


# -- workers that fail -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["Die", "Garbage", "Half"])
def test_a_worker_that_fails_is_replaced_and_its_call_is_internal(tmp_path: Path, method: str) -> None:
    with GrpcSite(tmp_path) as site, site.client() as client:
        pid = client.ask("Pid")
        error = client.fail(method)
        assert error.code() == grpc.StatusCode.INTERNAL
        assert error.details().startswith("sync_worker_receive_frame: Network:")
        assert client.ask("Pid") != pid


def test_a_surplus_frame_is_no_answer_to_the_next_call(tmp_path: Path) -> None:
    with GrpcSite(tmp_path) as site, site.client() as client:
        for _ in range(3):
            assert client.ask("Twice") == b"first"
            assert client.ask("Echo", b"mine") == b"mine"


def test_a_call_that_runs_longer_than_exec_ttl_is_internal(tmp_path: Path) -> None:
    with GrpcSite(tmp_path, pool={"supervisor": {"exec_ttl": "300ms"}}) as site, site.client() as client:
        error = client.fail("Sleep", b"60000")
        assert error.code() == grpc.StatusCode.INTERNAL
        assert error.details() == "worker_exec_with_timeout: ExecTTL: context deadline exceeded"
        assert client.ask("Echo", b"next") == b"next"


def test_only_the_calls_of_killed_workers_fail(tmp_path: Path) -> None:
    """64 streams at once, and a worker is killed every 0.3 seconds."""
    with GrpcSite(tmp_path, workers=2, max_concurrent_streams=64) as site, site.client() as client:
        ends = time.monotonic() + 2.5
        failures: list[Any] = []
        answered = 0
        lock = threading.Lock()

        def call() -> None:
            nonlocal answered
            while time.monotonic() < ends:
                try:
                    assert client.ask("Echo", b"x") == b"x"
                except grpc.RpcError as error:
                    with lock:
                        failures.append(error)
                else:
                    with lock:
                        answered += 1

        threads = [threading.Thread(target=call) for _ in range(64)]
        for thread in threads:
            thread.start()
        kills = 0
        while time.monotonic() < ends:
            time.sleep(0.3)
            for worker in informer(site)[:1]:  # on a busy machine there may be none: new ones are starting
                os.kill(int(worker["pid"]), signal.SIGKILL)
                kills += 1
        for thread in threads:
            thread.join()
        assert answered > 100
        assert len(failures) <= kills
        assert {error.code() for error in failures} <= {grpc.StatusCode.INTERNAL}
        assert client.ask("Echo", b"well") == b"well"


# -- message sizes -----------------------------------------------------------------------------------------------------


def test_messages_above_the_limits_are_refused_in_both_directions(tmp_path: Path) -> None:
    with (
        GrpcSite(tmp_path, max_recv_msg_size=1, max_send_msg_size=1) as site,
        site.client(options=[("grpc.max_receive_message_length", -1)]) as client,
    ):
        mb = 1 << 20
        assert len(client.ask("Echo", bytes(mb))) == mb
        error = client.fail("Echo", bytes(mb + 1))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details() == f"grpc: received message larger than max ({mb + 1} vs. {mb})"
        error = client.fail("Big", b"%d" % (mb + 1))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details() == f"grpc: trying to send message larger than max ({mb + 1} vs. {mb})"
        with site.client(compression=grpc.Compression.Gzip) as packed:
            assert packed.fail("Echo", bytes(mb + 1)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED


# -- reset, stop -------------------------------------------------------------------------------------------------------


def test_a_reset_replaces_the_workers_and_no_call_fails(tmp_path: Path) -> None:
    with GrpcSite(tmp_path, workers=2) as site, site.client() as client:
        before = {client.ask("Pid") for _ in range(20)}
        done = threading.Event()
        errors: list[Exception] = []

        def call() -> None:
            try:
                while not done.is_set():
                    client.ask("Echo", b"x")
            except Exception as error:
                errors.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        with RpcClient(site.rpc) as rpc:
            rpc.call("resetter.Reset", "grpc")
        done.set()
        thread.join()
        assert not errors
        assert not before & {client.ask("Pid") for _ in range(20)}


def test_a_stop_finishes_running_calls_and_refuses_new_ones(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with GrpcSite(tmp_path) as site, site.client() as client:
        running = hold(site, client, gate)
        waiting = client.later("Echo", b"queued")
        site.send(signal.SIGTERM)
        wait_until(lambda: "stop signal received" in site.stdout)
        gate.touch()
        assert code_of(running) == grpc.StatusCode.OK
        assert waiting.result() == b"queued"
        assert site.wait() == 0


def test_an_endless_stream_does_not_hold_a_stop_longer_than_the_grace_period(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with GrpcSite(tmp_path, sections={"endure": {"grace_period": "1s"}}) as site, site.client() as client:
        stream = client.stream("Count", str(told).encode())
        next(stream)
        assert site.stop() == 0
        assert told.exists()
        with pytest.raises(grpc.RpcError):
            list(stream)
        assert stream.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def test_calls_are_logged_with_their_method_and_time(tmp_path: Path) -> None:
    with GrpcSite(tmp_path) as site, site.client() as client:
        client.ask("Echo")
        client.fail("Error", b"5|:|missing")
        wait_until(lambda: site.logged("method call was finished with error"))
        good = site.logged("method was called successfully")
        bad = site.logged("method call was finished with error")
    assert [(line["level"], line["logger"], line["method"]) for line in good] == [
        ("debug", "grpc", "/test.Worker/Echo")
    ]
    [line] = bad
    assert line["level"] == "error"
    assert line["error"] == "rpc error: code = NotFound desc = missing"
    assert line["method"] == "/test.Worker/Error"
    assert isinstance(line["elapsed"], int)
    assert json.dumps(line["start"])
