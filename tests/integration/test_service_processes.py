"""Services with real processes: restarts, time limits, stops, errors."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.plugins.service.config import ServiceConfig, ServiceSection
from pyroadrunner.plugins.service.errors import (
    NotRunning,
    ResetFailed,
    ServiceClosed,
    ServiceExists,
    StartFailed,
    UnknownService,
)
from pyroadrunner.plugins.service.plugin import ServicePlugin
from pyroadrunner.proto.service.v1 import service_pb2 as pb
from pyroadrunner.workers.child_process import UnknownUser
from support.log import Lines, logged
from support.pools import run, until

SOON = 0.01  # restart_sec: whole seconds in a config, too long for a test


def sh(script: str, **keys: Any) -> ServiceConfig:
    """A service that is a shell script."""
    return ServiceConfig(command=["sh", "-c", script], **keys)


def idle(**keys: Any) -> ServiceConfig:
    """A service that does nothing. No shell: dash loses a SIGINT received before it has become ``sleep``."""
    return ServiceConfig(command=["sleep", "1000"], **keys)


@asynccontextmanager
async def running(**services: ServiceConfig) -> AsyncIterator[ServicePlugin]:
    """A started plugin; processes left by the test are killed."""
    plugin = ServicePlugin(ServiceSection(services=services))
    await plugin.start()
    try:
        yield plugin
    finally:
        await plugin.stop(0.0)


async def seen(lines: Lines, text: str, times: int = 1) -> None:
    async def there() -> bool:
        return lines.messages.count(text) >= times

    await until(there)


async def pids(plugin: ServicePlugin) -> list[int]:
    return [worker.pid for worker in await plugin.workers()]


async def call(plugin: ServicePlugin, method: str, request: Any) -> Any:
    answer = plugin.rpc_methods()[method].call(request)
    return await answer if hasattr(answer, "__await__") else answer


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# -- environment and output --------------------------------------------------------------------------------------------


def test_lines_of_both_outputs_are_entries_and_blank_ones_are_skipped() -> None:
    async def main() -> None:
        with logged("service") as lines:
            async with running(a=sh("printf 'one\\n  two  \\n\\n'; echo three >&2; printf unfinished")):
                await seen(lines, "unfinished")
                await seen(lines, "service has ended")
        said = [line for line in lines.lines if line[1] in ("one", "  two", "three", "unfinished", "")]
        assert said == [("INFO", text, {}) for text in ("one", "  two", "three", "unfinished")]

    run(main())


def test_a_prompt_without_a_newline_is_logged_while_the_process_waits() -> None:
    async def main() -> None:
        with logged("service") as lines:
            async with running(a=sh("printf 'password: '; sleep 1000")) as plugin:
                await seen(lines, "password:")
                assert len(await plugin.workers()) == 1

    run(main())


def test_an_endless_line_is_truncated_and_does_not_block_the_server() -> None:
    async def main() -> None:
        with logged("service") as lines:
            async with running(a=sh("head -c 300000 /dev/zero | tr '\\0' x; echo; echo done")):
                await seen(lines, "done")
        parts = [text for text in lines.messages if text.startswith("xx")]
        assert "".join(parts) == "x" * 300_000
        assert max(map(len, parts)) <= 65536

    run(main())


def test_its_own_channel_and_its_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        config = sh('echo "$GREETING $OURS"', service_name_in_log=True, env={"greeting": "${OURS} too"})
        with logged("service.a") as lines:
            async with running(a=config):
                await seen(lines, "me too me")

    monkeypatch.setenv("OURS", "me")
    run(main())


@pytest.mark.skipif(os.getuid() != 0, reason="changing the user needs root")
def test_it_runs_as_its_user() -> None:
    async def main() -> None:
        with logged("service") as lines:
            async with running(a=sh("id -un", user="nobody")):
                await seen(lines, "nobody")

    run(main())


def test_metrics_of_running_processes() -> None:
    async def main() -> None:
        async with running(a=sh("sleep 1000 & wait", process_num=2), b=sh("exit 0")) as plugin:
            await plugin._services.find("b").processes[0]._life
            rows = await plugin.workers()
            answer = await call(plugin, "Statuses", pb.Service(name="a"))
        assert len({row.pid for row in rows}) == 2
        assert {(row.status, row.status_str, row.created, row.num_execs) for row in rows} == {(1, "", 0, 0)}
        assert all(row.memory_usage > 0 and row.command.endswith("/sh -c sleep 1000 & wait") for row in rows)
        assert [status.pid for status in answer.status] == [row.pid for row in rows]
        assert not any(status.HasField("status") for status in answer.status)

    run(main())


# -- exits and restarts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["exit 0", "exit 3", "kill -9 $$"])
def test_a_remaining_process_is_restarted_after_any_exit(script: str) -> None:
    async def main() -> None:
        with logged("service") as lines:
            async with running(a=sh(script, remain_after_exit=True, restart_sec=SOON)):
                await seen(lines, "service was started", times=3)

    run(main())


def test_other_processes_are_not_restarted_and_report_how_they_ended() -> None:
    async def main() -> None:
        with logged("service") as lines:
            async with running(a=sh("exit 3"), b=sh("kill -9 $$")) as plugin:
                await seen(lines, "wait", times=2)
                assert await plugin.workers() == []
                told = (await call(plugin, "Statuses", pb.Service(name="b"))).status[0]
                assert (told.status.code, told.status.message) == (0, "signal: killed")
                assert told.pid > 0
                with pytest.raises(NotRunning, match="exit status 3"):
                    await call(plugin, "Status", pb.Service(name="a"))
        assert {(line["name"], line["error"]) for line in lines.of("wait")} == {
            ("a", "exit status 3"),
            ("b", "signal: killed"),
        }
        assert lines.messages.count("service was started") == 2
        assert "service was stopped" not in lines.messages  # nothing was left to stop

    run(main())


def test_a_process_beyond_its_time_limit_is_killed_with_its_group_and_restarted() -> None:
    async def main() -> None:
        config = sh("sleep 1000 & echo $!; wait", exec_timeout=0.1, remain_after_exit=True, restart_sec=SOON)
        with logged("service") as lines:
            async with running(a=config):
                await seen(lines, "service was started", times=2)
            grandchildren = [int(text) for text in lines.messages if text.isdecimal()]
        assert lines.of("wait")[0]["error"] == "signal: killed"
        assert lines.of("wait")[0]["exec_timeout"] == 0.1

        async def gone() -> bool:
            return not any(map(alive, grandchildren))

        await until(gone)

    run(main())


def test_an_exit_is_noticed_even_if_a_descendant_holds_the_output(tmp_path: Path) -> None:
    """RoadRunner waits for the pipe, and neither reports the exit nor restarts."""
    script = f"""
