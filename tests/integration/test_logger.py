"""The log with real pipes, files and disks: it never blocks, raises or splits a line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.server import environment

# Writes `count` lines of about a kilobyte through the plugin, says "done" on stderr while the loop still runs, waits
# for a line on stdin, and stops.
WRITER = """
import asyncio, sys
from pyroadrunner.log import Log
from pyroadrunner.plugins.logger.config import LogsConfig
from pyroadrunner.plugins.logger.plugin import LoggerPlugin

async def main(count, output, level, err_output):
    plugin = LoggerPlugin(LogsConfig(mode="production", output=[output], err_output=[err_output]))
    await plugin.start()
    log = Log("http")
    for number in range(count):
        getattr(log, level)("line", number=number, filling="x" * 1000)
        if number % 10 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    sys.stderr.write("done\\n")
    sys.stderr.flush()
    await asyncio.to_thread(sys.stdin.readline)
    await plugin.stop(1.0)

asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
"""


def writer(
    count: int, output: str = "stdout", level: str = "info", err_output: str = "stderr"
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(count), output, level, err_output],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def numbers(text: bytes) -> list[int]:
    return [json.loads(line)["number"] for line in text.splitlines()]


@pytest.mark.parametrize("level", ["info", "error"])
def test_a_paused_reader_does_not_block_the_server_and_gets_every_line_later(level: str) -> None:
    count = 3000  # 3 MB, where a pipe holds 64 KB
    with writer(count, level=level) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"done\n"  # though no byte of stdout has been read
        out, err = process.communicate(b"\n", timeout=60)
    assert process.returncode == 0
    assert numbers(out) == list(range(count))
    assert err == b""


def test_a_closed_pipe_is_reported_once_and_fails_nothing() -> None:
    with writer(200) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(b"\n", timeout=60)
    assert process.returncode == 0
    told, done = sorted(err.decode().splitlines(), reverse=True)
    assert done == "done"
    assert told.startswith("rr: can't write the log to stdout:")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is always full is a thing of Linux")
@pytest.mark.parametrize("err_output", ["stderr", "/dev/full"])
def test_a_full_disk_is_reported_once_on_stderr_and_fails_nothing(err_output: str) -> None:
    with writer(200, "/dev/full", err_output=err_output) as process:
        _, err = process.communicate(b"\n", timeout=60)
    assert process.returncode == 0
    assert err.decode().count("No space left on device") == 1
    assert "Traceback" not in err.decode()


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "new" / "rr.log"
    for _ in range(2):
        with writer(50, str(file)) as process:
            process.communicate(b"\n", timeout=60)
    assert numbers(file.read_bytes()) == [*range(50), *range(50)]


def test_a_file_that_can_not_be_opened_is_reported(tmp_path: Path) -> None:
    with writer(1, str(tmp_path)) as process:
        _, err = process.communicate(b"\n", timeout=60)
    assert process.returncode == 1
    assert f"OutputError: logs: open {tmp_path}: is a directory" in err.decode()


def test_a_crash_still_writes_the_lines_before_it() -> None:
    crashing = WRITER.replace("await asyncio.sleep(0)", "pass").replace("sys.stderr.flush()", "raise SystemExit(9)")
    done = subprocess.run(
        [sys.executable, "-c", crashing, "20", "stdout", "info", "stderr"],
        env=environment(),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 9
    assert numbers(done.stdout) == list(range(20))
