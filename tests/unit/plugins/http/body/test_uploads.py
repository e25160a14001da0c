"""Files of multipart bodies: rules, errors, and that no file remains."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.asgi import Message
from pyroadrunner.plugins.http.body import uploads
from pyroadrunner.plugins.http.body.forms import FormLimits
from pyroadrunner.plugins.http.body.multipart import FileBegin
from pyroadrunner.plugins.http.body.reader import BodyLimits, BodyReader
from pyroadrunner.plugins.http.body.uploads import Form, Upload, UploadRules
from pyroadrunner.plugins.http.config import FormsConfig, UploadsConfig
from pyroadrunner.plugins.http.request import UNKNOWN_LENGTH

TYPE = "multipart/form-data; boundary=XbX"
LIMITS = BodyLimits(max_body=1 << 30)
FORMS = FormLimits.of(FormsConfig())


def file(name: str, filename: str, data: bytes) -> bytes:
    head = f'--XbX\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: x/y\r\n\r\n'
    return head.encode() + data + b"\r\n"


def reader(*pieces: bytes) -> BodyReader:
    left = list(pieces)

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return BodyReader(receive, LIMITS, UNKNOWN_LENGTH, lambda: 0.0)


def read(rules: UploadRules, body: bytes, look: Callable[[Form], None] = lambda form: None) -> Form:
    """Read a whole body in pieces of 64 KB, call ``look``, discard the form."""

    async def main() -> Form:
        form = Form(rules, FORMS)
        pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)]
        try:
            await form.read(TYPE, reader(*pieces))
            look(form)
        finally:
            form.discard()
            await asyncio.get_running_loop().shutdown_default_executor()
        return form

    return asyncio.run(main())


def rules(folder: Path, **keys: Any) -> UploadRules:
    return UploadRules(UploadsConfig(dir=str(folder), **keys))


@pytest.mark.parametrize("size", [0, 5, 300_000, 3_500_000])
def test_a_file_is_written_completely_with_private_mode_and_removed(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)

    def look(form: Form) -> None:
        info = form.files["f"]
        path = Path(info["tmpName"])
        assert path.read_bytes() == data
        assert path.parent == tmp_path
        assert path.name.removeprefix("upload").isdecimal()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(info) == ["name", "mime", "size", "error", "tmpName"]
        assert {**info, "tmpName": ""} == {"name": "a.bin", "mime": "x/y", "size": size, "error": 0, "tmpName": ""}

    read(rules(tmp_path), file("f", "a.bin", data) + b"--XbX--\r\n", look)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_the_worker_moved_is_not_removed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    def look(form: Form) -> None:
        Path(form.files["f"]["tmpName"]).rename(kept)

    read(rules(tmp_path), file("f", "a", b"x") + b"--XbX--\r\n", look)
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize(
    ("config", "filename", "accepted"),
    [
        ({}, "a.php", True),
        ({"forbid": [".php", ".exe"]}, "a.php", False),
        ({"forbid": [".php"]}, "a.PHP", False),
        ({"forbid": [".php"]}, "a.php.txt", True),
        ({"forbid": [".EXE"]}, "a.exe", True),
        ({"forbid": [".gz"]}, "a.tar.gz", False),
        ({"forbid": [""]}, "Makefile", False),
        ({"forbid": [".htaccess"]}, ".htaccess", False),
        ({"allow": [".png"]}, "a.png", True),
        ({"allow": [".png"]}, "a.jpg", False),
        ({"allow": [".png"]}, "png", False),
        ({"allow": [".png", ".php"], "forbid": [".php"]}, "a.php", False),
        ({"allow": [".php"], "forbid": [".php"]}, "a.png", False),
    ],
)
def test_extensions_decide_whether_a_file_is_accepted(
    config: dict[str, list[str]], filename: str, accepted: bool
) -> None:
    assert UploadRules(UploadsConfig(**config)).accepts(filename) is accepted


def test_a_refused_file_has_error_8_is_never_written_and_does_not_affect_others(tmp_path: Path) -> None:
    def look(form: Form) -> None:
        assert form.files["f"] == {"name": "evil.php", "mime": "x/y", "size": 0, "error": 8, "tmpName": ""}
        assert form.files["g"]["error"] == 0
        assert len(list(tmp_path.iterdir())) == 1

    body = file("f", "evil.php", b"x" * 2_000_000) + file("g", "ok.txt", b"y") + b"--XbX--\r\n"
    read(rules(tmp_path, forbid=[".php"]), body, look)


def test_a_missing_folder_is_error_6(tmp_path: Path) -> None:
    form = read(rules(tmp_path / "none"), file("f", "a", b"x" * 2_000_000) + b"--XbX--\r\n")
    assert form.files["f"] == {"name": "a", "mime": "x/y", "size": 0, "error": 6, "tmpName": ""}


@pytest.mark.parametrize("size", [5, 3_000_000])
def test_a_full_disk_is_error_7_and_no_file_remains(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(uploads.os, "write", full)
    form = read(rules(tmp_path), file("f", "a", b"x" * size) + b"--XbX--\r\n")
    assert form.files["f"] == {"name": "a", "mime": "x/y", "size": 0, "error": 7, "tmpName": ""}
    assert list(tmp_path.iterdir()) == []


def test_a_body_cancelled_during_a_write_is_removed_after_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()
    real = os.write
    written: list[int] = []

    def slow(descriptor: int, data: Any) -> int:
        writing.set()
        go_on.wait(20)
        written.append(real(descriptor, data))
        return written[-1]

    monkeypatch.setattr(uploads.os, "write", slow)

    async def main() -> None:
        form = Form(rules(tmp_path), FORMS)
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(form.read(TYPE, reader(file("f", "a", b"x" * 2_000_000), b"")))
        await loop.run_in_executor(None, writing.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        form.discard()
        assert len(list(tmp_path.iterdir())) == 1  # the thread is still writing
        go_on.set()
        await loop.shutdown_default_executor()

    asyncio.run(main())
    assert sum(written) > 0
    assert list(tmp_path.iterdir()) == []


def test_names_of_files_make_a_tree(tmp_path: Path) -> None:
    body = b"".join(file(name, name, b"x") for name in ("a", "l[]", "l[]", "n[x][y]")) + b"--XbX--\r\n"

    def look(form: Form) -> None:
        assert form.files["a"]["name"] == "a"
        assert [info["name"] for info in form.files["l"]] == ["l[]", "l[]"]
        assert form.files["n"]["x"]["y"]["name"] == "n[x][y]"

    read(rules(tmp_path), body, look)


def test_the_default_folder_is_the_systems_and_a_relative_one_is_made_absolute() -> None:
    assert UploadRules(UploadsConfig()).folder == tempfile.gettempdir()
    assert UploadRules(UploadsConfig(dir="up")).folder == os.path.abspath("up")


def test_files_get_the_owner_of_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(uploads.os, "fchown", lambda descriptor, uid, gid: given.append((uid, gid)))
    upload = Upload(FileBegin("f", "a", ""), UploadRules(UploadsConfig(dir=str(tmp_path)), owner=(33, 34)))
    upload.remove()
    assert given == [(33, 34)]


def test_closing_and_removing_twice_is_harmless(tmp_path: Path) -> None:
    upload = Upload(FileBegin("f", "a", ""), rules(tmp_path))
    for _ in range(2):
        upload.close()
        upload.remove()
    assert list(tmp_path.iterdir()) == []
