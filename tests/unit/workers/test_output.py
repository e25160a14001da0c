"""Which records a worker's stderr becomes."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.output import OutputReader

THROWN = '{"type":"throwable","class":"RuntimeException","message":"x {\\"type\\":\\"raw\\"}","trace":[{"type":"raw"}]}'


def records(*chunks: str) -> list[str]:
    """What is logged when these are read, and the pipe is closed then."""

    async def main() -> list[str]:
        lines: list[str] = []
        reader = OutputReader(lines.append)
        for chunk in chunks:
            reader.data_received(chunk.encode())
        reader.connection_lost(None)
        return lines

    return asyncio.run(main())


@pytest.mark.parametrize("kind", ["raw", "request", "shutdown", "throwable"])
def test_a_message_of_octanes_worker_is_a_record_of_its_own_behind_text_without_a_line_break(kind: str) -> None:
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
