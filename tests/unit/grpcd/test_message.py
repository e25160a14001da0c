"""Length-prefixed messages."""

from __future__ import annotations

import gzip

import pytest

from pyroadrunner.grpcd.message import MessageReader, decompress, frame
from pyroadrunner.grpcd.status import GrpcStatus, StatusCode

LIMIT = 1000


def read(data: bytes, encoding: bytes = b"identity", limit: int = LIMIT, step: int = 1 << 20) -> list[bytes]:
    reader = MessageReader(limit)
    found = []
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
        while (message := reader.next()) is not None:
            found.append(decompress(*message, encoding, limit))
    reader.check_end()
    return found


@pytest.mark.parametrize("step", [1, 3, 1 << 20])
@pytest.mark.parametrize("messages", [[], [b""], [b"a"], [b"a", b"", b"x" * 1000]])
def test_messages_are_read_whole_and_in_pieces(messages: list[bytes], step: int) -> None:
    assert read(b"".join(frame(one) for one in messages), step=step) == messages


@pytest.mark.parametrize("message", [b"", b"a", b"a" * 1000])
def test_a_compressed_message_is_decompressed(message: bytes) -> None:
    assert read(frame(message, compress=True), b"gzip") == [message]


def test_gzip_may_have_several_members() -> None:
    data = gzip.compress(b"one") + gzip.compress(b"two")
    assert read(b"\x01" + len(data).to_bytes(4, "big") + data, b"gzip") == [b"onetwo"]


@pytest.mark.parametrize(
    ("data", "encoding", "code"),
    [
        (frame(b"x" * 1001), b"identity", StatusCode.RESOURCE_EXHAUSTED),
        (b"\0\xff\xff\xff\xff", b"identity", StatusCode.RESOURCE_EXHAUSTED),  # refused by its length alone
        (frame(b"x" * 100_000, compress=True), b"gzip", StatusCode.RESOURCE_EXHAUSTED),
        (frame(b"x", compress=True), b"identity", StatusCode.INTERNAL),
        (frame(b"x", compress=True)[:-1] + b"?", b"gzip", StatusCode.INTERNAL),
        (b"\x01\0\0\0\x03abc", b"gzip", StatusCode.INTERNAL),
        (b"\x02\0\0\0\x03abc", b"gzip", StatusCode.INTERNAL),
        (frame(b"abc")[:-1], b"identity", StatusCode.INTERNAL),
        (b"\0\0", b"identity", StatusCode.INTERNAL),
    ],
)
def test_what_can_not_be_read_has_a_status(data: bytes, encoding: bytes, code: StatusCode) -> None:
    with pytest.raises(GrpcStatus) as caught:
        read(data, encoding)
    assert caught.value.code == code


def test_a_truncated_gzip_stream_is_refused() -> None:
    data = gzip.compress(b"x" * 100)[:-5]
    with pytest.raises(GrpcStatus, match="unexpected EOF"):
        read(b"\x01" + len(data).to_bytes(4, "big") + data, b"gzip")


def test_a_bomb_is_not_decompressed_beyond_the_limit() -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    data = b"\x01" + len(bomb).to_bytes(4, "big") + bomb
    with pytest.raises(GrpcStatus, match="after decompression larger than max"):
        read(data, b"gzip", limit=1 << 20)
