"""Which file of a public folder a path means, and that it is one that may be seen.

What decides is where an opened file really lies, not what its path looks like: a link that was changed in between, or
that leads elsewhere, changes nothing. A path that means no file costs no more than a look at its extension, or one
``stat``.
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

# Source code: the worker runs it, nobody reads it.
PHP = frozenset((".php", ".php3", ".php4", ".php5", ".php7", ".php8", ".phtml", ".phar"))
_NOT_THERE = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.EINVAL),
)
_WELL_KNOWN = b".well-known"  # RFC 8615: the one dotted folder that is there to be seen


class Refused(Exception):
    """A path that climbs."""


class Extensions:
    """Which files are served, by their last extension. Pure.

    Args:
        allow: when not empty, only these; also what is named here of PHP's.
        forbid: never these.
    """

    def __init__(self, allow: Iterable[str], forbid: Iterable[str]) -> None:
        allowed = _dotted(allow)
        self._allowed = allowed - _dotted(forbid)
        self._only = bool(allowed)
        self._forbidden = _dotted(forbid) | (PHP - allowed)

    def serves(self, name: bytes) -> bool:
        """Whether a file of this name is served; a name without an extension is none."""
        dot = name.rfind(b".")
        if dot < 0 or dot == len(name) - 1:
            return False
        extension = name[dot:].lower().decode("latin-1")
        return extension in self._allowed if self._only else extension not in self._forbidden


def _dotted(extensions: Iterable[str]) -> frozenset[str]:
    return frozenset(f".{item.lower().lstrip('.')}" for item in extensions if item.strip("."))


def inside(raw: bytes, extensions: Extensions) -> bytes | None:
    """The path below the folder that a request's path means; ``None`` if it can be no file that is served. Pure.

    Args:
        raw: as it was sent, with its escapes.

    Raises:
        Refused: it climbs (``..``), in whatever disguise.
    """
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    elif b"." not in raw:
        return None  # most requests
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
    """A folder whose files anybody may see.

    A symbolic link may lead anywhere inside of it. Out of it leads only one that stands directly in the folder (as
    ``public/storage`` of Laravel does: whoever can write there can do worse), unless ``follow`` says otherwise: deeper
    down may lie what a visitor brought.

    Args:
        path: of the folder; may lead through links that change while it is served (``current/public``).
        follow: whether links anywhere in it may lead out.
    """

    def __init__(self, path: str, extensions: Extensions, *, follow: bool = False) -> None:
        self._path = os.fsencode(os.path.abspath(path)).rstrip(b"/")
        self._extensions = extensions
        self._follow = follow
        self._real = self._resolved()

    def __repr__(self) -> str:
        return f"PublicFolder({os.fsdecode(self._path)})"

    def find(self, raw: bytes) -> OpenFile | None:
        """The file a request's path means, opened; ``None`` = there is none to be seen.

        Raises:
            Refused: the path climbs.
            OSError: there is one, and the machine can't open it.
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
            log.debug("a link leads out of the public folder; it is not followed", path=os.fsdecode(path))
            return None
        return file

    def _resolved(self) -> bytes:
        return os.path.realpath(self._path or b"/").rstrip(b"/")

    def _is_seen(self, real: bytes, relative: bytes) -> bool:
        if real == b"%s/%s" % (self._real, relative):
            return True  # no link on the way
        below = _below(real, self._real)
        if below is None:
            self._real = self._resolved()  # a deployment has moved it
            below = _below(real, self._real)
        if below is None:
            below = self._below_link(real, relative)
        if below is None:
            return self._follow and self._extensions.serves(os.path.basename(real))
        return not _hidden(below.split(b"/")) and self._extensions.serves(os.path.basename(real))

    def _below_link(self, real: bytes, relative: bytes) -> bytes | None:
        """The path below what a link directly in the folder leads to; of a link to a file, its name."""
        first = relative.partition(b"/")[0]
        link = os.path.join(self._path, first)
        if not os.path.islink(link):
            return None
        target = os.path.realpath(link)
        return os.path.basename(real) if real == target else _below(real, target)


def _below(real: bytes, folder: bytes) -> bytes | None:
    return real[len(folder) + 1 :] if real.startswith(folder + b"/") else None


def open_file(path: bytes) -> OpenFile:
    """Open a regular file without waiting for anybody: a pipe or a device is looked at and left alone.

    Raises:
        IsADirectoryError: it is something else.
        OSError: it can't be opened.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    found = os.fstat(fd)
    file = OpenFile(os.fsdecode(path), fd, found, index=False, encoded=())  # it closes the descriptor
    if not stat.S_ISREG(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is no regular file", file.path)
    return file


def really(file: OpenFile, path: bytes) -> bytes:
    """Where an open file lies, without links."""
    try:
        if sys.platform == "darwin":
            return fcntl.fcntl(file.fileno(), fcntl.F_GETPATH, b"\0" * 1024).rstrip(b"\0")
        return os.readlink(b"/proc/self/fd/%d" % file.fileno())
    except OSError:  # no /proc
        return os.path.realpath(path)
