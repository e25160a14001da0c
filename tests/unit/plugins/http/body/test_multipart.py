"""Multipart bodies fed in pieces of every size, as tables."""

from __future__ import annotations

import tracemalloc

import pytest

from pyroadrunner.plugins.http.body.forms import FormLimits
from pyroadrunner.plugins.http.body.multipart import Event, Field, FileBegin, FileData, FileEnd, Reader
from pyroadrunner.plugins.http.config import FormsConfig
from pyroadrunner.plugins.http.errors import FormTooLarge, UnreadableRequest

TYPE = "multipart/form-data; boundary=XbX"
LIMITS = FormLimits.of(FormsConfig())


def part(headers: str, body: bytes = b"v") -> bytes:
    return b"--XbX\r\n" + headers.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body + b"\r\n"


def disposition(rest: str) -> str:
    return f"Content-Disposition: form-data; {rest}"


def text(name: str, value: str) -> Field:
    return Field(name, bytearray(value.encode()))


def read(body: bytes, size: int, content_type: str = TYPE, **keys: int) -> list[Event]:
    """Events of a body fed in pieces; the data of a file is joined into one event.

    Args:
        keys: of ``http.forms``.
    """
    reader = Reader(content_type, FormLimits.of(FormsConfig(**keys)))
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
    "field": (part(disposition('name="a"')), [text("a", "v")]),
    "empty field": (part(disposition('name="a"'), b""), [text("a", "")]),
    "bare name": (part(disposition("name=a")), [text("a", "v")]),
    "two": (
        part(disposition('name="a"')) + part(disposition('name="b[x]"'), b"2"),
        [text("a", "v"), text("b[x]", "2")],
    ),
    "file": (
        part(disposition('name="f"; filename="a.txt"') + "\nContent-Type: text/plain", b"hello\r\n--Xb file"),
        [FileBegin("f", "a.txt", "text/plain"), FileData(b"hello\r\n--Xb file"), FileEnd()],
    ),
    "empty file": (part(disposition('name="f"; filename="a"'), b""), [FileBegin("f", "a", ""), FileEnd()]),
    "no file chosen": (part(disposition('name="f"; filename=""') + "\nContent-Type: x/y", b""), [text("f", "")]),
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
    "no name": (part(disposition('filename="a"')) + part(disposition('name="b"')), [text("b", "v")]),
    "no disposition": (part("X: y") + part(disposition('name="b"')), [text("b", "v")]),
    "another disposition": (
        part('Content-Disposition: attachment; name="a"') + part(disposition('name="b"')),
        [text("b", "v")],
    ),
    "headers in any case": (part('content-DISPOSITION: Form-Data; NAME="a"'), [text("a", "v")]),
    "not utf-8": (part(disposition('name="a"'), b"\xff"), [Field("a", bytearray(b"\xff"))]),
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
    assert read(body, 5, content_type) == [text("a", "v")]


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", 'x; boundary=""'])
def test_a_content_type_without_a_boundary_is_an_error(content_type: str) -> None:
    with pytest.raises(UnreadableRequest, match="no multipart boundary param in Content-Type"):
        Reader(content_type, LIMITS)


@pytest.mark.parametrize(
    "body", [b"", b"--XbX\r\n", part(disposition('name="a"')), part(disposition('name="f"; filename="a"')) + b"--XbX"]
)
def test_a_body_that_ends_too_early_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadableRequest, match="unexpected EOF"):
        read(body, 100)


@pytest.mark.parametrize("body", [b"nonsense", b"--other\r\n", b"--XbX\r\nbroken\r\n\r\n" + END])
def test_a_malformed_multipart_body_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadableRequest, match=r"malformed|EOF"):
        read(body, 100)


def test_an_overlong_boundary_is_an_error() -> None:
    with pytest.raises(UnreadableRequest):
        Reader("multipart/form-data; boundary=" + "x" * 1000, LIMITS)


