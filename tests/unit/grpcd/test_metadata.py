"""Metadata on the wire."""

from __future__ import annotations

import pytest

from pyroadrunner.grpcd.metadata import decode_bin, encode_bin, encode_message, encode_pair, is_legal_name


@pytest.mark.parametrize(
    ("name", "value", "pair"),
    [
        ("X-A", "1", (b"x-a", b"1")),
        ("x-a", "", (b"x-a", b"")),
        ("x-a", "  in the middle  ", (b"x-a", b"in the middle")),
        ("x_a.b", "~", (b"x_a.b", b"~")),
        ("x-bin", "", (b"x-bin", b"")),
        ("x-bin", "a\nb", (b"x-bin", b"YQpi")),
        ("x-bin", "é", (b"x-bin", b"w6k")),
    ],
)
def test_a_legal_pair_goes_onto_the_wire(name: str, value: str, pair: tuple[bytes, bytes]) -> None:
    assert encode_pair(name, value) == pair


def test_bytes_that_are_no_text_come_in_base64() -> None:
    assert encode_pair("X-A-Bin:base64", "_w==") is None
    assert encode_pair("X-A-Bin:base64", "/w==") == encode_pair("x-a-bin:base64", "/w") == (b"x-a-bin", b"/w")
    assert encode_pair("x-a:base64", "/w") is None
    assert encode_pair("grpc-a-bin:base64", "/w") is None


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\0", "\t", "é", "\x7f", "x" * 70_000])
def test_an_illegal_value_does_not(value: str) -> None:
    assert encode_pair("x-a", value) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "ä",
        "a:b",
        ":path",
        "connection",
        "Connection",
        "te",
        "content-type",
        "content-length",
        "host",
        "grpc-status",
        "grpc-message",
        "grpc-anything",
        "transfer-encoding",
        "upgrade",
        "a\nb",
    ],
)
def test_an_illegal_or_reserved_name_does_not(name: str) -> None:
    assert encode_pair(name, "1") is None


def test_names_are_lower_case() -> None:
    assert is_legal_name(b"x-a")
    assert not is_legal_name(b"X-A")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"", [b""]),
        (b"YQ", [b"a"]),
        (b"YQ==", [b"a"]),
        (b"/w8", [b"\xff\x0f"]),
        (b"YQ,YWI=", [b"a", b"ab"]),
        (b"YQ , YWI", [b"a", b"ab"]),
    ],
)
def test_base64_is_read_with_and_without_padding(text: bytes, values: list[bytes]) -> None:
    assert decode_bin(text) == values


@pytest.mark.parametrize("text", [b"*", b"Y", b"_w8", b"Y Q"])
def test_other_text_is_no_base64(text: bytes) -> None:
    with pytest.raises(ValueError, match="is no base64"):
        decode_bin(text)


def test_base64_is_written_without_padding() -> None:
    assert encode_bin(b"a") == b"YQ"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("", b""), ("a b/c?d", b"a b/c?d"), ("100 %", b"100 %25"), ("é\n", b"%C3%A9%0A"), ("\udcff", b"?")],
)
def test_a_message_is_percent_encoded(text: str, encoded: bytes) -> None:
    assert encode_message(text) == encoded
