"""Which files of a public folder are served: paths as a table, links on a real disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pyroadrunner.plugins.http.middleware import public
from pyroadrunner.plugins.http.middleware.public import Extensions, PublicFolder, Refused, inside, open_file

ALL = Extensions([], [])


@pytest.mark.parametrize(
    ("raw", "relative"),
    [
        (b"/a.css", b"a.css"),
        (b"/css/a.min.css", b"css/a.min.css"),
        (b"/a%2Fb%20c.css", b"a/b c.css"),
        (b"/%E2%82%AC.css", "€.css".encode()),
        (b"/a%2ecss", b"a.css"),
        (b"//x//a.css", b"x/a.css"),
        (b"/./a.css", b"a.css"),
        (b"/a..b.css", b"a..b.css"),
        (b"/[...slug].js", b"[...slug].js"),
        (b"/%252e%252e/a.css", b"%2e%2e/a.css"),
        (b"/.well-known/security.txt", b".well-known/security.txt"),
        (b"/", None),
        (b"", None),
        (b"/api/users", None),
        (b"/api/v1.2/users", None),
        (b"/a%20b", None),
        (b"/a.", None),
        (b"/a.css/", None),
        (b"/a.css%00", None),
        (b"/a%00.css", None),
        (b"/.env", None),
        (b"/.git/config.txt", None),
        (b"/x/%2Egit/config.txt", None),
        (b"/x/.well-known/a.txt", None),
        (b"/.well-known/.x.txt", None),
        (b"/index.php", None),
        (b"/index.PHP", None),
        (b"/index%2Ephp", None),
        (b"/x.phtml", None),
        (b"/x.phar", None),
    ],
)
def test_paths(raw: bytes, relative: bytes | None) -> None:
    assert inside(raw, ALL) == relative


@pytest.mark.parametrize(
    "raw",
    [
        b"/../etc/x.conf",
        b"/a/../b.css",
        b"/..",
        b"/..%2Fx.css",
        b"/%2e%2e/x.css",
        b"/.%2E/x.css",
        b"/a/%2e%2e%2fx.css",
        b"../x.css",
        b"/../index.php",
    ],
)
def test_paths_with_two_dots_are_refused(raw: bytes) -> None:
    with pytest.raises(Refused):
        inside(raw, ALL)


@pytest.mark.parametrize(
    ("allow", "forbid", "served", "not_served"),
    [
        ([], [".php", ".HTML"], ["a.css"], ["a.html", "a.php"]),
        ([".css", "js", ""], [], ["a.CSS", "a.js"], ["a.png", "a"]),
        ([".css", ".js"], [".js"], ["a.css"], ["a.js"]),
        ([".php"], [], ["a.php"], ["a.css", "a.phtml"]),
        ([".php"], [".php"], [], ["a.php", "a.css"]),
        ([""], [""], ["a.css"], ["a.php"]),
    ],
)
def test_extensions(allow: list[str], forbid: list[str], served: list[str], not_served: list[str]) -> None:
    extensions = Extensions(allow, forbid)
    assert [name for name in (*served, *not_served) if extensions.serves(name.encode())] == served


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder ``public`` with a file, next to files that must not be served."""
    (tmp_path / "public" / "sub").mkdir(parents=True)
    (tmp_path / "public" / "a.css").write_text("body {}")
    (tmp_path / "public" / "index.php").write_text("<?php")
    (tmp_path / "public" / "sub" / "b.css").write_text("b")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "storage" / "deep").mkdir(parents=True)
    (tmp_path / "storage" / "deep" / "c.png").write_text("c")
    (tmp_path / "storage" / ".hidden.txt").write_text("h")
    return tmp_path


def found(site: Path, path: str, *, follow: bool = False) -> str | None:
    file = PublicFolder(str(site / "public"), ALL, follow=follow).find(path.encode())
    return None if file is None else os.pread(file.fileno(), 100, 0).decode()


def test_files_are_found_and_folders_are_not(site: Path) -> None:
    (site / "public" / "folder.css").mkdir()
    assert found(site, "/a.css") == "body {}"
    assert found(site, "/sub/b.css") == "b"
    assert found(site, "/missing.css") is None
    assert found(site, "/folder.css") is None
    assert found(site, "/a.css/b.css") is None
    assert found(site, f"/{'x' * 300}.css") is None


def test_a_pipe_is_not_read(site: Path) -> None:
    os.mkfifo(site / "public" / "pipe.txt")
    assert found(site, "/pipe.txt") is None
    with pytest.raises(IsADirectoryError):
        open_file(os.fsencode(site / "public" / "sub"))


def test_links_inside_the_folder_are_followed_and_the_target_decides(site: Path) -> None:
    public = site / "public"
    (public / "link.css").symlink_to("sub/b.css")
    (public / "linked").symlink_to("sub")
    (public / "source.txt").symlink_to("index.php")
    assert found(site, "/link.css") == "b"
    assert found(site, "/linked/b.css") == "b"
    assert found(site, "/source.txt") is None


def test_a_link_directly_in_the_folder_may_lead_out(site: Path) -> None:
    public = site / "public"
    (public / "storage").symlink_to(site / "storage")
    (public / "icon.txt").symlink_to(site / "secret.txt")
    (site / "storage" / "deep" / "d.txt").symlink_to("../.hidden.txt")
    assert found(site, "/storage/deep/c.png") == "c"
    assert found(site, "/icon.txt") == "secret"
    assert found(site, "/storage/.hidden.txt") is None
    assert found(site, "/storage/deep/d.txt") is None


def test_a_link_in_a_subfolder_may_not_lead_out(site: Path) -> None:
    (site / "public" / "storage").symlink_to(site / "storage")
    (site / "public" / "sub" / "out.txt").symlink_to(site / "secret.txt")
    (site / "public" / "sub" / "away").symlink_to(site)
    (site / "storage" / "deep" / "out.txt").symlink_to(site / "secret.txt")
    for path in ("/sub/out.txt", "/sub/away/secret.txt", "/storage/deep/out.txt"):
        assert found(site, path) is None
        assert found(site, path, follow=True) == "secret"


def test_a_link_to_itself_is_not_a_file(site: Path) -> None:
    (site / "public" / "loop.css").symlink_to("loop.css")
    assert found(site, "/loop.css") is None


def test_a_folder_that_a_deployment_replaces_is_followed(site: Path) -> None:
    for release in ("one", "two"):
        (site / release).mkdir()
        (site / release / "a.css").write_text(release)
    current = site / "current"
    current.symlink_to("one")
    folder = PublicFolder(str(current), ALL)
    first = folder.find(b"/a.css")
    assert first is not None
    current.unlink()
    current.symlink_to("two")
    second = folder.find(b"/a.css")
    assert second is not None
    assert os.pread(second.fileno(), 10, 0) == b"two"


def test_without_proc_the_path_is_resolved(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readlink = os.readlink

    def missing(path: bytes, **options: object) -> bytes:
        if isinstance(path, bytes) and path.startswith(b"/proc/self"):
            raise FileNotFoundError(errno.ENOENT, "no /proc", path)
        return readlink(path)

    (site / "public" / "sub" / "out.txt").symlink_to(site / "secret.txt")
    monkeypatch.setattr(os, "readlink", missing)
    assert found(site, "/a.css") == "body {}"
    assert found(site, "/sub/out.txt") is None


def test_a_file_that_can_not_be_opened_is_an_error(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: bytes) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(public, "open_file", full)
    with pytest.raises(OSError, match="too many"):
        found(site, "/a.css")
