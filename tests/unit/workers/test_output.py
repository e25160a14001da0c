"""The log records made of a worker's stderr, and the lines shown when it has crashed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pyroadrunner.workers.output import MAX_LINE, OutputReader

THROWN = '{"type":"throwable","class":"RuntimeException","message":"x {\\"type\\":\\"raw\\"}","trace":[{"type":"raw"}]}'


def records(*chunks: str) -> list[str]:
    """The records that are logged when these chunks are read and the pipe is closed."""

    async def main() -> list[str]:
        lines: list[str] = []
        reader = OutputReader(lines.append)
        for chunk in chunks:
            reader.data_received(chunk.encode())
        reader.connection_lost(None)
        return lines

    return asyncio.run(main())


def reading(script: Callable[[OutputReader], None]) -> tuple[list[str], str]:
    """The lines that were emitted, and the tail."""

    async def main() -> tuple[list[str], str]:
        lines: list[str] = []
        output = OutputReader(lines.append)
        script(output)
        return lines, output.tail()

    return asyncio.run(main())


@pytest.mark.parametrize("kind", ["raw", "request", "shutdown", "throwable"])
def test_a_message_of_octanes_worker_is_its_own_record_after_text_without_a_line_break(kind: str) -> None:
    message = f'{{"type":"{kind}","message":"m"}}'
    assert records(f"plain words{message}\nmore\n") == ["plain words", message, "more"]
    assert records("plain ", "words", f"{message}\n") == ["plain words", message]
    assert records(f"words{message}") == ["words", message]


def test_objects_inside_a_message_do_not_split_it() -> None:
    assert records(f"{THROWN}\n") == [THROWN]
    assert records(f"words{THROWN}\n") == ["words", THROWN]


@pytest.mark.parametrize(
    "line",
    [
        'local.INFO: signed in {"type":"user","id":7} ',
        'local.INFO: signed in {"user":{"type":"raw"}}',
        'cut short {"type":"throwable","class":',
        'words {"type":"raw"} and more',
        'deep {"type":"raw","x":' + "[" * 20_000,
    ],
)
def test_other_text_with_json_in_it_stays_one_record(line: str) -> None:
    assert records(f"{line}\n") == [line]


def test_before_the_first_call_all_lines_are_shown() -> None:
    assert reading(lambda output: output.data_received(b"boot\nready\n"))[1] == "boot\nready"


def test_lines_of_earlier_calls_are_not_shown() -> None:
    def script(output: OutputReader) -> None:
        output.data_received(b"boot\n")
        output.mark()
        output.data_received(b"first\n")
        output.mark()
        output.data_received(b"second\nand more")

    lines, tail = reading(script)
    assert lines == ["boot", "first", "second"]
    assert tail == "second\nand more"


def test_a_call_that_wrote_nothing_has_no_lines() -> None:
    def script(output: OutputReader) -> None:
        output.data_received(b"boot\npart of a line")
        output.mark()

    assert reading(script)[1] == ""


def test_a_line_that_began_before_the_call_is_shown_whole() -> None:
    def script(output: OutputReader) -> None:
        output.data_received(b"before")
        output.mark()
        output.data_received(b" and after\n\n")

    assert reading(script)[1] == "before and after"


def test_split_lines_and_many_lines_keep_their_position() -> None:
    def script(output: OutputReader) -> None:
        output.data_received(b"x" * (2 * MAX_LINE + 5) + b"\n")
        output.data_received(b"y\n" * 300)
        output.mark()
        output.data_received(b"mine\n")

    assert reading(script)[1] == "mine"


def test_lines_that_are_not_emitted_yet_count_for_the_call_that_wrote_them() -> None:
    def script(output: OutputReader) -> None:
        output.data_received(b"old\n" * 1000)  # a turn takes fewer
        output.mark()
        output.data_received(b"mine")
        output.connection_lost(None)

    assert reading(script)[1] == "mine"
