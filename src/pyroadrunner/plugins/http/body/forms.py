"""Turns names of fields and files, such as ``user[tags][]``, into trees. Pure.

The rules are RoadRunner's, not PHP's: spaces are removed from names, ``[]`` makes a list only at the end of ``name[]``,
and it is an error if a name is used both for a value and for a branch. There are two exceptions. Where RoadRunner loses
values (``a[][k]``), elements are numbered as in PHP. Where its result is random (``a`` and ``a[]``), the later one
wins.

Forms come from untrusted clients, so parsing must not cost much more than the size of the form. The number of fields,
the number of branches and the segments of a name are limited. A long value is decoded in blocks: splitting it at its
escapes would take dozens of times its size, and decoding it in one call would block the event loop.
"""

from __future__ import annotations

import codecs
import re
from binascii import a2b_qp
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from sys import maxsize
from typing import Any

import msgspec

from pyroadrunner.plugins.http.config import FormsConfig
from pyroadrunner.plugins.http.errors import FormTooDeep, FormTooLarge, UnreadableRequest

_BLOCK = 1 << 16  # bytes decoded in one call
_LONG = 256  # bytes; a longer value is stored as JSON, so that encoding the tree only copies it

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_TOKENS = re.compile(r"[^\[\]]+|\[+|\]+")  # one pass: an untrusted name may have megabytes


Value = str | dict[str, Any] | msgspec.Raw


@dataclass(frozen=True, slots=True)
class FormLimits:
    """The limits of ``http.forms``. A disabled limit is ``sys.maxsize``.

    Attributes:
        max_fields: maximum number of fields, and of branches.
        max_depth: maximum number of segments in a name.
        max_name: maximum bytes of a name, or of the header lines of a part.
        max_size: maximum bytes of a form without its files.
        max_files: maximum number of files.
    """

    max_fields: int
    max_depth: int
    max_name: int
    max_size: int
    max_files: int

    @classmethod
    def of(cls, config: FormsConfig) -> FormLimits:
        return cls(
            max_fields=config.max_fields or maxsize,
            max_depth=config.max_depth,
            max_name=(config.max_name_size << 10) or maxsize,
            max_size=(config.max_size << 20) or maxsize,
            max_files=config.max_files or maxsize,
        )

    def too_many_fields(self) -> FormTooLarge:
        return FormTooLarge(f"more than {self.max_fields} fields", "max_fields")

    def name_too_long(self) -> FormTooLarge:
        return FormTooLarge(f"a name of more than {self.max_name >> 10} KB", "max_name_size")

    def too_large(self) -> FormTooLarge:
        return FormTooLarge(f"more than {self.max_size >> 20} MB of fields", "max_size")

    def too_many_files(self) -> FormTooLarge:
        return FormTooLarge(f"more than {self.max_files} files", "max_files")


def segments(name: str, limit: int) -> list[str]:
    """Split a name: ``a[b][]`` is ``a``, ``b``, ""; text right after a bracket is a segment of its own. Splitting stops
    after ``limit`` + 1 segments."""
    parts = [""]
    opened, fresh = False, False  # after "[" a segment follows; after "]" text starts a new one
    name = name.replace(" ", "")
    if "[" not in name and "]" not in name:
        return [name]
    # A list of all tokens is faster, but for a long name it takes many times the size of the name.
    tokens = _TOKENS.findall(name) if len(name) < _LONG else map(itemgetter(0), _TOKENS.finditer(name))
    for token in tokens:
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
        if len(parts) > limit:
            break
    return parts


