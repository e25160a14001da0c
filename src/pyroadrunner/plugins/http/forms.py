"""Names of fields and files, such as ``user[tags][]``, made into trees. Pure.

The rules are RoadRunner's, not PHP's: blanks vanish from names, ``[]`` makes a list only at the end of ``name[]``, a
value where a branch is (or the other way round) is an error. Where RoadRunner loses values (``a[][k]``) elements are
numbered as PHP numbers them; where its answer is random (``a`` beside ``a[]``) the later one wins.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from pyroadrunner.plugins.http.errors import UnreadableRequest

MAX_LEVELS = 127  # deeper names are ignored, as in RoadRunner

_TOKENS = re.compile(r"[^\[\]]+|\[+|\]+")  # in one go: a name may have megabytes, and they come from anybody


def segments(name: str) -> list[str]:
    """Split a name: ``a[b][]`` is ``a``, ``b``, ""; text right after a bracket is a segment of its own. Of a name that
    is deeper than ``MAX_LEVELS`` only so much is split that one sees it."""
    parts = [""]
    opened, fresh = False, False  # after "[": a segment is due; after "]": text starts a new one
    for token in _TOKENS.findall(name.replace(" ", "")):
        if token[0] == "[":
            opened, fresh = True, False
        elif token[0] == "]":
            if opened:
                parts.append("")
            opened, fresh = False, True
        else:
            if opened or fresh:
                parts.append("")
            parts[-1] = token
            opened = fresh = False
        if len(parts) > MAX_LEVELS:
            break
    return parts


class Tree:
    """A tree under construction.

    Args:
        first: whether the first value of a name stays (files), or the last one wins (fields).
    """

    def __init__(self, *, first: bool) -> None:
        self.root: dict[str, Any] = {}
        self._first = first
        self._next: dict[int, int] = {}  # id of a branch: the next free number in it
        self._split: dict[str, list[str]] = {}  # a long list repeats one name

    def __repr__(self) -> str:
        return f"Tree({self.root!r})"

    def add(self, name: str, value: str | dict[str, Any]) -> None:
        """Put a value where its name says.

        Raises:
            UnreadableRequest: a value and a branch want the same place.
        """
        path = self._split.get(name)
        if path is None:
            path = self._split[name] = segments(name)
        if len(path) > MAX_LEVELS:
            return
        listed = len(path) > 1 and not path[-1]
        keys = path[:-1] if listed else path
        branch = self.root
        for depth, key in enumerate(keys[:-1]):
            branch = self._descend(branch, key, depth)
        key = keys[-1]
        if not key and len(keys) > 1:
            key = self._number(branch)
        if listed:
            self._append(branch, key, value)
        else:
            self._set(branch, key, value)

    def _descend(self, branch: dict[str, Any], key: str, depth: int) -> dict[str, Any]:
        if not key and depth:
            key = self._number(branch)
        found = branch.get(key)
        if isinstance(found, Branch):
            return found
        if any(found) if isinstance(found, list) else found:  # an empty value makes room
            raise _conflict(key)
        below = branch[key] = Branch()
        self._count(branch, key)
        return below

    def _set(self, branch: dict[str, Any], key: str, value: str | dict[str, Any]) -> None:
        found = branch.get(key)
        if isinstance(found, Branch):
            if value:
                raise _conflict(key)
            return
        if not self._first or not found:
            branch[key] = value
            self._count(branch, key)

    def _append(self, branch: dict[str, Any], key: str, value: str | dict[str, Any]) -> None:
        found = branch.get(key)
        if isinstance(found, Branch):
            if value:
                raise _conflict(key)
        elif isinstance(found, list):
            found.append(value)
        else:
            branch[key] = [value]
            self._count(branch, key)

    def _number(self, branch: dict[str, Any]) -> str:
        return str(self._next.get(id(branch), 0))

    def _count(self, branch: dict[str, Any], key: str) -> None:
        if key.isdecimal() and len(key) < 19 and (number := int(key)) >= self._next.get(id(branch), 0):
            self._next[id(branch)] = number + 1


class Branch(dict[str, Any]):
    """A dict of the tree's own, told apart from a file's."""


def parse_urlencoded(body: bytes | bytearray) -> dict[str, Any]:
    """The tree of an ``application/x-www-form-urlencoded`` body. Bad escapes stay as they are, ``;`` is text.

    Raises:
        UnreadableRequest: see :meth:`Tree.add`.
    """
    tree = Tree(first=False)
    for pair in body.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            tree.add(_decode(name), _decode(value))
    return tree.root


def _decode(text: bytes | bytearray) -> str:
    if b"+" in text:
        text = text.replace(b"+", b" ")
    if b"%" in text:
        text = unquote_to_bytes(text)
    return text.decode("utf-8", "replace")


def _conflict(key: str) -> UnreadableRequest:
    return UnreadableRequest(f"invalid multiple values to key '{key}' in tree")
