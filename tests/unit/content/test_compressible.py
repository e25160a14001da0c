"""Which responses are encoded, and their headers."""

from __future__ import annotations

import pytest

from pyroadrunner.content.compressible import Rules, encoded, varied

HTML = (b"content-type", b"text/html; charset=utf-8")
LONG = (b"content-length", b"1024")


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ([HTML, LONG], 1024),
        ([HTML], -1),
        ([LONG], 1024),
        ([HTML, (b"content-length", b"1023")], None),
        ([(b"content-length", b"0")], None),
        ([HTML, LONG, (b"content-encoding", b"identity")], None),
        ([HTML, LONG, (b"content-range", b"bytes 0-1023/4096")], None),
        ([HTML, LONG, (b"no-gzip-compression", b"0")], None),
        ([HTML, LONG, (b"cache-control", b"public, No-Transform")], None),
        ([HTML, LONG, (b"content-digest", b"sha-256=:x:")], None),
        ([HTML, LONG, (b"cache-control", b"no-cache")], 1024),
    ],
)
def test_the_headers_decide(headers: list[tuple[bytes, bytes]], length: int | None) -> None:
    assert Rules(1024).length(200, headers) == length


@pytest.mark.parametrize(
    ("status", "length"), [(200, 1024), (404, 1024), (500, 1024), (204, None), (206, None), (304, None)]
)
def test_a_response_without_a_body_or_with_a_part_is_not_encoded(status: int, length: int | None) -> None:
    assert Rules(1024).length(status, [HTML, LONG]) == length


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "video/mp4",
            "audio/ogg",
            "image/jpeg",
            "image/jp2",
            "application/zip",
            "application/x-gzip",
            "application/zstd",
        ),
        *("application/x-snappy-framed", "application/x-xz", "application/x-lzma", "application/x-brotli"),
        *(
            "image/png",
            "image/gif",
            "image/webp",
            "font/woff2",
            "application/grpc+proto",
            "VIDEO/mp4",
            " image/JPEG ;q=1",
        ),
    ],
)
def test_compressed_types_are_not_encoded(kind: str) -> None:
    assert Rules(0).length(200, [(b"content-type", kind.encode())]) is None


@pytest.mark.parametrize(
    "kind", ["text/event-stream", "application/json", "image/svg+xml", "application/pdf", "text/plain; name=a.zip"]
)
def test_other_types_are_encoded(kind: str) -> None:
    assert Rules(0).length(200, [(b"content-type", kind.encode())]) == -1


def test_the_config_adds_excluded_types() -> None:
    rules = Rules(0, ["Application/PDF"])
    assert rules.length(200, [(b"content-type", b"application/pdf")]) is None
    assert rules.length(200, [(b"content-type", b"video/mp4")]) is None


@pytest.mark.parametrize(
    ("given", "vary"),
    [
        ([], [b"Accept-Encoding"]),
        ([b"Origin"], [b"Origin", b"Accept-Encoding"]),
        ([b"Origin, accept-ENCODING"], [b"Origin, accept-ENCODING"]),
        ([b"*"], [b"*"]),
        ([b"X-Accept-Encoding"], [b"X-Accept-Encoding", b"Accept-Encoding"]),
    ],
)
def test_every_response_has_accept_encoding_in_vary_once(given: list[bytes], vary: list[bytes]) -> None:
    headers = [(b"vary", value) for value in given]
    assert [value for name, value in varied(headers) if name == b"vary"] == vary
    assert [value for name, value in encoded(headers, "gzip", 1) if name == b"vary"] == vary
    assert headers == [(b"vary", value) for value in given]  # the input list is not changed


def test_the_opt_out_header_is_not_sent_to_the_client() -> None:
    assert varied([HTML, (b"no-gzip-compression", b"1")]) == [HTML, (b"vary", b"Accept-Encoding")]


@pytest.mark.parametrize(("etag", "weak"), [(b'"a"', b'W/"a"'), (b'W/"a"', b'W/"a"'), (b"bare", b"bare")])
def test_encoded_responses_have_changed_headers(etag: bytes, weak: bytes) -> None:
    headers = [HTML, LONG, (b"accept-ranges", b"bytes"), (b"etag", etag)]
    common = [HTML, (b"etag", weak), (b"vary", b"Accept-Encoding"), (b"content-encoding", b"br")]
    assert encoded(headers, "br", None) == common
    assert encoded(headers, "br", 300) == [*common, (b"content-length", b"300")]
