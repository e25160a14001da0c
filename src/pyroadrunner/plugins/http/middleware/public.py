"""Maps a path to a file of a public folder and checks that the file may be served.

The real location of the opened file decides, not its path. So a link that changes at the same time, or that leads out
of the folder, can't expose a file. A path without a file costs no more than a check of its extension, or one ``stat``.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from pyroadrunner.content.open_files import OpenFile
from pyroadrunner.log import Log

log = Log("http")

# Source code: workers run it, clients must not read it.
PHP = frozenset((".php", ".php3", ".php4", ".php5", ".php7", ".php8", ".phtml", ".phar"))
_NOT_THERE = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.EINVAL),
)
_WELL_KNOWN = b".well-known"  # RFC 8615: the only dotted folder that is public


class Refused(Exception):
    """A path with ``..``."""


class Extensions:
    """Which files are served, by their last extension. Pure.

    Args:
        allow: if not empty, only these; PHP extensions are served only if listed here.
        forbid: never these.
    """

    def __init__(self, allow: Iterable[str], forbid: Iterable[str]) -> None:
        allowed = _dotted(allow)
        self._allowed = allowed - _dotted(forbid)
        self._only = bool(allowed)
        self._forbidden = _dotted(forbid) | (PHP - allowed)

    def serves(self, name: bytes) -> bool:
        """Whether a file with this name is served; never without an extension."""
        dot = name.rfind(b".")
        if dot < 0 or dot == len(name) - 1:
            return False
        extension = name[dot:].lower().decode("latin-1")
        return extension in self._allowed if self._only else extension not in self._forbidden


def _dotted(extensions: Iterable[str]) -> frozenset[str]:
    return frozenset(f".{item.lower().lstrip('.')}" for item in extensions if item.strip("."))


def inside(raw: bytes, extensions: Extensions) -> bytes | None:
    """The path below the folder for a request's path; ``None`` if no served file can have this path. Pure.

    Args:
        raw: the path as sent, with its escapes.

    Raises:
        Refused: the path contains ``..``, possibly escaped.
    """
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    elif b"." not in raw:
        return None  # the case for most requests
    if b"/." in raw or b"//" in raw or not raw.startswith(b"/"):
        parts = [part for part in raw.split(b"/") if part not in (b"", b".")]
        if b".." in parts:
            raise Refused
        if _hidden(parts) or raw.endswith(b"/"):
            return None
        raw = b"/" + b"/".join(parts)
    name = raw[raw.rfind(b"/") + 1 :]
    return raw[1:] if extensions.serves(name) and b"\0" not in raw else None


def _hidden(parts: list[bytes]) -> bool:
    return any(part.startswith(b".") and (at or part != _WELL_KNOWN) for at, part in enumerate(parts))


class PublicFolder:
    """A folder with public files.

    A symbolic link may lead anywhere inside the folder. Only a link directly in the folder may lead out of it, such as
    Laravel's ``public/storage``: a user who can write there can do worse anyway. Subfolders may hold uploads of
    visitors, so links in them must stay inside, unless ``follow`` is set.

    Args:
        path: of the folder; may contain links that change while it is served (``current/public``).
        follow: whether links anywhere in the folder may lead out of it.
    """

    def __init__(self, path: str, extensions: Extensions, *, follow: bool = False) -> None:
        self._path = os.fsencode(os.path.abspath(path)).rstrip(b"/")
        self._extensions = extensions
        self._follow = follow
        self._real = self._resolved()

    def __repr__(self) -> str:
        return f"PublicFolder({os.fsdecode(self._path)})"

    def find(self, raw: bytes) -> OpenFile | None:
        """Open the file for a request's path; ``None`` = no such public file.

        Raises:
            Refused: the path contains ``..``.
            OSError: the file exists, but can't be opened.
        """
        relative = inside(raw, self._extensions)
        if relative is None:
            return None
        path = b"%s/%s" % (self._path, relative)
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                return None
            file = open_file(path)
        except OSError as wrong:
            if wrong.errno in _NOT_THERE:
                return None
            raise
        if not self._is_seen(really(file, path), relative):
            log.debug("not following a link out of the public folder", path=os.fsdecode(path))
            return None
        return file

    def _resolved(self) -> bytes:
        return os.path.realpath(self._path or b"/").rstrip(b"/")

    def _is_seen(self, real: bytes, relative: bytes) -> bool:
        if real == b"%s/%s" % (self._real, relative):
            return True  # the path has no links
        below = _below(real, self._real)
        if below is None:
            self._real = self._resolved()  # a deployment has changed the link
            below = _below(real, self._real)
        if below is None:
            below = self._below_link(real, relative)
        if below is None:
            return self._follow and self._extensions.serves(os.path.basename(real))
        return not _hidden(below.split(b"/")) and self._extensions.serves(os.path.basename(real))

    def _below_link(self, real: bytes, relative: bytes) -> bytes | None:
        """The path below the target of a link directly in the folder; for a link to a file, its name."""
        first = relative.partition(b"/")[0]
        link = os.path.join(self._path, first)
        if not os.path.islink(link):
            return None
        target = os.path.realpath(link)
        return os.path.basename(real) if real == target else _below(real, target)


def _below(real: bytes, folder: bytes) -> bytes | None:
    return real[len(folder) + 1 :] if real.startswith(folder + b"/") else None


def open_file(path: bytes) -> OpenFile:
    """Open a regular file without blocking. Pipes and devices are not read.

    Raises:
        IsADirectoryError: not a regular file.
        OSError: the file can't be opened.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    found = os.fstat(fd)
    file = OpenFile(os.fsdecode(path), fd, found, index=False, encoded=())  # closes the descriptor
    if not stat.S_ISREG(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "not a regular file", file.path)
    return file


def really(file: OpenFile, path: bytes) -> bytes:
    """The path of an open file, without links."""
    try:
        if sys.platform == "darwin":
            return fcntl.fcntl(file.fileno(), fcntl.F_GETPATH, b"\0" * 1024).rstrip(b"\0")
        return os.readlink(b"/proc/self/fd/%d" % file.fileno())
    except OSError:  # no /proc
        return os.path.realpath(path)