BEFORE = {
    "none": b"",
    "an empty line": b"\r\n",
    "text": b"This is a message in MIME format.\r\n",
    "a hyphen": b"-\r\n",
    "hyphens": b"----\r\n\r\n--\r\n",
    "the boundary within a line": b"see --XbX\r\n",
    "a line that begins like a boundary": b"--XbXX\r\n--XbX-\r\n\r\n--XbX \r\n--XbX\r\r\n",
    "half a boundary": b"--Xb\r\n\r\n--Xb",
    "line feeds": b"\n\n\n--Xb\r\n",
}
AFTER = {
    "none": b"",
    "text": b"the end\r\n",
    "a part": b"--XbX\r\nContent-Disposition: form-data; name=z\r\n\r\nz\r\n--XbX--",
}


@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_data_before_and_after_the_parts_is_ignored_however_it_arrives(before: bytes, after: bytes) -> None:
    whole = before + (b"\r\n" if before.endswith(b"--Xb") else b"") + part(disposition('name="a"')) + END + after
    for size in (1, 2, 3, len(whole)):
        assert read(whole, size) == [text("a", "v")]
    for at in range(len(whole) + 1):
        reader = Reader(TYPE, LIMITS)
        events = reader.feed(whole[:at]) + reader.feed(whole[at:])
        reader.finish()
        assert events == [text("a", "v")], at


def test_data_before_the_parts_is_not_kept_in_memory() -> None:
    reader = Reader(TYPE, LIMITS)
    tracemalloc.start()
    try:
        for _ in range(100):
            assert reader.feed(b"\r\n--XbX-" * 2000) == []
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 100_000


def test_the_number_of_fields_is_limited() -> None:
    three = part(disposition('name="a"')) * 2 + part("X: y")
    assert len(read(three + END, 1 << 20, max_fields=3)) == 2
    with pytest.raises(FormTooLarge, match=r"more than 2 fields \(http\.forms\.max_fields\)$"):
        read(three, 1 << 20, max_fields=2)
    assert len(read(part(disposition('name="a"')) * 3000 + END, 1 << 20)) == 3000


def test_the_number_of_files_is_limited() -> None:
    two = part(disposition('name="f"; filename="f"')) * 2
    assert len(read(two + END, 1 << 20, max_files=2, max_fields=1)) == 6
    with pytest.raises(FormTooLarge, match=r"more than 1 files \(http\.forms\.max_files\)$"):
        read(two, 1 << 20, max_files=1)


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_the_header_lines_of_a_part_are_limited(size: int) -> None:
    line = "\nX: " + "y" * 100
    assert read(part(disposition('name="a"') + line * 9) * 2 + END, size, max_name_size=1) == [text("a", "v")] * 2
    for lines in (line * 10, "\nX: " + "y" * 1024, "\n" + "y" * 1024 + ": x"):
        with pytest.raises(FormTooLarge, match=r"a name of more than 1 KB \(http\.forms\.max_name_size\)$"):
            read(part(disposition('name="a"') + lines), size, max_name_size=1)


def test_fields_are_limited_in_memory_and_files_are_not() -> None:
    mb = 1 << 20
    [field] = read(part(disposition('name="a"'), b"x" * (mb - 1)) + END, 1 << 16, max_size=1)
    assert isinstance(field, Field)
    assert len(field.value) == mb - 1
    assert len(read(part(disposition('name="f"; filename="f"'), b"x" * 2 * mb) + END, 1 << 16, max_size=1)) == 3
    with pytest.raises(FormTooLarge, match=r"more than 1 MB of fields \(http\.forms\.max_size\)$"):
        read(part(disposition('name="a"'), b"x" * mb), 1 << 16, max_size=1)


def test_a_field_of_line_breaks_takes_no_more_than_its_size() -> None:
    reader = Reader(TYPE, LIMITS)
    reader.feed(part(disposition('name="a"'))[:-3])
    piece = b"\r\n" * 8192
    tracemalloc.start()
    try:
        for _ in range(32):
            reader.feed(piece)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken < 2 * 32 * len(piece)
