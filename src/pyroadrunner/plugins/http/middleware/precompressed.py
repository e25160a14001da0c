"""Copies of a file that were encoded when the site was built, and lie beside it: ``app.css.br`` for ``app.css``.

They are as small as it gets and cost nothing when they are sent. One counts when it is not older than its file and
lies where the file lies: a link to elsewhere is not followed.
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
    """A file to be sent, and the coding it is in; empty = it is as it is."""

    file: OpenFile
    coding: str


def varies(content_type: bytes) -> bool:
    """Whether there may be copies of a file of this type: of what is packed already there are none."""
    return not _RULES.packed(content_type)


def best_file(file: OpenFile, accepted: bytes) -> PrecompressedFile:
    """What a client gets that accepts these codings: the copy it likes best of those that are there, or the file.

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
