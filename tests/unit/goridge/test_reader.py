"""Bytes to frames: whole, in chunks, with trailing data; and bytes that are not a frame."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyroadrunner.goridge.errors import FramePassedOver, RemoteFrameError
from pyroadrunner.goridge.frame import Frame, encode, encode_payload
from pyroadrunner.goridge.reader import FrameReader
from support.frames import VECTORS, Vector

LIMIT = 1000
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)


def feed_all(reader: FrameReader, pieces: list[bytes]) -> list[Frame]:
    return [frame for piece in pieces for frame in reader.feed(piece)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


# -- the table ---------------------------------------------------------------------------------------------------------


@each_vector
def test_a_whole_frame_is_read(vector: Vector) -> None:
    reader = FrameReader()
    assert reader.feed(vector.wire) == [vector.frame]
    assert reader.buffered == 0


@each_vector
def test_a_frame_that_arrives_byte_by_byte_is_complete_with_its_last_byte(vector: Vector) -> None:
    reader = FrameReader()
    for count, byte in enumerate(bytewise(vector.wire[:-1]), 1):
        assert reader.feed(byte) == []
        assert reader.buffered == count
    assert reader.feed(vector.wire[-1:]) == [vector.frame]
    assert reader.buffered == 0


@each_vector
def test_the_beginning_of_the_next_frame_is_kept_for_later(vector: Vector) -> None:
    reader = FrameReader()
    assert reader.feed(vector.wire + vector.wire[:7]) == [vector.frame]
    assert reader.buffered == 7
    assert reader.feed(vector.wire[7:] + vector.wire) == [vector.frame, vector.frame]
    assert reader.buffered == 0


def test_all_frames_of_the_table_in_one_chunk_are_read_in_order() -> None:
    stream = b"".join(vector.wire for vector in VECTORS)
    assert FrameReader().feed(stream) == [vector.frame for vector in VECTORS]


# -- the edges of the format -------------------------------------------------------------------------------------------


def test_ten_options_are_read() -> None:
    wire = encode(0, b"x", range(10))
    assert FrameReader().feed(wire) == [Frame(0, b"x", tuple(range(10)))]
    assert feed_all(FrameReader(), bytewise(wire)) == [Frame(0, b"x", tuple(range(10)))]


def test_the_reserved_byte_and_unknown_bits_are_accepted() -> None:
    head = bytes((0x13, 0x02)) + (1).to_bytes(4, "little")
    wire = head + zlib.crc32(head).to_bytes(4, "little") + b"\xf0\xff" + b"x"
    assert FrameReader().feed(wire) == [Frame(0x02, b"x", (), 0xF0)]


def with_first_byte(first: int) -> bytes:
    head = bytes((first, 0, 0, 0, 0, 0))
    return head + zlib.crc32(head).to_bytes(4, "little") + bytes(2) + bytes(48)


@pytest.mark.parametrize("first", [0x10, 0x11, 0x12, 0x1E, 0x1F])
def test_an_invalid_header_length_is_refused_even_if_the_checksum_matches(first: int) -> None:
    with pytest.raises(RemoteFrameError, match="not a frame"):
        FrameReader().feed(with_first_byte(first))


@pytest.mark.parametrize("first", [0x03, 0x23, 0xF3])
def test_another_version_is_refused(first: int) -> None:
    with pytest.raises(RemoteFrameError, match="not a frame"):
        FrameReader().feed(with_first_byte(first))


@pytest.mark.parametrize("at", range(10))
def test_one_wrong_bit_in_the_checked_part_of_the_header_is_detected(at: int) -> None:
    wire = bytearray(encode_payload(b"{}", b"hello", 8))
    wire[at] ^= 0x01
    with pytest.raises(RemoteFrameError):
        FrameReader(LIMIT).feed(bytes(wire) + bytes(64))


# -- not a frame -------------------------------------------------------------------------------------------------------


def test_text_is_detected_at_its_first_byte() -> None:
    with pytest.raises(RemoteFrameError) as error:
        FrameReader().feed(b"G")
    assert error.value.garbage == b"G"


def test_phps_message_about_a_missing_script_is_detected_as_text() -> None:
    with pytest.raises(RemoteFrameError) as error:
        FrameReader().feed(b"Could not open input file: /x.php\n")
    assert error.value.garbage == b"Could not open input file: /x.php\n"


def test_a_coloured_message_is_detected_by_the_checksum() -> None:
    """ESC, 0x1b, could begin a frame with eight options."""
    reader = FrameReader()
    assert reader.feed(b"\x1b[31mFatal") == []
    with pytest.raises(RemoteFrameError, match="checksum") as error:
        reader.feed(b" error\x1b[0m")
    assert error.value.garbage == b"\x1b[31mFatal error\x1b[0m"


def test_the_reply_before_stray_text_is_not_lost() -> None:
    reader = FrameReader()
    wire = encode_payload(b"{}", b"hello", 8)
    with pytest.raises(RemoteFrameError) as error:
        reader.feed(wire + b"dump of a variable")
    assert reader.completed == [Frame(8, b"{}hello", (2,))]
    assert error.value.garbage == b"dump of a variable"


def test_a_reply_completed_by_the_chunk_with_stray_text_is_not_lost() -> None:
    reader = FrameReader()
    wire = encode_payload(b"{}", b"hello", 8)
    assert reader.feed(wire[:-2]) == []
    with pytest.raises(RemoteFrameError) as error:
        reader.feed(wire[-2:] + b"dump")
    assert reader.completed == [Frame(8, b"{}hello", (2,))]
    assert error.value.garbage == b"dump"


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_a_payload_of_exactly_the_limit_is_read() -> None:
    assert len(FrameReader(LIMIT).feed(encode(0, bytes(LIMIT)))) == 1


def test_a_header_that_announces_more_than_the_limit_fails_immediately() -> None:
    reader = FrameReader(LIMIT)
    with pytest.raises(RemoteFrameError, match="frame of 1001 bytes exceeds the limit of 1000") as error:
        reader.feed(encode(0, bytes(LIMIT + 1))[:12])
    assert error.value.garbage == b"", "it is no text to show"


def test_four_gigabytes_are_refused_before_the_options_arrive() -> None:
    head = bytes.fromhex("1408ffffffff")
    reader = FrameReader(LIMIT)
    with pytest.raises(RemoteFrameError, match="frame of 4294967295 bytes"):
        reader.feed(head + zlib.crc32(head).to_bytes(4, "little") + bytes(2))


def test_a_frame_that_is_too_large_is_skipped_and_the_next_one_read_at_any_split() -> None:
    first, last = encode(1, bytes(LIMIT)), encode(2, b"next")
    large = encode(8, b"name" + bytes(2 * LIMIT), (7, 4))
    wire = first + large + last + large + last
    for size in (1, 2, 3, 7, 30, 64, 500, len(large), len(wire)):
        reader = FrameReader(LIMIT, beginning=64)
        frames: list[Frame] = []
        passed: list[FramePassedOver] = []
        for at in range(0, len(wire), size):
            data = wire[at : at + size]
            while data:
                try:
                    frames += reader.feed(data)
                    data = b""
                except FramePassedOver as over:
                    frames += reader.completed
                    passed.append(over)
                    data = over.rest
            assert reader.buffered <= LIMIT + 12, "nothing of it is kept but its beginning"
        assert frames == [Frame(1, bytes(LIMIT)), Frame(2, b"next"), Frame(2, b"next")]
        assert [(one.length, one.limit, one.flags, one.options) for one in passed] == [(2004, LIMIT, 8, (7, 4))] * 2
        assert {one.beginning for one in passed} == {b"name" + bytes(60)}
        assert reader.buffered == 0


def test_a_frame_that_is_too_large_but_shorter_than_the_kept_beginning_is_skipped() -> None:
    reader = FrameReader(10, beginning=64)
    with pytest.raises(FramePassedOver) as over:
        reader.feed(encode(0, bytes(11)) + encode(0, b"next"))
    assert (over.value.beginning, reader.feed(over.value.rest)) == (bytes(11), [Frame(0, b"next")])


def test_the_limit_can_be_raised_between_two_frames() -> None:
    reader = FrameReader(10)
    reader.feed(encode(0, bytes(10)))
    reader.max_payload = LIMIT
    assert len(reader.feed(encode(0, bytes(LIMIT)))) == 1


def test_a_large_payload_in_many_chunks_is_read_with_the_next_frame() -> None:
    payload = bytes(range(256)) * 4000
    wire = encode(0, payload, (3,)) + encode(0, b"next") + encode(0, payload)[:100]
    reader = FrameReader()
    assert feed_all(reader, [wire[i : i + 4096] for i in range(0, len(wire), 4096)]) == [
        Frame(0, payload, (3,)),
        Frame(0, b"next"),
    ]
    assert reader.buffered == 100


def test_the_reader_shows_what_it_waits_for() -> None:
    reader = FrameReader()
    reader.feed(encode(0, bytes(50))[:20])
    assert repr(reader) == "FrameReader(buffered=20 B, missing=42 B)"


# -- any mix, in any chunks --------------------------------------------------------------------------------------------


@dataclass
class Decoded:
    """The content of a stream: its frames, then the bytes of an unfinished one, or the start of text, or whether the
    next frame is larger than the limit."""

    frames: list[Frame] = field(default_factory=list)
    text_at: int | None = None
    too_large: bool = False
    unfinished: int = 0


def decode_slowly(stream: bytes, limit: int) -> Decoded:
    """An independent decoder for a complete stream, written directly from the description of the format."""
    found = Decoded()
    at = 0
    while at < len(stream):
        rest = stream[at:]
        version, words = divmod(rest[0], 16)
        if version != 1 or not 3 <= words <= 13:
            found.text_at = at
            return found
        if len(rest) >= 12:
            length = int.from_bytes(rest[2:6], "little")
            if int.from_bytes(rest[6:10], "little") != zlib.crc32(rest[0:6]):
                found.text_at = at
                return found
            if length > limit:
                found.too_large = True
                return found
        if len(rest) < 12 or len(rest) < 4 * words + length:
            found.unfinished = len(rest)
            return found
        options = tuple(int.from_bytes(rest[i : i + 4], "little") for i in range(12, 4 * words, 4))
        found.frames.append(Frame(rest[1], rest[4 * words : 4 * words + length], options, rest[10]))
        at += 4 * words + length
    return found


def decode_in_pieces(stream: bytes, cuts: list[int], limit: int) -> Decoded:
    found = Decoded()
    reader = FrameReader(limit)
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    for start, stop in pairwise(edges):
        try:
            found.frames += reader.feed(stream[start:stop])
        except RemoteFrameError as error:
            found.frames += reader.completed
            found.too_large = not error.garbage
            found.text_at = stop - len(error.garbage) if error.garbage else None
            return found
    found.unfinished = reader.buffered
    return found


some_frames = st.builds(
    encode,
    st.integers(0, 255),
    st.one_of(st.binary(max_size=40), st.just(bytes(200)), st.just(bytes(300))),
    st.lists(st.integers(0, 0xFFFF_FFFF), max_size=10),
    st.integers(0, 255),
)
cut_frames = st.builds(lambda wire, size: wire[:size], some_frames, st.integers(0, 60))
text = st.one_of(
    st.binary(max_size=30), st.sampled_from([b"Warning: ", b"\x1b[31m", b"\x13", b"\x14\x08", b"\x1e", b""])
)


@given(
    st.lists(st.one_of(some_frames, some_frames, some_frames, cut_frames, text), max_size=8),
    st.lists(st.integers(0), max_size=12),
)
@example([encode(0, bytes(300))], [12])
def test_any_mix_of_frames_and_text_in_any_chunks_is_read_like_by_the_slow_decoder(
    parts: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(parts)
    assert decode_in_pieces(stream, cuts, 250) == decode_slowly(stream, 250)


@given(st.lists(st.one_of(some_frames, cut_frames, text), max_size=4))
def test_any_mix_of_frames_and_text_reads_the_same_byte_by_byte(parts: list[bytes]) -> None:
    stream = b"".join(parts)
    assert decode_in_pieces(stream, list(range(len(stream))), 250) == decode_slowly(stream, 250)


@given(
    st.integers(0, 255), st.binary(max_size=60), st.lists(st.integers(0, 0xFFFF_FFFF), max_size=10), st.integers(0, 255)
)
def test_decoding_reverses_encoding(flags: int, payload: bytes, options: list[int], stream: int) -> None:
    assert FrameReader().feed(encode(flags, payload, options, stream)) == [
        Frame(flags, payload, tuple(options), stream)
    ]


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 255))
def test_the_option_separates_context_and_body(context: bytes, body: bytes, flags: int) -> None:
    (frame,) = FrameReader().feed(encode_payload(context, body, flags))
    (size,) = frame.options
    assert (frame.payload[:size], frame.payload[size:]) == (context, body)
