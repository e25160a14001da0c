"""Lines are batched, complete, in order, and counted when lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyroadrunner.plugins.logger import sink as sink_module
from pyroadrunner.plugins.logger.sink import Sink


class ScriptedOutput:
    """Takes ``room`` bytes (``None`` = all), or fails with ``broken``."""

    name = "script"

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.room: int | None = None
        self.broken: OSError | None = None
        self.closed = False

    def write(self, data: bytes) -> int:
        if self.broken is not None:
            raise self.broken
        taken = len(data) if self.room is None else min(self.room, len(data))
        if self.room is not None:
            self.room -= taken
        if taken:
            self.writes.append(data[:taken])
        return taken

    def fileno(self) -> int:
        return 99

    def close(self) -> None:
        self.closed = True


class ManualLoop:
    """A loop that runs scheduled calls only when the test asks for it."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.writer: Callable[[], None] | None = None

    def soon(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def when_writable(self, fd: int, call: Callable[[], None] | None) -> None:
        self.writer = call

    def iterate(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


@pytest.fixture
def output() -> ScriptedOutput:
    return ScriptedOutput()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
def sink(output: ScriptedOutput, complaints: list[str], loop: ManualLoop) -> Sink:
    made = Sink(output, complaints.append)
    made.attach(loop)
    return made


def test_lines_of_one_iteration_are_one_write(sink: Sink, output: ScriptedOutput, loop: ManualLoop) -> None:
    sink.put(b"a\n")
    sink.put(b"b\n")
    assert output.writes == []
    assert len(loop.calls) == 1
    loop.iterate()
    sink.put(b"c\n")
    loop.iterate()
    assert output.writes == [b"a\nb\n", b"c\n"]


def test_an_urgent_line_is_written_immediately_after_earlier_ones(sink: Sink, output: ScriptedOutput) -> None:
    sink.put(b"a\n")
    sink.put(b"error\n", at_once=True)
    assert output.writes == [b"a\nerror\n"]


def test_without_a_loop_every_line_is_written_immediately(output: ScriptedOutput, complaints: list[str]) -> None:
    Sink(output, complaints.append).put(b"a\n")
    assert output.writes == [b"a\n"]


def test_a_full_output_first_gets_the_rest_of_the_line(
    sink: Sink, output: ScriptedOutput, loop: ManualLoop, complaints: list[str]
) -> None:
    output.room = 3
    sink.put(b"abcdef\n")
    loop.iterate()
    sink.put(b"next\n")
    assert loop.calls == []  # nothing to do until the output is writable
    assert loop.writer is not None
    output.room = None
    loop.writer()
    assert b"".join(output.writes) == b"abcdef\nnext\n"
    assert loop.writer is None
    assert complaints == []


def test_a_reader_that_never_reads_loses_lines_and_they_are_counted(
    sink: Sink, output: ScriptedOutput, loop: ManualLoop, complaints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_module, "_MOST", 10)
    output.room = 0
    for _ in range(5):
        sink.put(b"123456\n")
    loop.iterate()
    assert complaints == ["script is not being read; log lines are lost until it is"]
    output.room = None
    assert loop.writer is not None
    loop.writer()
    assert output.writes == [b"123456\n123456\n"]
    assert complaints[1:] == ["3 log lines to script were lost"]


def test_a_failing_output_loses_lines_is_reported_once_and_recovers(
    sink: Sink, output: ScriptedOutput, loop: ManualLoop, complaints: list[str]
) -> None:
    output.broken = OSError(28, "No space left on device")
    for _ in range(3):
        sink.put(b"a\n")
        loop.iterate()
    assert len(complaints) == 1
    assert "No space left on device" in complaints[0]
    output.broken = None
    sink.put(b"b\n")
    loop.iterate()
    assert output.writes == [b"b\n"]
    assert complaints[1:] == ["3 log lines to script were lost"]


def test_a_line_truncated_by_a_full_disk_is_ended_before_the_next(complaints: list[str]) -> None:
    class Disk(ScriptedOutput):
        def write(self, data: bytes) -> int:
            if self.room == 0:
                raise OSError(28, "No space left on device")
            return super().write(data)

    disk = Disk()
    disk.room = 6
    sink = Sink(disk, complaints.append)
    for line in (b"one\n", b"two\n", b"three\n"):
        sink.put(line)
    disk.room = None
    sink.put(b"four\n")
    sink.put(b"five\n")
    assert b"".join(disk.writes) == b"one\ntw\nfour\nfive\n"
    assert complaints[1:] == ["2 log lines to script were lost"]


def test_large_amounts_are_written_in_chunks_that_end_with_a_line(
    sink: Sink, output: ScriptedOutput, loop: ManualLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_module, "_CHUNK", 8)
    for line in (b"aaa\n", b"bbb\n", b"ccc\n", b"a line longer than a piece\n", b"d\n"):
        sink.put(line)
    loop.iterate()
    assert output.writes == [b"aaa\nbbb\n", b"ccc\n", b"a line longer than a piece\n", b"d\n"]


def test_closing_writes_queued_lines(sink: Sink, output: ScriptedOutput) -> None:
    sink.put(b"a\n")
    sink.close()
    assert output.writes == [b"a\n"]
    assert output.closed
