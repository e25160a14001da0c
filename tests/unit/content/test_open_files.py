"""Files below a root: which are found, how long they are kept open, and when they are closed."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Coroutine, Set
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.content.open_files import OpenFile, OpenFiles, below


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def open_now(folder: Path) -> set[str]:
    """Names of the files below a folder that this process has open."""
    names = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith(str(folder)):
            names.add(os.path.relpath(target, folder))
    return names


async def let_go(folder: Path, all_but: Set[str] = frozenset()) -> None:
    """Wait until the files are closed: the thread that opened a file drops its reference a moment later."""
    async with asyncio.timeout(10):
        while open_now(folder) != all_but:  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a.css", "/srv/a.css"),
        ("a.css", "/srv/a.css"),
        ("//a//./b.css", "/srv/a/b.css"),
        ("/", "/srv"),
        ("", "/srv"),
        ("/..", None),
        ("/a/../b", None),
        ("/../etc/passwd", None),
        ("/a\0b", None),
        ("/x..y", "/srv/x..y"),
        ("/...", "/srv/..."),
        ("/..\\b", "/srv/..\\b"),
        ("/%2e%2e/a", "/srv/%2e%2e/a"),  # already decoded once, so not decoded again
    ],
)
def test_a_path_never_leaves_its_root(path: str, found: str | None) -> None:
    assert below("/srv", path) == found


def test_an_open_file_keeps_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")

    async def main() -> None:
        file = await OpenFiles(0).open(f"{tmp_path}/a")
        assert file is not None
        assert (file.size, file.index, file.encoded) == (10, False, ())
        (tmp_path / "new").write_bytes(b"new")
        os.replace(tmp_path / "new", tmp_path / "a")
        assert await file.read(2, 3) == b"234"
        assert await file.read(8, 5) == b"89"
        assert await file.read(10, 5) == b""
        assert file.checksum() == zlib.crc32(b"0123456789")

    run(main())


@pytest.mark.parametrize("name", ["none", "folder", "folder/none", "a/b", "fifo", "secret", "loop", "x" * 300, "nul\0"])
def test_a_path_without_a_readable_file_gives_none(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "secret").write_bytes(b"s")
    really = os.open

    def refusing(path: str, flags: int) -> int:
        """Refuse like for a user who is not root."""
        if path.endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return really(path, flags)

    monkeypatch.setattr(os, "open", refusing)

    async def main() -> None:
        assert await OpenFiles(1).open(f"{tmp_path}/{name}") is None

    run(main())
    assert open_now(tmp_path) == set()


def test_an_error_of_the_system_is_raised_and_not_a_missing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"a")

    def full(path: str, flags: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="Too many"):
        run(OpenFiles(1).open(f"{tmp_path}/a"))  # type: ignore[arg-type]


def test_a_folder_gives_its_index_and_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "index.html").write_bytes(b"hello")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "storage").symlink_to(tmp_path / "outside")

    async def main() -> None:
        file = await OpenFiles(0, index="index.html").open(f"{tmp_path}/root/storage")
        assert file is not None
        assert (file.index, file.path) == (True, f"{tmp_path}/root/storage/index.html")
        assert await OpenFiles(0, index="index.html").open(f"{tmp_path}/root") is None
        assert await OpenFiles(0).open(f"{tmp_path}/root/storage") is None

    run(main())


def test_encoded_copies_count_if_they_are_not_older(tmp_path: Path) -> None:
    for name, changed in (("a.css", 100), ("a.css.br", 100), ("a.css.gz", 99), ("a.css.zst", 101)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (changed, changed))

    async def main() -> None:
        file = await OpenFiles(0, copies=True).open(f"{tmp_path}/a.css")
        assert file is not None
        assert file.encoded == ("zstd", "br")

    run(main())


def test_within_the_keep_time_a_file_is_opened_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")

    async def main() -> None:
        files = OpenFiles(1000)
        first = await files.open(f"{tmp_path}/a")
        os.remove(tmp_path / "a")
        assert await files.open(f"{tmp_path}/a") is first
        del first
        assert open_now(tmp_path) == {"a (deleted)"}
        files.close()
        await let_go(tmp_path)
        assert await files.open(f"{tmp_path}/a") is None

    run(main())


def test_after_the_keep_time_a_file_is_closed_unless_it_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")

    async def main() -> None:
        files = OpenFiles(0.001)
        await files.open(f"{tmp_path}/a")
        b = await files.open(f"{tmp_path}/b")
        await let_go(tmp_path, {"b"})
        assert b is not None
        assert await b.read(0, 1) == b"b"
        assert await files.open(f"{tmp_path}/b") is not b
        files.close()

    run(main())


def test_a_limited_number_of_files_is_kept_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyroadrunner.content.open_files._MOST", 3)
    for name in "abcde":
        (tmp_path / name).write_bytes(b"x")

    async def main() -> None:
        files = OpenFiles(1000)
        for name in "abcde":
            await files.open(f"{tmp_path}/{name}")
        await let_go(tmp_path, {"c", "d", "e"})
        files.close()

    run(main())


def test_a_checksum_is_computed_once_for_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    really = OpenFile.checksum

    def counting(file: OpenFile) -> int:
        made.append(file.path)
        return really(file)

    monkeypatch.setattr(OpenFile, "checksum", counting)

    async def main() -> None:
        files = OpenFiles(0)
        for content in (b"one", b"one", b"two"):
            if not (tmp_path / "a").exists() or (tmp_path / "a").read_bytes() != content:
                (tmp_path / "new").write_bytes(content)
                os.replace(tmp_path / "new", tmp_path / "a")
            file = await files.open(f"{tmp_path}/a")
            assert file is not None
            assert await files.checksum(file) == zlib.crc32(content)

    run(main())
    assert len(made) == 2


def test_a_reader_whose_request_is_cancelled_still_has_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the descriptor may belong to another file when the thread reads from it."""
    import threading

    (tmp_path / "a").write_bytes(b"a")
    begun, go_on = threading.Event(), threading.Event()
    got: list[bytes] = []
    really = os.pread

    def slow(fd: int, count: int, offset: int) -> bytes:
        begun.set()
        go_on.wait(10)
        got.append(really(fd, count, offset))
        return got[-1]

    monkeypatch.setattr(os, "pread", slow)

    async def read() -> None:
        file = await OpenFiles(0).open(f"{tmp_path}/a")
        assert file is not None
        await file.read(0, 1)

    async def main() -> None:
        task = asyncio.create_task(read())
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.wait([task])
        del task
        assert open_now(tmp_path) == {"a"}
        go_on.set()

    run(main())
    assert got[0] == b"a"


def test_a_file_outside_the_page_cache_is_not_read_directly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    path = str(tmp_path / "a")

    async def main() -> None:
        file = await OpenFiles(0).open(path)
        assert file is not None
        assert file.read_now(4) in (b"0123", None)  # not every file system supports it
        assert file.read_now(11) is None
        monkeypatch.setattr("pyroadrunner.content.open_files._NO_WAIT", None)
        assert file.read_now(4) is None
        monkeypatch.setattr("pyroadrunner.content.open_files._NO_WAIT", 1 << 30)
        assert file.read_now(4) is None, "a file system that does not know the flag"

    run(main())