import os, subprocess
if os.path.exists({str(tmp_path / "once")!r}):
    print("again")
else:
    open({str(tmp_path / "once")!r}, "x").close()
    print(subprocess.Popen(["sleep", "1000"], start_new_session=True).pid)
"""

    async def main() -> None:
        config = ServiceConfig(command=[sys.executable, "-c", script], remain_after_exit=True, restart_sec=SOON)
        with logged("service") as lines:
            async with running(a=config):
                await seen(lines, "again")
            (holder,) = [int(text) for text in lines.messages if text.isdecimal()]
            assert alive(holder)
            os.kill(holder, signal.SIGKILL)

    run(main())


def test_a_temporarily_missing_program_is_retried(tmp_path: Path) -> None:
    """For example during a deployment."""
    program = tmp_path / "program"

    async def main() -> None:
        program.write_text("#!/bin/sh\necho run; rm $0\n")
        program.chmod(0o755)
        config = ServiceConfig(command=[str(program)], remain_after_exit=True, restart_sec=SOON)
        with logged("service") as lines:
            async with running(a=config) as plugin:
                await seen(lines, "service could not be started")
                told = (await call(plugin, "Statuses", pb.Service(name="a"))).status[0]
                assert told.status.message in ("no such file or directory", "exit status 0")
                (tmp_path / "new").write_text("#!/bin/sh\necho again\n")
                (tmp_path / "new").chmod(0o755)
                (tmp_path / "new").rename(program)
                await seen(lines, "again")

    run(main())


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_a_stop_sends_sigint_to_the_whole_group() -> None:
    async def main() -> None:
        script = "trap 'echo interrupted; exit 0' INT; echo up; sleep 1000 & wait"
        with logged("service") as lines:
            async with running(a=sh(script, process_num=2)) as plugin:
                await seen(lines, "up", times=2)
                await call(plugin, "Terminate", pb.Service(name="a"))
                assert list((await call(plugin, "List", pb.Service())).services) == []
        assert lines.messages.count("interrupted") == 2
        assert lines.messages.count("service was stopped") == 2
        assert "wait" not in lines.messages  # a requested exit is not an error

    run(main())


@pytest.mark.parametrize("hurry", [False, True])
def test_a_process_that_ignores_it_is_killed(hurry: bool) -> None:
    """After ``timeout_stop_sec``, or after the server's grace period."""

    async def main() -> None:
        config = sh("trap '' INT; echo up; sleep 1000", timeout_stop_sec=1000 if hurry else SOON)
        with logged("service") as lines:
            async with running(a=config) as plugin:
                await seen(lines, "up")
                (pid,) = await pids(plugin)
                await plugin.stop(0.0 if hurry else 1000.0)
        assert not alive(pid)
        assert "service did not stop in time and was killed" in lines.messages

    run(main())


