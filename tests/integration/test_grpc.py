"""gRPC for clients: the real ``rr serve`` with PHP workers, called by grpcio."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from pyroadrunner.grpcd.status import write_status
from support.grpc_site import Client, GrpcSite, metadata_of, wait_until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrpcSite]:
    with GrpcSite(tmp_path_factory.mktemp("grpc"), workers=2, max_concurrent_streams=100) as site:
        yield site


@pytest.fixture
def client(site: GrpcSite) -> Iterator[Client]:
    with site.client() as client:
        yield client


def reply(context: object, body: str = "") -> bytes:
    text = context if isinstance(context, str) else json.dumps(context)
    return json.dumps({"context": text, "body": body}).encode()


def blob(code: int, message: str, *details: bytes) -> str:
    return base64.b64encode(write_status(code, message, details)).decode()


ANY = b"\x0a\x05a/b.c\x12\x02\xff\x00"  # google.protobuf.Any


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [b"", b"\0", b"hello", b"x" * 200_000])
def test_a_message_reaches_the_worker_and_its_response_the_client(client: Client, message: bytes) -> None:
    response, call = client.call("Echo", message)
    assert response == message
    assert call.initial_metadata() == ()
    assert call.trailing_metadata() == ()


def test_the_worker_sees_service_method_and_metadata(site: GrpcSite, client: Client) -> None:
    sent = [("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"text"), ("x-b-bin", b"\xff\x00"), ("traceparent", "00-1-2-01")]
    context = json.loads(client.ask("Context", b"", sent))
    assert (context["service"], context["method"]) == ("test.Worker", "Context")
    found = context["context"]
    assert list(context) == ["service", "method", "context"]
    address = found.pop(":peer.address")
    assert address[0].startswith("127.0.0.1:")
    assert found.pop("user-agent")[0].startswith("grpc-python/")
    assert "gzip" in found.pop("grpc-accept-encoding")[0]
    assert 0 < int(found.pop(":timeout-ms")[0]) <= 61_000
    assert found == {
        ":authority": [site.target],
        "content-type": ["application/grpc"],
        "x-a": ["1", "2"],
        "x-b-bin": ["text", "\ufffd\0"],
        "x-b-bin:base64": [base64.b64encode(b"text").decode(), base64.b64encode(b"\xff\x00").decode()],
        "traceparent": ["00-1-2-01"],
        "Traceparent": ["00-1-2-01"],
    }


def test_gzip_is_understood_and_answered_in_kind(site: GrpcSite) -> None:
    with site.client(compression=grpc.Compression.Gzip) as client:
        assert client.ask("Echo", b"a" * 100_000) == b"a" * 100_000


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/test.Worker/Nothing", "unknown method Nothing for service test.Worker"),
        ("/test.Nothing/Echo", "unknown service test.Nothing"),
    ],
)
def test_an_unknown_method_is_unimplemented(client: Client, path: str, text: str) -> None:
    error = client.fail(path)
    assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, text)


# -- replies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", ["", "{}", "null", '{"error":""}', '{"headers":"","trailers":""}'])
def test_an_empty_context_says_nothing(client: Client, context: str) -> None:
    response, call = client.call("Reply", reply(context, "body"))
    assert (response, call.initial_metadata(), call.trailing_metadata()) == (b"body", (), ())


def test_the_flat_style_is_headers(client: Client) -> None:
    response, call = client.call("Reply", reply({"X-A": "1", "x-b-bin": "é"}, "body"))
    assert response == b"body"
    assert metadata_of(call.initial_metadata()) == {"x-a": ["1"], "x-b-bin": ["é".encode()]}
    assert call.trailing_metadata() == ()


def test_the_split_style_has_headers_and_trailers(client: Client) -> None:
    context = {"headers": json.dumps({"x-a": ["1", "2"]}), "trailers": json.dumps({"x-b": "3", "x-n": 4})}
    response, call = client.call("Reply", reply(context, "body"))
    assert response == b"body"
    assert metadata_of(call.initial_metadata()) == {"x-a": ["1", "2"]}
    assert metadata_of(call.trailing_metadata()) == {"x-b": ["3"], "x-n": ["4"]}


def test_metadata_that_is_illegal_or_reserved_never_reaches_the_wire(client: Client) -> None:
    bad = {
        "x-line": "a\nb",
        "a key": "1",
        "connection": "close",
        "grpc-status": "3",
        ":path": "/",
        "te": "x",
        "x-ü": "1",
        "x-good": " 1 ",
        "content-length": "3",
    }
    _, call = client.call("Reply", reply(bad))
    assert metadata_of(call.initial_metadata()) == {"x-good": ["1"]}


@pytest.mark.parametrize("style", [{}, {"headers": '{"x-a":"1"}', "trailers": "{}"}])
def test_a_status_in_the_context_ends_the_call(client: Client, style: dict[str, str]) -> None:
    error = client.fail("Reply", reply({**style, "error": blob(5, "Gibt es nicht: 100 %\n")}, "dropped"))
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "Gibt es nicht: 100 %\n")
    assert metadata_of(error.initial_metadata()) == ({"x-a": ["1"]} if style else {})
    assert error.trailing_metadata() == ()


def test_details_of_a_status_reach_the_client(client: Client) -> None:
    error = client.fail("Reply", reply({"error": blob(3, "bad", ANY, b"")}))
    assert metadata_of(error.trailing_metadata()) == {"grpc-status-details-bin": [write_status(3, "bad", [ANY, b""])]}


def test_a_status_of_zero_is_success(client: Client) -> None:
    assert client.ask("Reply", reply({"error": base64.b64encode(b"\x12\x01x").decode()}, "body")) == b"body"


@pytest.mark.parametrize(
    "context",
    ["[]", "nonsense", '{"a":1}', {"error": "***"}, {"error": "_-8="}, {"error": base64.b64encode(b"\x0a").decode()}],
)
def test_a_context_that_cannot_be_read_is_unknown(client: Client, context: object) -> None:
    error = client.fail("Reply", reply(context))
    assert error.code() == grpc.StatusCode.UNKNOWN
    assert error.details().startswith("the worker's ")


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (b"boom", 13, "sync_worker_receive_frame: SoftJobError: boom"),
        (b"5|:|missing", 5, "missing"),
        (b"0|:|zero", 13, "zero"),
        (b"x|:|no number", 2, "sync_worker_receive_frame: SoftJobError: x|:|no number"),
        (b"99999999999|:|too large", 2, "sync_worker_receive_frame: SoftJobError: 99999999999|:|too large"),
    ],
)
def test_an_error_frame_becomes_a_status(client: Client, text: bytes, code: int, message: str) -> None:
    pid = client.ask("Pid")
    error = client.fail("Error", text)
    assert (error.code().value[0], error.details()) == (code, message)
    assert client.ask("Pid") in {pid, client.ask("Pid")}


def test_an_error_frame_may_carry_details(client: Client) -> None:
    error = client.fail("Error", b"9|:|no|:|" + ANY + b"|:|\xff\xff")
    assert metadata_of(error.trailing_metadata()) == {"grpc-status-details-bin": [write_status(9, "no", [ANY])]}


# -- streamed responses ------------------------------------------------------------------------------------------------


def frames(*frames: list[str], end: object = ("", ""), **more: Any) -> bytes:
    return json.dumps({"frames": frames, "end": end, **more}).encode()


def test_the_frames_of_a_worker_are_the_messages_of_a_stream(client: Client) -> None:
    call = client.stream("Frames", frames(["", "one"], ["", ""], ["", "three"], end=("", "last")))
    assert list(call) == [b"one", b"", b"three", b"last"]
    assert call.code() == grpc.StatusCode.OK


def test_headers_come_with_the_first_frame_and_trailers_with_the_last(client: Client) -> None:
    first = json.dumps({"headers": '{"x-a":"1"}', "trailers": '{"x-b":"2"}'})
    last = json.dumps({"trailers": '{"x-c":"3"}'})
    call = client.stream("Frames", frames([first, "one"], end=(last, "")))
    assert list(call) == [b"one"]
    assert metadata_of(call.initial_metadata()) == {"x-a": ["1"]}
    assert metadata_of(call.trailing_metadata()) == {"x-b": ["2"], "x-c": ["3"]}


@pytest.mark.parametrize("where", ["frame", "end"])
def test_a_status_may_end_a_stream(client: Client, where: str) -> None:
    error = json.dumps({"trailers": "{}", "error": blob(8, "enough")})
    plan = (
        frames(["", "one"], [error, "dropped"], ["", "never"])
        if where == "frame"
        else frames(["", "one"], end=(error, "dropped"))
    )
    call = client.stream("Frames", plan)
    got = []
    with pytest.raises(grpc.RpcError):
        got.extend(call)
    assert (call.code(), call.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")


def test_an_error_frame_ends_a_stream(client: Client) -> None:
    call = client.stream("Frames", frames(["", "one"], error="4|:|too late"))
    assert next(call) == b"one"
    with pytest.raises(grpc.RpcError):
        next(call)
    assert (call.code(), call.details()) == (grpc.StatusCode.DEADLINE_EXCEEDED, "too late")


def test_a_single_reply_of_a_streaming_method_is_its_only_message(client: Client) -> None:
    assert list(client.stream("EchoStream", b"hello")) == [b"hello"]


def test_a_stream_of_a_method_that_declares_none_is_refused_and_the_worker_serves_on(client: Client) -> None:
    for _ in range(4):
        error = client.fail("Undeclared")
        assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, "streaming is not supported")
    assert client.ask("Echo", b"next") == b"next"


def test_a_worker_that_dies_in_a_stream_ends_it(client: Client) -> None:
    call = client.stream("DieInStream")
    assert next(call) == b"one"
    with pytest.raises(grpc.RpcError):
        next(call)
    assert call.code() == grpc.StatusCode.INTERNAL


def test_a_client_that_cancels_a_stream_stops_the_worker(site: GrpcSite, client: Client, tmp_path: Path) -> None:
    told = tmp_path / "told"
    call = client.stream("Count", str(told).encode())
    assert next(call).startswith(b"0.")
    assert next(call).startswith(b"1.")
    call.cancel()
    wait_until(told.exists)
    assert int(told.read_text()) > 0
    assert client.ask("Echo", b"free") == b"free"


def test_a_stream_arrives_in_order(client: Client, tmp_path: Path) -> None:
    told = tmp_path / "told"
    call = client.stream("Count", str(told).encode())
    for number in range(3000):
        assert next(call).startswith(f"{number}.".encode())
    assert not told.exists()
    call.cancel()
    wait_until(told.exists)


def test_a_client_that_does_not_read_stops_the_worker_in_its_write(
    site: GrpcSite, client: Client, tmp_path: Path
) -> None:
    """Messages of 1 KB fill windows and buffers, and no more; other clients are served meanwhile."""
    told = tmp_path / "told"
    call = client.stream("Count", str(told).encode())
    next(call)
    with site.client() as other:
        for _ in range(20):
            other.ask("Sleep", b"50")
    call.cancel()
    wait_until(told.exists)
    assert int(told.read_text()) < 50_000


def test_a_large_message_of_a_stream_is_one_message(client: Client) -> None:
    big = "x" * 300_000
    assert list(client.stream("Frames", frames(["", big], ["", "small"], end=("", big)))) == [
        big.encode(),
        b"small",
        big.encode(),
    ]


# -- several requests --------------------------------------------------------------------------------------------------


def test_a_client_stream_with_one_message_is_served(client: Client) -> None:
    assert client.upload("Upload", iter([b"one"])) == b"one"
    assert list(client.talk("Talk", iter([b"one"]))) == [b"one"]


def test_a_unary_method_takes_exactly_one_message(client: Client) -> None:
    for messages in ([], [b"one", b"two"]):
        with pytest.raises(grpc.RpcError) as caught:
            client.upload("Echo", iter(messages))
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
