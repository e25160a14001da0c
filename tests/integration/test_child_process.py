"""Real child processes: how they end, their group, their output."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from pyroadrunner.workers.child_process import Credentials, UnknownUser, is_child, start_child
from pyroadrunner.workers.output import MAX_LINE, OutputReader
from pyroadrunner.workers.usage import cpu_seconds_of, memory_of
from support.pools import run, until


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9), ("kill -15 $$", -15)])
def test_the_exit_of_a_child_is_reported(script: str, status: int) -> None:
    async def main() -> None:
        child = start_child(["sh", "-c", script], env=os.environ)
        assert is_child(child.pid)
        assert await child.wait() == status
        assert not is_child(child.pid)

    run(main())


def test_waiting_has_a_time_limit_and_a_kill_ends_the_group(tmp_path: Path) -> None:
    async def main() -> None:
        script = f"sleep 1000 & echo $! > {tmp_path}/grandchild; wait"
        child = start_child(["sh", "-c", script], env=os.environ)
        written = tmp_path / "grandchild"

        async def forked() -> bool:
            return written.exists() and bool(written.read_text().strip())

        await until(forked)
        assert await child.wait(0.0) is None
        assert os.getpgid(child.pid) == child.pid
        child.kill()
        child.kill()
        assert await child.wait() == -signal.SIGKILL
        grandchild = int(written.read_text())

        async def dead() -> bool:
            try:
                return Path(f"/proc/{grandchild}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except FileNotFoundError:
                return True

        await until(dead)

    run(main())


def test_the_process_group_of_a_child_ends_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        output = OutputReader(lambda _line: None)
        end = await output.open()
        child = start_child(["sh", "-c", "sleep 1000 & exit 0"], env=os.environ, stderr=end)
        os.close(end)
        assert await child.wait() == 0
        await output.closed  # the orphan held the pipe open

    run(main())


def lines_of(script: str) -> tuple[list[str], str]:
    """What a shell script writes to stderr, line by line, and the tail kept for error messages."""

    async def main() -> tuple[list[str], str]:
        lines: list[str] = []
        output = OutputReader(lines.append)
        end = await output.open()
        child = start_child(["sh", "-c", script], env=os.environ, stderr=end)
        os.close(end)
        await child.wait()
        await output.closed
        return lines, output.tail()

    return run(main())


def test_output_is_split_into_lines_also_without_a_final_newline() -> None:
    assert lines_of("printf 'one\\n\\n  two\\r\\nthree' >&2")[0] == ["one", "", "  two", "three"]


def test_output_that_is_not_utf8_is_shown() -> None:
    assert lines_of("printf 'caf\\303\\251 \\377\\n' >&2")[0] == ["café \ufffd"]


def test_an_endless_line_is_truncated() -> None:
    lines, _ = lines_of(f"head -c {MAX_LINE + 10} /dev/zero | tr '\\0' x >&2")
    assert [len(line) for line in lines] == [MAX_LINE, 10]


def test_a_long_line_is_truncated_also_when_its_end_has_arrived() -> None:
    async def main() -> None:
        lines: list[str] = []
        output = OutputReader(lines.append)
        output.data_received(b"x" * (MAX_LINE - 1))
        output.data_received(b"x" * MAX_LINE + b"\n")
        assert [len(line) for line in lines] == [MAX_LINE, MAX_LINE - 1]

    run(main())


def test_the_tail_holds_the_last_lines() -> None:
    lines, tail = lines_of("seq 1 100 >&2")
    assert len(lines) == 100
    assert tail.split("\n") == [str(i) for i in range(91, 101)]


def test_output_in_the_pipe_when_a_request_begins_belongs_to_an_earlier_one() -> None:
    async def main() -> str:
        came = asyncio.Event()

        def keep(line: str) -> None:
            lines.append(line)
            came.set()

        output = OutputReader(keep)
        end = await output.open()
        output.mark()
        os.write(end, b"first\n")
        await came.wait()
        os.write(end, b"second\n")  # not read yet: nothing was awaited
        output.mark()
        os.write(end, b"third\n")
        os.close(end)
        await output.closed
        return output.tail()

    lines: list[str] = []
    assert run(main()) == "third"
    assert lines == ["first", "second", "third"]


def test_a_flood_is_read_to_its_end() -> None:
    lines, _ = lines_of("seq 1 50000 >&2")
    assert lines == [str(number) for number in range(1, 50_001)]


def test_a_flood_of_short_lines_is_processed_in_portions() -> None:
    """A line takes ten microseconds to log, and 64 KB may have 32,768 of them."""

    async def main() -> None:
        lines: list[str] = []
        OutputReader(lines.append).data_received(b"y\n" * 20_000)
        assert 0 < len(lines) < 1000

    run(main())


def test_memory_and_cpu_of_a_process_are_reported_and_zero_after_its_exit() -> None:
    assert memory_of(os.getpid()) > 10_000_000
    assert cpu_seconds_of(os.getpid()) > 0.0

    async def main() -> int:
        child = start_child(["true"], env=os.environ)
        await child.wait()
        return child.pid

    gone = run(main())
    assert (memory_of(gone), cpu_seconds_of(gone)) == (0, 0.0)


def test_ids_may_be_given_instead_of_names_and_unknown_names_are_refused() -> None:
    assert Credentials.of("", "") == Credentials()
    assert Credentials.of("54321", "12345") == Credentials(54321, 12345, ())
    assert Credentials.of("root", "").uid == 0
    for user, group in (("no-such-user", ""), ("", "no-such-group")):
        with pytest.raises(UnknownUser):
            Credentials.of(user, group)
