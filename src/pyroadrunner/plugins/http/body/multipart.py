"""Splits a multipart body into fields and files, incrementally. Pure: ``uploads.py`` stores the files.

python-multipart finds the parts. The rules about them are RoadRunner's (Go's ``multipart.Reader.ReadForm``): parts
without a name are skipped, a part without a file name is a field, only the last component of a file name is used. Data
before the first boundary and after the last one is ignored (RFC 2046, section 5.1.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from sys import maxsize

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pyroadrunner.plugins.http.body.forms import FormLimits
from pyroadrunner.plugins.http.errors import UnreadableRequest

_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]*)"|([^\s;,]+))', re.IGNORECASE)


@dataclass(slots=True)
class Field:
    """A complete field with its undecoded value."""

    name: str
    value: bytearray


@dataclass(slots=True)
class FileBegin:
    """A file starts; its data follows."""

    name: str
    filename: str
    mime: str


@dataclass(slots=True)
class FileData:
    """Some bytes of the current file."""

    data: bytes


@dataclass(slots=True)
class FileEnd:
    """The current file is complete."""


Event = Field | FileBegin | FileData | FileEnd


class Reader:
    """Takes the body in pieces of any size and returns events in order.

    Args:
        content_type: value of the request's header.
        limits: on fields, files and header lines.

    Raises:
        UnreadableRequest: the header has no boundary.

    Attributes:
        kept: bytes of fields and of file headers.
    """

    def __init__(self, content_type: str, limits: FormLimits) -> None:
        found = _BOUNDARY.search(content_type)
        boundary = (found[1] or found[2]) if found else ""
        if not boundary:
            raise UnreadableRequest("no multipart boundary param in Content-Type")
        self._limits = limits
        self._delimiter = b"\r\n--" + boundary.encode()
        self._before = bytearray(b"\r\n")  # the last bytes before the first boundary; a boundary begins a line
        self._begun = False  # whether the first boundary was found
        self._events: list[Event] = []
        self._fields = 0  # including parts without a name
        self._files = 0
        self._head = 0  # bytes of header lines of the current part
        self.kept = 0
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._field: bytearray | None = None
        self._in_file = False
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary.encode(),
                {
                    "on_part_begin": self._on_part_begin,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_end": self._on_end,
                },
                max_header_count=maxsize,  # our own limits count all header lines of a part
                max_header_size=maxsize,
            )
        except FormParserError as wrong:
            raise UnreadableRequest(str(wrong)) from wrong

    def feed(self, data: bytes) -> list[Event]:
        """Parse the next piece of the body; return the events that it completes.

        Raises:
            UnreadableRequest: the body is not valid multipart.
            FormTooLarge: a limit is exceeded.
        """
        if self._ended:
            return []
        if not self._begun:
            data = self._begin(data)
        try:
            self._parser.write(data)
        except FormParserError as wrong:
            raise UnreadableRequest(f"malformed multipart body: {wrong}") from wrong
        events, self._events = self._events, []
        return events

    def finish(self) -> None:
        """Mark the end of the body.

        Raises:
            UnreadableRequest: the last boundary is missing.
        """
        if not self._ended:
            raise UnreadableRequest("unexpected EOF")

    def _begin(self, data: bytes) -> bytes:
        """Skip the data before the first boundary. Return the bytes for the parser: none until the boundary and the two
        bytes after it have arrived. Those two bytes distinguish a boundary from a line that only begins like one."""
        before = self._before
        before += data
        at = before.find(self._delimiter)
        while at >= 0:
            end = at + len(self._delimiter)
            after = bytes(before[end : end + 2])
            if after in (b"\r\n", b"--"):
                self._begun = True
                self._before = bytearray()
                return bytes(before[at + 2 :])
            if len(after) < 2:
                break
            at = before.find(self._delimiter, at + 2)
        del before[: at if at >= 0 else max(0, len(before) - len(self._delimiter))]
        return b""

    def _on_part_begin(self) -> None:
        self._headers = {}
        self._head = 0

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._take_head(end - start)
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._take_head(end - start)
        self._value += data[start:end]

    def _take_head(self, size: int) -> None:
        self._head += size
        if self._head > self._limits.max_name:
            raise self._limits.name_too_long()

    def _on_header_end(self) -> None:
        self._headers.setdefault(bytes(self._header).lower(), bytes(self._value).strip())
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._name = options.get(b"name", b"").decode("utf-8", "replace") if kind == b"form-data" else ""
        self._field = None
        filename = options.get(b"filename", b"").decode("utf-8", "replace")
        if self._name and filename:
            self._files += 1
            if self._files > self._limits.max_files:
                raise self._limits.too_many_files()
            self._keep(self._head)
            self._in_file = True
            mime = self._headers.get(b"content-type", b"").decode("utf-8", "replace")
            self._events.append(FileBegin(self._name, filename.rstrip("/").rpartition("/")[2] or "/", mime))
            return
        self._fields += 1
        if self._fields > self._limits.max_fields:
            raise self._limits.too_many_fields()
        if self._name:
            self._keep(len(self._name))
            self._field = bytearray()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._events.append(FileData(data[start:end]))
        elif self._field is not None:
            self._keep(end - start)
            self._field += data[start:end]

    def _on_part_end(self) -> None:
        if self._in_file:
            self._in_file = False
            self._events.append(FileEnd())
        elif self._field is not None:
            self._events.append(Field(self._name, self._field))
            self._field = None

    def _on_end(self) -> None:
        self._ended = True

    def _keep(self, size: int) -> None:
        self.kept += size
        if self.kept > self._limits.max_size:
            raise self._limits.too_large()
