"""ETags of files: RoadRunner's for small files, and new ones if the content changes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pyroadrunner.content.open_files import OpenFile
from pyroadrunner.plugins.http.middleware.etags import Etags
from pyroadrunner.plugins.http.middleware.public import open_file


def tag(path: Path, *, weak: bool = False) -> bytes:
    return asyncio.run(Etags(weak=weak).of(open_file(os.fsencode(path))))


@pytest.mark.parametrize(
    ("content", "expected"),
    [  # recorded from RoadRunner 2025.1.11
        (b"hello static\n", b'"13-4037175136"'),
        (b"large " * 4000, b'"24000-2872178614"'),
        (b"", b""),
    ],
)
def test_strong_tags_are_roadrunners(tmp_path: Path, content: bytes, expected: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert tag(tmp_path / "a") == expected


def test_large_files_have_an_etag_of_their_content_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    first = tag(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"x" * 99_999 + b"y")
    assert first.startswith(b'"100000-')
    assert tag(tmp_path / "a") != first


def test_weak_tags_change_with_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    os.utime(path, ns=(0, 0x1234))
    assert tag(path, weak=True) == b'W/"1-1234"'
    os.utime(path, ns=(0, 0x1235))
    assert tag(path, weak=True) == b'W/"1-1235"'


def test_a_file_is_read_once_for_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    read = OpenFile.read

    async def counted(file: OpenFile, offset: int, count: int) -> bytes:
        reads.append(count)
        return await read(file, offset, count)

    monkeypatch.setattr(OpenFile, "read", counted)
    monkeypatch.setattr("pyroadrunner.plugins.http.middleware.etags._KEPT", 1)
    etags = Etags(weak=False)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")

    def of(name: str) -> bytes:
        return asyncio.run(etags.of(open_file(os.fsencode(tmp_path / name))))

    assert of("a") == of("a") == of("b")
    assert len(reads) == 2
    of("a")
    assert len(reads) == 3, "the number of remembered checksums is limited"
