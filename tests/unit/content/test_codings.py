"""Every coding, checked with an independent decoder."""

from __future__ import annotations

import builtins
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from backports import zstd

from pyroadrunner.content.codings import NAMES, available

TEXT = b"".join(b'{"id": %d, "name": "number %d"}\n' % (n, n * 7) for n in range(3000))
DECODED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: zlib.decompress(data, 31),
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}


def decoder(name: str) -> Callable[[bytes], bytes]:
    """Decode as much as possible of the data so far."""
    if name == "gzip":
        return zlib.decompressobj(31).decompress
    if name == "br":
        return _pulled(brotli.Decompressor())
    return zstd.ZstdDecompressor().decompress


def _pulled(decompressor: Any) -> Callable[[bytes], bytes]:
    """A decoder that returns its output in pieces, one per call."""

    def decode(data: bytes) -> bytes:
        pieces = [decompressor.process(data)]
        while pieces[-1]:
            pieces.append(decompressor.process(b""))
        return b"".join(pieces)

    return decode


@pytest.mark.parametrize("level", ["fast", "balanced", "small"])
@pytest.mark.parametrize("name", NAMES)
def test_a_body_is_compressed_and_decoded_again(name: str, level: Any) -> None:
    coding = available([name], level)[name]
    for body in (b"", b"x", TEXT):
        assert DECODED[name](coding.whole(body)) == body
    assert len(coding.whole(TEXT)) < len(TEXT) / 3


@pytest.mark.parametrize("level", ["fast", "balanced", "small"])
@pytest.mark.parametrize("name", NAMES)
def test_each_chunk_of_a_stream_can_be_decoded_immediately(name: str, level: Any) -> None:
    encoder = available([name], level)[name].stream()
    decode = decoder(name)
    sent = b""
    for chunk in (b"data: 1\n\n", TEXT, b"data: 2\n\n", b"x"):
        piece = encoder.chunk(chunk)
        sent += piece
        assert decode(piece) == chunk
    sent += encoder.end(b"last")
    assert DECODED[name](sent) == b"data: 1\n\n" + TEXT + b"data: 2\n\nxlast"


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_stream_is_complete(name: str) -> None:
    assert DECODED[name](available([name], "fast")[name].stream().end(b"")) == b""


def test_the_level_small_gives_fewer_bytes() -> None:
    for name in NAMES:
        assert len(available([name], "small")[name].whole(TEXT)) < len(available([name], "fast")[name].whole(TEXT))


def test_without_the_libraries_only_gzip_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name in ("isal", "brotli", "backports", "compression"):
            raise ModuleNotFoundError(name)
        return really(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    found = available(NAMES, "balanced")
    assert list(found) == ["gzip"]
    assert zlib.decompress(found["gzip"].whole(TEXT), 31) == TEXT
    assert zlib.decompressobj(31).decompress(found["gzip"].stream().chunk(TEXT)) == TEXT


def test_the_order_is_that_of_the_config() -> None:
    assert list(available(["gzip", "zstd"], "fast")) == ["gzip", "zstd"]
