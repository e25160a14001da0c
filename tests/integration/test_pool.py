"""A pool of real PHP workers: calls, queue, limits, reset, failures of workers."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.errors import (
    BadReply,
    EmptyPayload,
    ExecTimeout,
    NoFreeWorker,
    PoolClosed,
    QueueFull,
    WorkerCrashed,
    WorkerFailed,
    WorkerRefused,
    WorkerStartError,
)
from pyroadrunner.workers.payload import Codec, Payload
from pyroadrunner.workers.pool import Pool
from pyroadrunner.workers.state import State
from support.log import logged
from support.php import require_php
from support.pools import ANY_WORKER, ask, pool_config, run, running_pool, spawner, text, until


async def pids(pool: Pool) -> set[int]:
    return {info.pid for info in await pool.workers()}


async def settled(pool: Pool, count: int = 2) -> bool:
    """Whether the pool has ``count`` workers, all idle."""
    infos = await pool.workers()
    return [info.status_str for info in infos] == ["ready"] * count


# -- calls -------------------------------------------------------------------------------------------------------------


def test_stats_count_workers_by_state(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_pool(num_workers=3) as pool:
            assert (await pool.stats()).states == {State.READY: 3}
            running = asyncio.ensure_future(text(pool, f"wait-for {tmp_path}/gate"))
            await asyncio.sleep(0)
            assert (await pool.stats()).states == {State.READY: 2, State.WORKING: 1}
            (tmp_path / "gate").touch()
            await running
        assert (await pool.stats()).states == {}

    run(main())


def test_context_and_body_come_back_as_the_worker_sent_them() -> None:
    async def main() -> None:
        async with running_pool() as pool:
            reply = await pool.exec(Payload(b"head", b"echo body", Codec.JSON))
            assert (reply.context, reply.body, reply.codec, reply.stream) == (b"head", b"body", Codec.JSON, None)

    run(main())


@pytest.mark.parametrize("size", [65_000, 65_536, 300_000, 20_000_000])
def test_a_large_body_arrives_whole(size: int) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            assert await text(pool, "size " + "x" * size) == str(size)
            assert len((await ask(pool, f"big {size}")).body) == size

    run(main())


def test_workers_take_turns_and_each_runs_one_call_at_a_time() -> None:
    async def main() -> None:
        async with running_pool(num_workers=2) as pool:
            answers = await asyncio.gather(*(text(pool, f"echo {i}") for i in range(200)))
            assert answers == [str(i) for i in range(200)]
            execs = [info.num_execs for info in await pool.workers()]
            assert sum(execs) == 200
            assert min(execs) > 0

    run(main())


def test_a_call_without_context_and_body_is_refused() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            with pytest.raises(EmptyPayload):
                await pool.exec(Payload(b"", b""))

    run(main())


def test_an_error_frame_fails_its_call_and_the_worker_keeps_running() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            before = await pids(pool)
            with pytest.raises(WorkerFailed, match="SoftJobError: no luck") as failed:
                await text(pool, "error no luck")
            assert failed.value.text == "no luck"
            assert await text(pool, "pid") == str(failed.value.pid)
            assert await pids(pool) == before

    run(main())


def test_info_shows_the_call_while_it_runs(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            payload = Payload(b"c", f"wait-for {tmp_path}/go".encode(), Codec.RAW)
            running = asyncio.create_task(pool.exec(payload, describe=lambda: "GET /slow"))
            await asyncio.sleep(0)
            [info] = await pool.workers()
            assert (info.status_str, info.activity, info.num_execs) == ("working", "GET /slow", 1)
            assert info.activity_since >= info.created > 0
            assert info.memory_usage > 1_000_000
            (tmp_path / "go").touch()
            await running
            [info] = await pool.workers()
            assert (info.status_str, info.activity, info.activity_since) == ("ready", "", 0)

    run(main())


# -- the queue ---------------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses_immediately(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1, max_queue_size=2) as pool:
            accepted = [asyncio.create_task(text(pool, f"wait-for {tmp_path}/go")) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(QueueFull) as full:
                await text(pool, "pid")
            assert (full.value.limit, full.value.retry_after) == (2, 1)
            (tmp_path / "go").touch()
            await asyncio.gather(*accepted)
            await text(pool, "pid")

    run(main())


def test_a_call_waits_at_most_allocate_timeout(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1, allocate_timeout="300ms") as pool:
            running = asyncio.create_task(text(pool, f"wait-for {tmp_path}/go"))
            await asyncio.sleep(0)
            with pytest.raises(NoFreeWorker):
                await text(pool, "pid")
            (tmp_path / "go").touch()
            assert await running  # the running call is not affected

    run(main())


def test_a_cancelled_call_leaves_the_queue_and_a_running_one_does_not_affect_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            running = asyncio.create_task(text(pool, f"wait-for {tmp_path}/go"))
            queued = asyncio.create_task(text(pool, "echo never"))
            await asyncio.sleep(0)
            running.cancel()
            queued.cancel()
            await asyncio.gather(running, queued, return_exceptions=True)
            (tmp_path / "go").touch()
            assert await text(pool, "echo mine") == "mine"
            [info] = await pool.workers()
            assert info.num_execs == 2  # the queued call was never run

    run(main())


def test_in_an_overload_the_newest_call_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyroadrunner.workers.call_queue.OVERLOADED_AFTER", 0.0)

    async def main() -> None:
        async with running_pool(num_workers=1, queue=QueuePolicy.ADAPTIVE_LIFO) as pool:
            running = asyncio.create_task(text(pool, f"wait-for {tmp_path}/go"))
            await asyncio.sleep(0)
            order: list[int] = []

            async def queued(number: int) -> None:
                await text(pool, "pid")
                order.append(number)

            waiting = [asyncio.create_task(queued(number)) for number in range(3)]
            await asyncio.sleep(0.01)
            (tmp_path / "go").touch()
            await asyncio.gather(running, *waiting)
            assert order == [2, 1, 0]

    run(main())


# -- streams -----------------------------------------------------------------------------------------------------------


def test_a_stream_comes_frame_by_frame_and_frees_the_worker() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            reply = await ask(pool, "stream 30")
            assert (reply.context, reply.body) == (b"head", b"chunk0;")
            assert reply.stream is not None
            rest = [chunk.body.decode() async for chunk in reply.stream]
            assert "".join(rest) == "".join(f"chunk{i};" for i in range(1, 30))
            assert await text(pool, "served") == "2"

    run(main())


def test_an_aborted_stream_is_stopped_and_the_worker_is_used_again() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            reply = await ask(pool, "endless")
            assert reply.stream is not None
            async for _ in reply.stream:
                break
            await reply.stream.abort()
            await reply.stream.abort()
            assert await text(pool, "served") == "2"

    run(main())


def test_a_call_cancelled_before_its_stream_began_stops_the_stream() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            request = asyncio.create_task(ask(pool, "endless"))
            await asyncio.sleep(0)
            request.cancel()
            assert await text(pool, "served") == "2"

    run(main())


def test_a_slow_reader_pauses_the_worker_instead_of_filling_memory() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            reply = await ask(pool, "endless")
            assert reply.stream is not None
            chunks = aiter(reply.stream)
            await anext(chunks)
            await until(lambda: unread_is_steady(repr(reply.stream)))
            assert int(repr(reply.stream).partition("unread=")[2].rstrip(")")) < 1000
            await reply.stream.abort()

    seen: list[str] = []

    async def unread_is_steady(now: str) -> bool:
        seen.append(now)
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    run(main())


def test_a_worker_that_ignores_stop_is_killed_after_stream_timeout() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1, stream_timeout="200ms") as pool:
            before = await pids(pool)
            reply = await ask(pool, "deaf-stream")
            assert reply.stream is not None
            await reply.stream.abort()
            assert await text(pool, "served") == "1"
            assert not before & await pids(pool)

    run(main())


@pytest.mark.parametrize(
    ("command", "error"), [("stream-then-error", WorkerFailed), ("stream-then-exit", WorkerCrashed)]
)
def test_a_failure_in_mid_stream_reaches_the_reader_and_replaces_the_worker(
    command: str, error: type[Exception]
) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            reply = await ask(pool, command)
            assert (reply.body, reply.stream is None) == (b"one", False)
            assert reply.stream is not None
            with pytest.raises(error):
                [chunk async for chunk in reply.stream]
            assert await text(pool, "served") == "1"

    run(main())


def test_exec_ttl_counts_again_for_each_frame_of_a_stream() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1, supervisor={"exec_ttl": "1s"}) as pool:
            reply = await ask(pool, "slow-stream 0.4")  # two seconds in all
            assert reply.stream is not None
            assert [chunk.body async for chunk in reply.stream] == [b"1", b"2", b"3", b"4"]
            reply = await ask(pool, "stream-then-loop")
            assert reply.stream is not None
            with pytest.raises(ExecTimeout):
                [chunk async for chunk in reply.stream]

    run(main())


# -- workers that fail -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "error", "message"),
    [
        ("exit 7", WorkerCrashed, "Network: EOF"),
        ("garbage", WorkerCrashed, "something went wrong in index.php"),
        ("half-frame", WorkerCrashed, "unexpected EOF"),
        ("four-gigabytes", WorkerCrashed, "exceeds the limit"),
        ("no-option", BadReply, "options length should be equal 1"),
        ("long-context", BadReply, "bad payload"),
    ],
)
def test_a_worker_that_fails_affects_only_its_own_call(command: str, error: type[Exception], message: str) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            before = await pids(pool)
            with pytest.raises(error, match=message):
                await text(pool, command)
            assert await text(pool, "served") == "1"
            assert not before & await pids(pool)

    run(main())


def test_a_crash_reports_pid_exit_code_and_stderr() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            [pid] = await pids(pool)
            with pytest.raises(WorkerCrashed) as crash:
                await text(pool, "exit 7")
            assert (crash.value.pid, crash.value.exit_status, crash.value.stderr) == (pid, 7, "last words")

    run(main())


def test_a_worker_that_exits_is_replaced_even_if_another_process_holds_its_stdout_open() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            async with asyncio.timeout(10.0):  # the other process runs longer
                with pytest.raises(WorkerCrashed):
                    await text(pool, "leave-heir 15")
                assert await text(pool, "served") == "1"

    run(main())


def test_an_unexpected_reply_replaces_the_worker() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            before = await pids(pool)
            assert await text(pool, "uninvited") == "first"

            async def replaced() -> bool:
                return await settled(pool, 1) and not before & await pids(pool)

            await until(replaced)
            assert await text(pool, "echo mine") == "mine"

    run(main())


def test_a_worker_that_exits_after_its_reply_fails_no_call() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            for _ in range(10):
                assert await text(pool, "answer-and-exit") == "bye"
                assert await text(pool, "echo next") == "next"

    run(main())


def test_a_call_that_is_handed_back_is_run_by_another_worker(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            assert await text(pool, f"hand-back {tmp_path}/seen") == "taken"
            with pytest.raises(WorkerRefused):
                await text(pool, "always-hand-back")
            assert await text(pool, "echo alive") == "alive"

    run(main())


def test_exec_ttl_kills_and_replaces_the_worker() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1, supervisor={"exec_ttl": "300ms"}) as pool:
            [pid] = await pids(pool)
            with pytest.raises(ExecTimeout):
                await text(pool, "loop")
            assert await text(pool, "served") == "1"
            await until(lambda: settled(pool, 1))
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    run(main())


def test_a_worker_killed_while_idle_is_replaced() -> None:
    async def main() -> None:
        async with running_pool(num_workers=2) as pool:
            for _ in range(5):
                victim = (await pool.workers())[0].pid
                os.kill(victim, signal.SIGKILL)

                async def replaced(victim: int = victim) -> bool:
                    return await settled(pool) and victim not in await pids(pool)

                await until(replaced)
                answers = await asyncio.gather(*(text(pool, f"echo {i}") for i in range(20)))
                assert answers == [str(i) for i in range(20)]

    run(main())


# -- limits ------------------------------------------------------------------------------------------------------------


def test_max_jobs_replaces_the_worker_and_fails_no_call() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1, max_jobs=3) as pool:
            answers = [await text(pool, "served") for _ in range(9)]
            assert answers == ["1", "2", "3"] * 3

    run(main())


@pytest.mark.parametrize(
    ("limits", "first"),
    [
        ({"max_worker_memory": 60}, "hog 80"),
        ({"ttl": "100ms"}, "pid"),
        ({"idle_ttl": "100ms"}, "pid"),
    ],
)
def test_the_supervisor_replaces_a_worker_that_has_reached_a_limit(limits: dict[str, object], first: str) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1, supervisor={"watch_tick": "20ms", **limits}) as pool:
            before = await pids(pool)
            await text(pool, first)

            async def replaced() -> bool:
                return not before & await pids(pool)

            await until(replaced)
            assert await text(pool, "served") == "1"

    run(main())


def test_a_cancelled_start_leaves_no_worker(tmp_path: Path) -> None:
    """One of the two workers has started, the other hangs."""
    script = f"mkdir {tmp_path}/first 2>/dev/null && exec {require_php()} {ANY_WORKER} {tmp_path}; exec sleep 1000"

    async def main() -> None:
        pool = Pool("test", pool_config(num_workers=2), spawner(["sh", "-c", script]))
        with logged("server") as log:
            start = asyncio.create_task(pool.start())

            async def one_has_started() -> bool:
                return "worker is allocated" in log.messages

            await until(one_has_started)
            start.cancel()
            with pytest.raises(asyncio.CancelledError):
                await start
        [allocated] = log.of("worker is allocated")
        assert allocated["pool"] == "test"
        assert not psutil.pid_exists(allocated["pid"])
        await pool.destroy(0.0)

    run(main())


# -- start, control, stop ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["phpx", "worker.php"], 'exec: "phpx": executable file not found in \\$PATH'),
        (["php", "/no/such.php"], "FileNotFound: Could not open input file: /no/such.php"),
        (["php", "-r", "fwrite(STDERR, 'boot failed'); exit(3);"], "(?s)EOF.*exit code 3.*boot failed"),
        (["php", "-r", "echo 'Hello, stray output';"], "STDOUT.*Hello, stray output"),
        (["php", "-r", "sleep(100);"], "possible reasons"),
    ],
)
def test_a_command_that_fails_to_start_is_reported_with_its_reason(command: list[str], message: str) -> None:
    require_php()

    async def main() -> None:
        with pytest.raises(WorkerStartError, match=message):
            async with running_pool(spawner(command, timeout=1.0)):
                pass

    run(main())


def test_a_reset_under_load_fails_no_call_and_leaves_no_old_worker() -> None:
    async def main() -> None:
        async with running_pool(num_workers=2) as pool:
            before = await pids(pool)
            stop = False

            async def load() -> int:
                count = 0
                while not stop:
                    assert await text(pool, "echo x") == "x"
                    count += 1
                return count

            loads = [asyncio.create_task(load()) for _ in range(8)]
            await pool.reset()
            await pool.reset()
            assert not before & await pids(pool)
            assert len(await pids(pool)) == 2
            stop = True
            assert sum(await asyncio.gather(*loads)) > 0

    run(main())


def test_a_reset_finishes_running_calls_and_serves_new_ones_meanwhile(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            [old] = await pids(pool)
            running = asyncio.create_task(text(pool, f"wait-for {tmp_path}/go"))
            await asyncio.sleep(0)
            reset = asyncio.create_task(pool.reset())
            assert await text(pool, "pid") != str(old)
            assert not reset.done()
            (tmp_path / "go").touch()
            assert await running == str(old)
            await reset
            assert old not in await pids(pool)

    run(main())


def test_a_reset_kills_busy_workers_after_reset_timeout() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1, reset_timeout="200ms") as pool:
            running = asyncio.create_task(text(pool, "loop"))
            await asyncio.sleep(0)
            await pool.reset()
            with pytest.raises(WorkerCrashed):
                await running
            await text(pool, "pid")

    run(main())


def test_a_reset_to_broken_code_keeps_the_old_workers(tmp_path: Path) -> None:
    async def main() -> None:
        script = tmp_path / "worker.php"
        script.write_text(f"<?php require '{ANY_WORKER}';")
        async with running_pool(spawner([require_php(), str(script)])) as pool:
            before = await pids(pool)
            script.write_text("<?php syntax error")
            with pytest.raises(WorkerStartError):
                await pool.reset()
            assert await pids(pool) == before
            assert await text(pool, "echo alive") == "alive"

    run(main())


def test_workers_are_added_and_removed_and_the_last_one_stays() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            await pool.add_worker()
            assert len(await pids(pool)) == 2
            await pool.remove_worker()
            await until(lambda: settled(pool, 1))
            await pool.remove_worker()
            assert await text(pool, "echo alive") == "alive"

    run(main())


def test_a_pool_recovers_when_its_command_works_again(tmp_path: Path) -> None:
    async def main() -> None:
        script = tmp_path / "worker.php"
        script.write_text(f"<?php require '{ANY_WORKER}';")
        async with running_pool(spawner([require_php(), str(script)]), num_workers=1) as pool:
            script.write_text("<?php exit(1);")
            with pytest.raises(WorkerCrashed):
                await text(pool, "exit 1")
            waiting = asyncio.create_task(text(pool, "echo recovered"))

            async def empty() -> bool:
                return not await pool.workers()

            await until(empty)
            script.write_text(f"<?php require '{ANY_WORKER}';")
            assert await waiting == "recovered"

    run(main())


def test_destroy_finishes_accepted_calls_and_refuses_new_ones(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            accepted = [asyncio.create_task(text(pool, f"wait-for {tmp_path}/go")) for _ in range(3)]
            await asyncio.sleep(0)
            destroyed = asyncio.create_task(pool.destroy(20.0))
            await asyncio.sleep(0)
            with pytest.raises(PoolClosed):
                await text(pool, "pid")
            (tmp_path / "go").touch()
            assert len(set(await asyncio.gather(*accepted))) == 1
            await destroyed
            assert await pool.workers() == []

    run(main())


def test_destroy_stops_busy_workers_when_the_grace_is_over() -> None:
    async def main() -> None:
        async with running_pool(num_workers=1) as pool:
            [pid] = await pids(pool)
            running = asyncio.create_task(text(pool, "loop"))
            queued = asyncio.create_task(text(pool, "pid"))
            await asyncio.sleep(0)
            await pool.destroy(0.05)
            with pytest.raises(WorkerCrashed):
                await running
            with pytest.raises(PoolClosed):
                await queued
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    run(main())
