"""The header lines of a response."""

from __future__ import annotations

import pytest

from pyroadrunner.httpd.http1.header_block import HeaderBlock


def test_names_are_written_in_their_canonical_form() -> None:
    block = HeaderBlock([(b"content-type", b"a/b"), (b"X-FOO-bar", b"c"), (b"set-cookie", b"d"), (b"set-cookie", b"e")])
    assert block.lines == b"Content-Type: a/b\r\nX-Foo-Bar: c\r\nSet-Cookie: d\r\nSet-Cookie: e\r\n"
    assert (block.length, block.close) == (None, False)


def test_the_length_and_the_headers_of_the_connection_are_left_out() -> None:
    block = HeaderBlock(
        [
            (b"content-length", b"12"),
            (b"CONNECTION", b"keep-alive, Close"),
            (b"Keep-Alive", b"timeout=5"),
            (b"upgrade", b"h2c"),
            (b"transfer-encoding", b"chunked"),
            (b"proxy-connection", b"keep-alive"),
            (b"a", b"b"),
        ]
    )
    assert block.lines == b"A: b\r\n"
    assert (block.length, block.close) == (12, True)


def test_a_date_is_kept() -> None:
    assert HeaderBlock([(b"date", b"x")]).dated
    assert not HeaderBlock([(b"dated", b"x")]).dated


@pytest.mark.parametrize(
    "pair",
    [
        (b"x", b"a\r\nb: c"),
        (b"x", b"a\nb: c"),
        (b"x", b"a\rb"),
        (b"x", b"a\0"),
        (b"x\r\ny", b"a"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b"", b"a"),
        ("é".encode(), b"a"),
        (b"content-length", b""),
        (b"content-length", b"-1"),
        (b"content-length", b"1_0"),
        (b"content-length", b" 1"),
    ],
)
def test_an_invalid_header_is_refused(pair: tuple[bytes, bytes]) -> None:
    for _ in range(2):
        with pytest.raises(ValueError):
            HeaderBlock([(b"a", b"b"), pair])


def test_two_lengths_must_be_the_same() -> None:
    length = b"content-length"
    assert HeaderBlock([(length, b"3"), (length, b"3")]).length == 3
    with pytest.raises(ValueError):
        HeaderBlock([(length, b"3"), (length, b"4")])
