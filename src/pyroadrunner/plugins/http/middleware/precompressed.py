"""Compressed copies of a file, made when the site was built and stored next to it: ``app.css.br`` for ``app.css``.

Sending a copy needs no CPU time for compression. A copy is used only if it is not older than its file and lies in the
same folder: a link to another folder is not followed.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from pyroadrunner.content.compressible import Rules
from pyroadrunner.content.negotiation import choose
from pyroadrunner.content.open_files import SUFFIXES, OpenFile
from pyroadrunner.plugins.http.middleware.public import open_file, really

_RULES = Rules(0)


class PrecompressedFile(NamedTuple):
    """A file to send and its encoding; empty = not encoded."""

    file: OpenFile
    coding: str


def varies(content_type: bytes) -> bool:
    """Whether a file of this type may have copies; already compressed types have none."""
    return not _RULES.packed(content_type)


def best_file(file: OpenFile, accepted: bytes) -> PrecompressedFile:
    """The best existing copy for the accepted encodings, or the file itself.

    Args:
        accepted: the value of ``Accept-Encoding``.
    """
    offered = tuple(SUFFIXES)
    while (coding := choose(accepted, offered)) is not None:
        copy = _variant(file, SUFFIXES[coding])
        if copy is not None:
            return PrecompressedFile(copy, coding)
        offered = tuple(other for other in offered if other != coding)
    return PrecompressedFile(file, "")


def _variant(file: OpenFile, suffix: str) -> OpenFile | None:
    path = os.fsencode(file.path + suffix)
    try:
        copy = open_file(path)
    except OSError:
        return None
    is_newer = copy.identity[-1] >= file.identity[-1]
    return copy if is_newer and really(copy, path) == really(file, os.fsencode(file.path)) + suffix.encode() else None
