"""The chunked transfer coding of request bodies."""

from __future__ import annotations

import pytest

from pyroadrunner.httpd.http1.chunked import ChunkedDecoder
from pyroadrunner.httpd.http1.refusals import Refusal

VALID = {
    b"0\r\n\r\n": b"",
    b"3\r\nabc\r\n0\r\n\r\n": b"abc",
    b"1\r\na\r\n2\r\nbc\r\n000\r\n\r\n": b"abc",
    b"A\r\n0123456789\r\n0\r\n\r\n": b"0123456789",
    b'3;x\r\nabc\r\n0 ;y="z"\r\n\r\n': b"abc",
    b"3\r\na\r\n\r\n0\r\n\r\n": b"a\r\n",
    b"3\r\nabc\r\n0\r\nX: y\r\nZ:\r\n\r\n": b"abc",
}
INVALID = [
    b"\r\n",
    b"x",
    b"-1\r\n",
    b"+1\r\n",
    b"0x1\r\n",
    b"1_0\r\n",
    b" 1\r\n",
    b"1 \r\na\r\n0\r\n\r\nx",
    b"1\na",
    b"1;\x01\r\n",
    b"1;a\rb\r\n",
    b"1234567890123456\r\n",
    b"3\r\nabcd",
    b"3\r\nabc\n",
    b"3\r\nabc0\r\n",
    b"0\r\n\n",
    b"0\r\nX\r\n",
    b"0\r\n: x\r\n",
    b"0\r\nX : y\r\n",
    b"0\r\n X: y\r\n",
    b"0\r\nX: y\0\r\n",
    b"0\r\nContent-Length: 3\r\n",
    b"0\r\nTRANSFER-ENCODING: chunked\r\n",
    b"0\r\nHost: b\r\n",
]


def decode(pieces: list[bytes]) -> tuple[bytes, bytes, bool]:
    decoder = ChunkedDecoder()
    body = rest = b""
    for piece in pieces:
        part, after = decoder.feed(piece)
        body, rest = body + part, rest + after
        if decoder.done:
            break
    return body, rest, decoder.done


@pytest.mark.parametrize("coded", VALID)
def test_a_body_is_decoded_whole_byte_by_byte_and_with_data_behind_it(coded: bytes) -> None:
    assert decode([coded]) == (VALID[coded], b"", True)
    assert decode([coded[at : at + 1] for at in range(len(coded))]) == (VALID[coded], b"", True)
    assert decode([coded + b"GET /"]) == (VALID[coded], b"GET /", True)
    assert not decode([coded[:-1]])[2]


@pytest.mark.parametrize("coded", INVALID)
def test_a_malformed_body_is_refused_whole_and_byte_by_byte(coded: bytes) -> None:
    for pieces in ([coded], [coded[at : at + 1] for at in range(len(coded))]):
        with pytest.raises(Refusal) as refusal:
            decode([*pieces, b"\r\n\r\n"])
        assert refusal.value.status == 400


def test_many_tiny_chunks_are_decoded() -> None:
    assert decode([b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"]) == (b"a" * 50_000, b"", True)


@pytest.mark.parametrize(
    ("coded", "status"),
    [
        (b"1;" + b"x" * 5000, 400),
        (b"1;xxxxxxxxx\r\na\r\n" * 7000, 400),
        (b"0\r\n" + b"X: yyyyyy\r\n" * 8000, 431),
        (b"0\r\nX: " + b"y" * 5000, 400),
    ],
)
def test_what_is_not_body_is_bounded(coded: bytes, status: int) -> None:
    with pytest.raises(Refusal) as refusal:
        decode([coded])
    assert refusal.value.status == status


def test_its_state_shows() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(b"5\r\nab")
    assert repr(decoder) == "ChunkedDecoder(done=False, left=3)"
