"""Multipart bodies in pieces of every size, as tables."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.http import multipart
from pyroadrunner.plugins.http.errors import UnreadableRequest
from pyroadrunner.plugins.http.multipart import Event, Field, FileBegin, FileData, FileEnd, Reader

TYPE = "multipart/form-data; boundary=XbX"


def part(headers: str, body: bytes = b"v") -> bytes:
    return b"--XbX\r\n" + headers.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body + b"\r\n"


def disposition(rest: str) -> str:
    return f"Content-Disposition: form-data; {rest}"


def read(body: bytes, size: int, content_type: str = TYPE) -> list[Event]:
    """Events of a body fed in pieces; the bytes of a file joined into one event."""
    reader = Reader(content_type)
    events: list[Event] = []
    for start in range(0, len(body), size):
        for event in reader.feed(body[start : start + size]):
            if isinstance(event, FileData) and events and isinstance(events[-1], FileData):
                events[-1] = FileData(events[-1].data + event.data)
            else:
                events.append(event)
    reader.finish()
    return events


END = b"--XbX--\r\n"

CASES: dict[str, tuple[bytes, list[Event]]] = {
    "field": (part(disposition('name="a"')), [Field("a", "v")]),
    "empty field": (part(disposition('name="a"'), b""), [Field("a", "")]),
    "bare name": (part(disposition("name=a")), [Field("a", "v")]),
    "two": (
        part(disposition('name="a"')) + part(disposition('name="b[x]"'), b"2"),
        [Field("a", "v"), Field("b[x]", "2")],
    ),
    "file": (
        part(disposition('name="f"; filename="a.txt"') + "\nContent-Type: text/plain", b"hello\r\n--Xb file"),
        [FileBegin("f", "a.txt", "text/plain"), FileData(b"hello\r\n--Xb file"), FileEnd()],
    ),
    "empty file": (part(disposition('name="f"; filename="a"'), b""), [FileBegin("f", "a", ""), FileEnd()]),
    "no file chosen": (part(disposition('name="f"; filename=""') + "\nContent-Type: x/y", b""), [Field("f", "")]),
    "path in file name": (
        part(disposition('name="f"; filename="../x/é.txt"'), b"1"),
        [FileBegin("f", "é.txt", ""), FileData(b"1"), FileEnd()],
    ),
    "slash at the end": (
        part(disposition('name="f"; filename="a/b/"'), b"1"),
        [FileBegin("f", "b", ""), FileData(b"1"), FileEnd()],
    ),
    "quotes in names": (
        part(disposition('name="a;b=\\"c"; filename="x;y.txt"'), b"1"),
        [FileBegin('a;b="c', "x;y.txt", ""), FileData(b"1"), FileEnd()],
    ),
    "no name": (part(disposition('filename="a"')) + part(disposition('name="b"')), [Field("b", "v")]),
    "no disposition": (part("X: y") + part(disposition('name="b"')), [Field("b", "v")]),
    "another disposition": (
        part('Content-Disposition: attachment; name="a"') + part(disposition('name="b"')),
        [Field("b", "v")],
    ),
    "headers in any case": (part('content-DISPOSITION: Form-Data; NAME="a"'), [Field("a", "v")]),
    "not utf-8": (part(disposition('name="a"'), b"\xff"), [Field("a", "\ufffd")]),
    "parts only": (b"", []),
}


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("name", CASES)
def test_a_body_gives_the_same_events_whatever_its_pieces(name: str, size: int) -> None:
    body, events = CASES[name]
    assert read(body + END, size) == events


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=XbX; charset=utf-8", b"XbX"),
        ('multipart/form-data; boundary="X b:X"', b"X b:X"),
        ("multipart/form-data; Boundary=XbX", b"XbX"),
    ],
)
def test_the_boundary_is_found(content_type: str, boundary: bytes) -> None:
    body = b"--" + boundary + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\nv\r\n--' + boundary + b"--\r\n"
    assert read(body, 5, content_type) == [Field("a", "v")]


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", 'x; boundary=""'])
def test_without_a_boundary_nothing_can_be_read(content_type: str) -> None:
    with pytest.raises(UnreadableRequest, match="no multipart boundary param in Content-Type"):
        Reader(content_type)


@pytest.mark.parametrize(
    "body", [b"", b"--XbX\r\n", part(disposition('name="a"')), part(disposition('name="f"; filename="a"')) + b"--XbX"]
)
def test_a_body_that_ends_too_early_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadableRequest, match="unexpected EOF"):
        read(body, 100)


@pytest.mark.parametrize("body", [b"nonsense", b"--other\r\n", b"--XbX\r\nbroken\r\n\r\n" + END])
def test_what_is_no_multipart_body_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadableRequest, match=r"malformed|EOF"):
        read(body, 100)


def test_an_overlong_boundary_is_an_error() -> None:
    with pytest.raises(UnreadableRequest):
        Reader("multipart/form-data; boundary=" + "x" * 1000)


def test_there_may_be_a_thousand_parts_and_no_more() -> None:
    one = part(disposition('name="a"'))
    assert len(read(one * 1000 + END, 1 << 20)) == 1000
    with pytest.raises(UnreadableRequest, match="too large"):
        read(one * 1001 + END, 1 << 20)


def test_header_lines_are_bounded_over_all_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "MAX_HEADERS", 3)
    two = part(disposition('name="a"') + "\nX: y")
    assert read(two + END, 100) == [Field("a", "v")]
    with pytest.raises(UnreadableRequest, match="too large"):
        read(two + two + END, 100)


def test_fields_are_bounded_in_memory_and_files_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "MAX_FIELD_BYTES", 10)
    assert read(part(disposition('name="a"'), b"x" * 9) + END, 3) == [Field("a", "x" * 9)]
    assert len(read(part(disposition('name="f"; filename="f"'), b"x" * 99) + END, 3)) == 3
    with pytest.raises(UnreadableRequest, match="too large"):
        read(part(disposition('name="a"'), b"x" * 10) + END, 3)
