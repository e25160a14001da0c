"""What a worker gets, and what its reply becomes. (grpc-tcp-websocket.md, section 3.2)"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pyroadrunner.grpcd import GrpcStatus, StatusCode
from pyroadrunner.plugins.centrifuge.calls import answer_of, check_request, methods, payload_of
from pyroadrunner.plugins.centrifuge.errors import BadReply
from pyroadrunner.proto.centrifugo.proxy.v1 import proxy_pb2 as pb
from pyroadrunner.workers.payload import Chunk, Codec, Reply

CONNECT = methods()["Connect"]


def test_the_types_are_those_of_roadrunner() -> None:
    assert {name: method.type for name, method in methods().items()} == {
        "Connect": "connect",
        "Refresh": "refresh",
        "Subscribe": "subscribe",
        "Publish": "publish",
        "RPC": "rpc",
        "SubRefresh": "subrefresh",
        "NotifyChannelState": "notifychannelstate",
        "NotifyCacheEmpty": "notifycacheempty",
        "MapPublish": "mappublish",
        "MapRemove": "mapremove",
        "SharedPollRefresh": "sharedpollrefresh",
    }
    assert methods("sub_refresh")["SubRefresh"].type == "sub_refresh"


def test_the_context_has_the_metadata_and_the_type() -> None:
    headers = [
        (b"host", b"127.0.0.1:30000"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        (b"user-agent", b"grpc-go/1.80.0"),
        (b"grpc-accept-encoding", b"gzip"),
        (b"grpc-timeout", b"1S"),
        (b"grpc-encoding", b"gzip"),
        (b"x-user", b"ann"),
        (b"x-user", b"caf\xc3\xa9 \xff"),
        (b"y-bin", b"AQI"),
        (b"type", b"connect"),
        (b"type", b"rpc"),
    ]
    payload = payload_of(methods()["Publish"], headers, b"\x00body")
    assert payload.context.decode() == (
        '{":authority":["127.0.0.1:30000"],"content-type":["application/grpc"],"user-agent":["grpc-go/1.80.0"],'
        '"grpc-accept-encoding":["gzip"],'
        '"x-user":["ann","café \ufffd"],"y-bin":["\\u0001\\u0002"],"type":["publish"]}'
    )
    assert (payload.body, payload.codec) == (b"\x00body", Codec.PROTO)


def test_binary_metadata_that_is_no_base64() -> None:
    with pytest.raises(GrpcStatus, match="y-bin") as refused:
        payload_of(CONNECT, [(b"y-bin", b"*")], b"")
    assert refused.value.code == StatusCode.INTERNAL


def test_a_request_is_checked_but_not_changed() -> None:
    assert check_request(CONNECT, b"")
    assert check_request(CONNECT, pb.ConnectRequest(client="c").SerializeToString() + b"\xa2\x06\x03new")
    assert not check_request(CONNECT, b"\xff\xff")
    assert not check_request(CONNECT, b"\x0a\x02\xc3\x28")  # a text that is no UTF-8


def test_the_bytes_of_a_reply_are_the_answer() -> None:
    body = pb.ConnectResponse(result=pb.ConnectResult(user="u")).SerializeToString() + b"\xa2\x06\x03new"
    assert answer_of(CONNECT, Reply(b'{"ignored":1}', body, 0)) is body
    assert answer_of(CONNECT, Reply(b"", b"", 0)) == b""
    with pytest.raises(BadReply, match="is no ConnectResponse"):
        answer_of(CONNECT, Reply(b"", b"\xff", 0))


def test_a_streamed_reply_is_none() -> None:
    class Stream:
        async def __aiter__(self) -> AsyncIterator[Chunk]:
            return
            yield

        async def abort(self) -> None:
            pass

        def drop(self) -> None:
            pass

    with pytest.raises(BadReply, match="streaming response not supported"):
        answer_of(CONNECT, Reply(b"", b"", 0, Stream()))