def test_a_process_terminated_during_the_restart_delay_is_not_restarted() -> None:
    async def main() -> None:
        with logged("service") as lines:
            async with running(a=sh("exit 0", remain_after_exit=True, restart_sec=1000)) as plugin:
                await seen(lines, "service has ended")
                process = plugin._services.find("a").processes[0]
                life = process._life
                await call(plugin, "Terminate", pb.Service(name="a"))
                assert life.done()
                assert not process.running

    run(main())


def test_two_concurrent_stops_both_wait_for_the_exit() -> None:
    async def main() -> None:
        with logged("service") as lines:
            async with running(a=sh("trap 'sleep 0.05; exit 0' INT; echo up; sleep 1000 & wait")) as plugin:
                await seen(lines, "up")
                process = plugin._services.find("a").processes[0]
                await asyncio.gather(process.stop(), process.stop())
                assert not process.running
        assert lines.messages.count("service was stopped") == 1

    run(main())


def test_a_stop_during_a_start_leaves_no_process() -> None:
    async def main() -> None:
        async with running() as plugin:
            creating = asyncio.create_task(plugin._services.create("a", idle(process_num=50)))
            await asyncio.sleep(0)
            await plugin.stop(0.0)
            with pytest.raises(ServiceClosed):
                await creating
            assert await plugin.workers() == []
            assert list(plugin._services) == []

    run(main())


# -- commands over RPC -------------------------------------------------------------------------------------------------


def test_a_restart_gives_new_processes_one_after_the_other() -> None:
    async def main() -> None:
        async with running(a=idle(process_num=2), b=idle()) as plugin:
            before = await pids(plugin)
            await call(plugin, "Restart", pb.Service(name="a"))
            after = await pids(plugin)
            assert len(after) == 3
            assert set(before) & set(after) == {before[2]}
            await plugin.reset()
            assert not set(after) & set(await pids(plugin))

    run(main())


def test_a_service_that_fails_to_restart_is_removed_and_the_others_are_restarted(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nsleep 1000\n")
    program.chmod(0o755)

    async def main() -> None:
        async with running(a=ServiceConfig(command=[str(program)], process_num=2), b=idle()) as plugin:
            before = await pids(plugin)
            program.unlink()
            with pytest.raises(ResetFailed, match=r"service a: fork/exec .*/program: no such file or directory"):
                await plugin.reset()
            after = await pids(plugin)
            assert len(after) == 1
            assert not set(before) & set(after)
            with pytest.raises(UnknownService, match=r"^the service with a name doesn't exist$"):
                await call(plugin, "Statuses", pb.Service(name="a"))

    run(main())


@pytest.mark.parametrize(
    ("keys", "error", "text"),
    [
        ({"command": ["/no/such"]}, StartFailed, "fork/exec /no/such: no such file or directory\n  command: /no/such"),
        ({"command": ["/etc"]}, StartFailed, "fork/exec /etc: permission denied"),
        ({"command": ["sleep", "\0"]}, StartFailed, "embedded null byte"),
        ({"command": ["sleep"], "env": {"a=b": "c"}}, StartFailed, "illegal environment variable name"),
        ({"command": ["sleep", "1000"], "user": "nobody-here"}, UnknownUser, "there is no user `nobody-here`"),
    ],
)
def test_a_service_that_can_not_be_started_is_refused_and_its_name_is_free(
    keys: dict[str, Any], error: type[Exception], text: str
) -> None:
    async def main() -> None:
        with pytest.raises(error, match=text):
            async with running(fine=idle(), a=ServiceConfig(**keys)):
                pass
        async with running() as plugin:
            for _ in range(2):
                with pytest.raises(error):
                    await plugin._services.create("a", ServiceConfig(**keys, remain_after_exit=True))
            assert await plugin.workers() == []

    run(main())


def test_a_name_can_be_used_once() -> None:
    async def main() -> None:
        async with running(a=idle()) as plugin:
            with pytest.raises(ServiceExists, match=r"^the service with a name already exists$"):
                await call(plugin, "Create", pb.Create(name="a", command="sleep 1000", process_num=1))
            assert len(await plugin.workers()) == 1

    run(main())
