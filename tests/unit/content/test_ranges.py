"""``Range`` in all its forms (RFC 9110, section 14.1.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.content.ranges import Range, multipart, read_ranges


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ("bytes=0-3", [(0, 4)]),
        ("bytes=0-0", [(0, 1)]),
        ("bytes=5-", [(5, 5)]),
        ("bytes=9-", [(9, 1)]),
        ("bytes=-3", [(7, 3)]),
        ("bytes=-30", [(0, 10)]),
        ("bytes=5-500", [(5, 5)]),
        ("bytes=0-1, 3-4 ,-1", [(0, 2), (3, 2), (9, 1)]),
        ("bytes=8-9,0-1", [(8, 2), (0, 2)]),
        ("bytes=0-1,90-", [(0, 2)]),  # only one of them exists
        ("Bytes = 0-1,", [(0, 2)]),
        ("bytes=10-", []),
        ("bytes=-0", []),
        ("bytes=999999999999999999-", []),
    ],
)
def test_parts_are_parsed(header: str, parts: list[tuple[int, int]]) -> None:
    assert read_ranges(header.encode(), 10) == parts


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=3-1",
            "bytes=1-2-3",
            "bytes=--1",
            "items=0-1",
        ),
        *("bytes=0x1-2", "bytes=0-1,x", "bytes=1234567890123456789-", "bytes=\u0661-".encode().decode("latin-1")),
        "bytes=0-9,0-9",  # more than the whole body
        "bytes=" + ",".join(["0-0"] * 33),
    ],
)
def test_a_malformed_or_excessive_range_gives_the_whole_body(header: str) -> None:
    assert read_ranges(header.encode("latin-1"), 10) is None


def test_an_empty_body_has_no_parts() -> None:
    assert read_ranges(b"bytes=0-", 0) == []
    assert read_ranges(b"bytes=-5", 0) == []


@given(st.text("bytes=0123456789-, ", max_size=30), st.integers(0, 30))
def test_every_part_is_within_the_body(header: str, size: int) -> None:
    for part in read_ranges(f"bytes={header}".encode(), size) or []:
        assert 0 <= part.start < part.start + part.length <= size


def test_a_part_has_a_content_range() -> None:
    assert Range(2, 4).header(10) == b"bytes 2-5/10"


def test_boundaries_separate_the_parts_of_a_response() -> None:
    heads, end = multipart([Range(0, 1), Range(4, 2)], 10, b"text/plain", b"BOUND")
    assert b"a".join(heads) + b"ef" + end == (
        b"--BOUND\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/10\r\n\r\na"
        b"\r\n--BOUND\r\nContent-Type: text/plain\r\nContent-Range: bytes 4-5/10\r\n\r\nef"
        b"\r\n--BOUND--\r\n"
    )
