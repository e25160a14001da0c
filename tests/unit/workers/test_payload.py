"""Calls and replies as a worker sends and receives them."""

from __future__ import annotations

from pyroadrunner.goridge.frame import Flag
from pyroadrunner.workers.payload import Chunk, Codec, Payload, Reply


def test_codecs_are_the_bits_of_a_frame() -> None:
    assert {codec.name: codec.value for codec in (Codec.RAW, Codec.JSON, Codec.PROTO)} == {
        flag.name: flag.value for flag in (Flag.RAW, Flag.JSON, Flag.PROTO)
    }


def test_a_payload_is_json_without_a_body_by_default() -> None:
    payload = Payload(b"{}")
    assert (payload.context, payload.body, payload.codec) == (b"{}", b"", Codec.JSON)


def test_a_whole_reply_has_no_stream() -> None:
    reply = Reply(b"{}", b"hello", Codec.PROTO)
    assert (reply.context, reply.body, reply.codec, reply.stream) == (b"{}", b"hello", Codec.PROTO, None)


def test_repr_shows_sizes_and_codec_but_no_content() -> None:
    assert repr(Payload(b"secret", b"password", Codec.JSON)) == "Payload(context=6 B, body=8 B, codec=0x08)"
    assert repr(Chunk(b"secret", b"password", Codec.PROTO)) == "Chunk(context=6 B, body=8 B, codec=0x80)"
