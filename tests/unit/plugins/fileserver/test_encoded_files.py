"""The cache of compressed files."""

from __future__ import annotations

import asyncio
import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pyroadrunner.content.codings import Coding, available
from pyroadrunner.content.open_files import OpenFile, OpenFiles
from pyroadrunner.plugins.fileserver.encoded_files import EncodedFiles

GZIP = available(["gzip"], "fast")["gzip"]


def counting(whole: Callable[[bytes], bytes] = GZIP.whole) -> tuple[Coding, list[int]]:
    sizes: list[int] = []

    def encode(data: bytes) -> bytes:
        sizes.append(len(data))
        return whole(data)

    return Coding("gzip", encode, GZIP.stream), sizes


async def opened(path: Path) -> OpenFile:
    file = await OpenFiles(0).open(str(path))
    assert file is not None
    return file


def test_a_file_is_encoded_once_per_change_for_all_waiting_calls(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "a").write_bytes(b"one" * 1000)
        coding, sizes = counting()
        files = EncodedFiles()
        first = await opened(tmp_path / "a")
        got = await asyncio.gather(*(files.get(first, coding) for _ in range(5)))
        assert len({id(one) for one in got}) == 1
        assert zlib.decompress(await got[0].read(0, 10_000), 31) == b"one" * 1000
        assert await files.get(await opened(tmp_path / "a"), coding) is got[0]
        (tmp_path / "new").write_bytes(b"two" * 1000)
        os.replace(tmp_path / "new", tmp_path / "a")
        assert await files.get(await opened(tmp_path / "a"), coding) is not got[0]
        assert sizes == [3000, 3000]

    asyncio.run(main())


def test_the_least_recently_used_are_evicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyroadrunner.plugins.fileserver.encoded_files._MOST", 250)

    async def main() -> None:
        coding, sizes = counting(lambda data: data)
        files = EncodedFiles()
        handles = []
        for name in "abc":
            (tmp_path / name).write_bytes(b"x" * 100)
            handles.append(await opened(tmp_path / name))
        a, b, c = handles
        await files.get(a, coding)
        await files.get(b, coding)
        await files.get(a, coding)
        await files.get(c, coding)
        assert len(sizes) == 3
        await files.get(a, coding)
        assert len(sizes) == 3
        await files.get(b, coding)
        assert len(sizes) == 4

    asyncio.run(main())


def test_a_cancelled_call_does_not_affect_other_waiting_calls(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    begun, go_on = threading.Event(), threading.Event()

    def slow(data: bytes) -> bytes:
        begun.set()
        go_on.wait(10)
        return data

    async def main() -> None:
        coding, sizes = counting(slow)
        files = EncodedFiles()
        file = await opened(tmp_path / "a")
        leaving = asyncio.create_task(files.get(file, coding))
        await asyncio.to_thread(begun.wait, 10)
        staying = asyncio.create_task(files.get(file, coding))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        go_on.set()
        assert (await staying).size == 100
        assert len(sizes) == 1
        assert "making=0" in repr(files)

    asyncio.run(main())


def test_a_failure_is_raised_in_all_calls_and_retried_later(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)

    async def main() -> None:
        files = EncodedFiles()
        file = await opened(tmp_path / "a")
        os.truncate(tmp_path / "a", 10)
        results = await asyncio.gather(*(files.get(file, GZIP) for _ in range(2)), return_exceptions=True)
        assert [type(result) for result in results] == [OSError, OSError]
        (tmp_path / "a").write_bytes(b"y" * 100)
        assert (await files.get(file, GZIP)).size > 0

    asyncio.run(main())
