from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.plugins.grpc.web.format import TextDecoder, WebType, encode_text, trailers_frame, web_type


@pytest.mark.parametrize(
    ("content_type", "expected", "grpc", "own"),
    [
        (b"application/grpc-web", WebType(False, b""), b"application/grpc", b"application/grpc-web"),
        (
            b"application/grpc-web+proto",
            WebType(False, b"+proto"),
            b"application/grpc+proto",
            b"application/grpc-web+proto",
        ),
        (b"Application/gRPC-Web-Text", WebType(True, b""), b"application/grpc", b"application/grpc-web-text"),
        (
            b"application/grpc-web-text+proto; charset=x",
            WebType(True, b"+proto"),
            b"application/grpc+proto",
            b"application/grpc-web-text+proto",
        ),
    ],
)
def test_types(content_type: bytes, expected: WebType, grpc: bytes, own: bytes) -> None:
    found = web_type(content_type)
    assert found == expected
    assert (found.grpc, found.own) == (grpc, own)


@pytest.mark.parametrize("content_type", [b"", b"application/grpc", b"application/grpc-webx", b"application/json"])
def test_other_types_are_not_ours(content_type: bytes) -> None:
    assert web_type(content_type) is None


def test_trailers_are_one_frame() -> None:
    assert trailers_frame([(b"grpc-status", b"0"), (b"x-a", b"1")]) == b"\x80\0\0\0\x18grpc-status: 0\r\nx-a: 1\r\n"
    assert trailers_frame([]) == b"\x80\0\0\0\0"


@settings(deadline=None)
@given(st.lists(st.binary(max_size=9), max_size=6), st.integers(1, 7))
def test_text_is_decoded_however_it_is_split(parts: list[bytes], size: int) -> None:
    text = b"".join(encode_text(part) for part in parts)
    decoder = TextDecoder()
    decoded = b"".join(decoder.feed(text[at : at + size]) for at in range(0, len(text), size))
    decoder.check_end()
    assert decoded == b"".join(parts)


@settings(deadline=None)
@given(st.text("AZaz09+/= \n-_", max_size=20).map(str.encode), st.integers(1, 20))
def test_text_is_decoded_or_refused(text: bytes, size: int) -> None:
    decoder = TextDecoder()
    try:
        for at in range(0, len(text), size):
            decoder.feed(text[at : at + size])
        decoder.check_end()
    except ValueError:
        pass


@pytest.mark.parametrize("text", [b"A", b"AAA", b"A===", b"====", b"AA=A", b"AA==A", b"!AAA", b"AAAA\n"])
def test_text_that_is_no_base64_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        decode(text)


def decode(text: bytes) -> bytes:
    decoder = TextDecoder()
    decoded = decoder.feed(text)
    decoder.check_end()
    return decoded


def test_a_long_body_of_many_padded_parts_is_decoded() -> None:
    text = base64.b64encode(b"x") * 100_000
    assert decode(text) == b"x" * 100_000