class Tree:
    """A tree under construction.

    Args:
        limits: on branches and on the segments of a name; the caller limits the number of values.
        first: whether the first value of a name wins (files) or the last one (fields).
    """

    def __init__(self, limits: FormLimits, *, first: bool) -> None:
        self.root: dict[str, Any] = {}
        self._limits = limits
        self._first = first
        self._branches = 0
        self._next: dict[int, int] = {}  # id of a branch -> its next free number
        self._name = ""  # the last name and its segments: a long list repeats one name
        self._path = [""]

    def __repr__(self) -> str:
        return f"Tree({self.root!r})"

    def add(self, name: str, value: Value) -> None:
        """Add a value at the place given by its name.

        Raises:
            UnreadableRequest: the name is used for a value and for a branch.
            FormTooDeep, FormTooLarge: the name has too many segments, or the tree too many branches.
        """
        if name != self._name:
            path = segments(name, self._limits.max_depth)
            if len(path) > self._limits.max_depth:
                raise FormTooDeep(self._limits.max_depth)
            self._name, self._path = name, path
        path = self._path
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
        if any(found) if isinstance(found, list) else found:  # a branch may replace an empty value
            raise _conflict(key)
        self._branches += 1
        if self._branches > self._limits.max_fields:
            raise self._limits.too_many_fields()
        below = branch[key] = Branch()
        self._count(branch, key)
        return below

    def _set(self, branch: dict[str, Any], key: str, value: Value) -> None:
        found = branch.get(key)
        if isinstance(found, Branch):
            if value:
                raise _conflict(key)
            return
        if not self._first or not found:
            branch[key] = value
            self._count(branch, key)

    def _append(self, branch: dict[str, Any], key: str, value: Value) -> None:
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
    """A branch of the tree; a class of its own to distinguish it from the info of a file."""

    __slots__ = ()


def parse_urlencoded(body: bytes | bytearray, limits: FormLimits) -> dict[str, Any]:
    """The tree of an ``application/x-www-form-urlencoded`` body. Invalid escapes are left unchanged, ``;`` is text.

    Raises:
        UnreadableRequest, FormTooDeep, FormTooLarge: see :meth:`Tree.add`; also if there are too many fields or a name
            is too long.
    """
    if body.count(b"&") > limits.max_fields:
        raise limits.too_many_fields()
    tree = Tree(limits, first=False)
    for count, (start, end) in enumerate(_fields(body), 1):
        if count > limits.max_fields:
            raise limits.too_many_fields()
        equals = body.find(b"=", start, end)
        stop = equals if equals >= 0 else end
        if stop - start > limits.max_name:
            raise limits.name_too_long()
        name = _decode(body[start:stop]).decode("utf-8", "replace")
        if end - stop > _LONG:
            tree.add(name, json_text(body, stop + 1, end, escaped=True))
        else:
            tree.add(name, _decode(body[stop + 1 : end]).decode("utf-8", "replace"))
    return tree.root


def tree_value(data: bytearray) -> Value:
    """The value of a multipart field, as text."""
    return json_text(data, 0, len(data)) if len(data) > _LONG else data.decode("utf-8", "replace")


def json_text(data: bytes | bytearray, start: int, end: int, *, escaped: bool = False) -> msgspec.Raw:
    """A slice of a body as a JSON string.

    Args:
        escaped: whether the slice is percent-encoded.
    """
    text = bytearray(b'"')
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    while start < end:
        stop = min(start + _BLOCK, end)
        if escaped and stop < end and (cut := data.rfind(b"%", stop - 2, stop)) >= 0:
            stop = cut  # keep the escape whole: it goes into the next block
        block = data[start:stop]
        if escaped:
            block = _decode(block)
        text += msgspec.json.encode(decode(block, stop == end))[1:-1]
        start = stop
    text += b'"'
    return msgspec.Raw(text)


def _fields(body: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Start and end of each field, skipping empty ones."""
    start, size = 0, len(body)
    while start < size:
        end = body.find(b"&", start)
        if end < 0:
            end = size
        if end > start:
            yield start, end
        start = end + 1


def _decode(text: bytes | bytearray) -> bytes | bytearray:
    """Decode percent-encoded text.

    Quoted-printable (RFC 2045, section 6.7) has the same escapes with another escape character, and its C decoder does
    not create an object for each of them, as ``urllib`` does. Its other features, soft line breaks and literal
    characters, never apply: every escape character in its input begins an escape.
    """
    if b"+" in text:
        text = text.replace(b"+", b" ")
    if b"%" in text:
        text = _BAD_ESCAPE.sub(b"%25", text)
        text = a2b_qp(text.replace(b"=", b"=3D").replace(b"%", b"="))
    return text


def _conflict(key: str) -> UnreadableRequest:
    return UnreadableRequest(f"invalid multiple values to key '{key}' in tree")
