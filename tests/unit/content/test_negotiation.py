"""``Accept-Encoding`` and the chosen coding."""

from __future__ import annotations

import pytest

from pyroadrunner.content.negotiation import choose, header

ALL = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),  # a browser
        ("deflate, gzip, br", "br"),
        ("x-gzip", "gzip"),
        ("GZIP ; Q=1.0", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0.8, gzip;q=0.8, zstd;q=0.799", "br"),
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("zstd;q=0, br", "br"),
        ("gzip;q=0.001", "gzip"),
        ("*", "gzip"),
        ("*;q=0", None),
        ("*, gzip;q=0", None),
        ("br;q=0.2, *;q=0.9", "gzip"),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0.5, gzip;q=0.4", None),
        ("identity;q=0", None),
        ("identity;q=0, gzip", "gzip"),
        ("", None),
        ("deflate, compress", None),
        ("gzipped", None),
        (",,gzip,", "gzip"),
        ("gzip;q=2", None),
        ("gzip;q=high, br", "br"),
        ("gzip;level=1", None),
        ("gzip;q=-1", None),
        ("gzip;q=nan", None),
        ("\xff\xfe, gzip", "gzip"),
    ],
)
def test_the_clients_weights_decide_then_the_servers_order(accepted: str, coding: str | None) -> None:
    assert choose(accepted.encode("latin-1"), ALL) == coding


def test_only_available_codings_are_chosen() -> None:
    assert choose(b"br, zstd", ("gzip",)) is None
    assert choose(b"gzip, br, zstd", ("br", "gzip")) == "br"
    assert choose(b"gzip", ()) is None


def test_the_cost_is_linear_in_the_length() -> None:
    assert choose(b"a;q=0.5," * 50_000 + b"gzip", ALL) == "gzip"


def test_the_lines_of_a_header_are_joined() -> None:
    headers = [(b"a", b"1"), (b"accept-encoding", b"br;q=0.1"), (b"accept-encoding", b"gzip")]
    assert header(headers, b"accept-encoding") == b"br;q=0.1,gzip"
    assert header(headers, b"b") == b""
