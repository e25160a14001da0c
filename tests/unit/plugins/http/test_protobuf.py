"""The request context in protobuf, decoded with the generated message."""

from __future__ import annotations

from pyroadrunner.plugins.http.protobuf import encode_protobuf
from pyroadrunner.plugins.http.request import Context
from pyroadrunner.proto.http.v1.http_pb2 import Request


def context() -> Context:
    return Context(
        "192.0.2.1", "HTTP/1.1", "POST", "http://ex/é", {"X": ["1", "é"]}, {"c": "v"}, "q=1", attributes={"a": "b"}
    )


def test_every_field_arrives() -> None:
    message = Request.FromString(encode_protobuf(context()))
    assert (message.remote_addr, message.protocol, message.method, message.uri, message.raw_query, message.parsed) == (
        "192.0.2.1",
        "HTTP/1.1",
        "POST",
        "http://ex/é",
        "q=1",
        False,
    )
    assert list(message.header["X"].value) == [b"1", "é".encode()]
    assert list(message.cookies["c"].value) == [b"v"]
    assert list(message.attributes["a"].value) == [b"b"]


def test_uploads_are_json_and_absent_without_a_multipart_body() -> None:
    told = context()
    assert Request.FromString(encode_protobuf(told)).uploads == b""
    told.parsed, told.uploads = True, {"f": {"name": "x"}}
    message = Request.FromString(encode_protobuf(told))
    assert message.parsed
    assert message.uploads == b'{"f":{"name":"x"}}'


def test_the_bytes_are_those_of_the_documented_field_numbers() -> None:
    assert encode_protobuf(Context("a", "b", "c", "d", {"H": ["v"]}, {}, "q", parsed=True)) == (
        b"\x0a\x01a\x12\x01b\x1a\x01c\x22\x01d\x2a\x08\x0a\x01H\x12\x03\x0a\x01v\x3a\x01q\x40\x01"
    )
