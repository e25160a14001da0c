"""Health, reflection and gRPC-Web of the real server, for clients that are not ours."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGTERM
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool

from pyroadrunner.grpcd.message import frame
from pyroadrunner.plugins.grpc.web.format import trailers_frame
from pyroadrunner.proto.grpc.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse, HealthListResponse
from pyroadrunner.proto.grpc.v1.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from support.go_tools import require_go_tool
from support.greeter import PROTO, Greeter, greeter_descriptors, message_class
from support.node import require_node

NODE_CLIENT = Path(__file__).parent.parent / "support/grpc_web/client.cjs"
OWN = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
LIMIT = 60.0  # seconds; only a failing test waits so long


@pytest.fixture(scope="module")
def greeter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Greeter]:
    folder = tmp_path_factory.mktemp("greeter")
    with Greeter(folder, web={"enabled": True, "allowed_origin": ["https://a.example"]}) as greeter:
        yield greeter


@pytest.fixture
def channel(greeter: Greeter) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(greeter.target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield channel


# -- health ------------------------------------------------------------------------------------------------------------


def check(channel: grpc.Channel, service: str = "") -> int:
    request = HealthCheckRequest(service=service).SerializeToString()
    answer = channel.unary_unary("/grpc.health.v1.Health/Check")(request, timeout=LIMIT)
    return HealthCheckResponse.FromString(answer).status


def watch(channel: grpc.Channel, service: str = "") -> Any:
    request = HealthCheckRequest(service=service).SerializeToString()
    return channel.unary_stream("/grpc.health.v1.Health/Watch")(request, timeout=LIMIT)


def status_of(answer: bytes) -> str:
    return HealthCheckResponse.ServingStatus.Name(HealthCheckResponse.FromString(answer).status)


def test_the_server_and_each_service_are_healthy(channel: grpc.Channel) -> None:
    assert [check(channel, service) for service in ("", "greeter.v1.Greeter", *OWN)] == [1] * 5
    answer = channel.unary_unary("/grpc.health.v1.Health/List")(b"", timeout=LIMIT)
    statuses = HealthListResponse.FromString(answer).statuses
    assert sorted(statuses) == ["", "greeter.v1.Greeter", *OWN]
    with pytest.raises(grpc.RpcError) as caught:
        check(channel, "greeter.v1.Other")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_watch_of_an_unknown_service_stays_open_until_it_is_cancelled(channel: grpc.Channel) -> None:
    call = watch(channel, "greeter.v1.Other")
    assert status_of(next(call)) == "SERVICE_UNKNOWN"
    assert call.is_active()
    call.cancel()
    with pytest.raises(grpc.RpcError):
        next(call)


def test_open_watches_end_first_and_do_not_hold_a_stop(tmp_path: Path) -> None:
    with Greeter(tmp_path) as greeter, grpc.insecure_channel(greeter.target) as channel:
        calls = [watch(channel), watch(channel, "greeter.v1.Greeter")]
        assert [status_of(next(call)) for call in calls] == ["SERVING", "SERVING"]
        greeter.send(SIGTERM)
        assert [status_of(next(call)) for call in calls] == ["NOT_SERVING", "NOT_SERVING"]
        for call in calls:
            with pytest.raises(grpc.RpcError):
                next(call)
            assert (call.code(), call.details()) == (grpc.StatusCode.CANCELLED, "Stream has ended")
        assert greeter.wait() == 0


# -- reflection --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_a_client_without_the_proto_file_calls_by_reflection(channel: grpc.Channel, version: str) -> None:
    method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    requests = [
        ServerReflectionRequest(list_services=""),
        ServerReflectionRequest(file_containing_symbol="greeter.v1.Greeter"),
    ]
    answers = channel.stream_stream(method)(iter(request.SerializeToString() for request in requests), timeout=LIMIT)
    listed, described = map(ServerReflectionResponse.FromString, answers)
    assert [service.name for service in listed.list_services_response.service] == ["greeter.v1.Greeter", *OWN]
    pool = DescriptorPool()
    for file in reversed(described.file_descriptor_response.file_descriptor_proto):
        pool.AddSerializedFile(file)
    found = pool.FindServiceByName("greeter.v1.Greeter").FindMethodByName("Thrice")
    text = message_class(pool, found.input_type.full_name)(text="hi").SerializeToString()
    assert list(channel.unary_stream("/greeter.v1.Greeter/Thrice")(text, timeout=LIMIT)) == [text] * 3


def test_grpcurl_lists_describes_and_calls(greeter: Greeter) -> None:
    grpcurl = [require_go_tool("grpcurl"), "-plaintext", "-max-time", "60"]

    def run(*arguments: str) -> str:
        done = subprocess.run([*grpcurl, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run(greeter.target, "list").split() == ["greeter.v1.Greeter", *OWN]
    assert ".google.protobuf.Timestamp at = 2;" in run(greeter.target, "describe", "greeter.v1.Text")
    assert "rpc Watch" in run(greeter.target, "describe", "grpc.health.v1.Health")
    message = {"text": "grüezi", "at": "2026-01-02T03:04:05Z"}
    assert json.loads(run("-d", json.dumps(message), greeter.target, "greeter.v1.Greeter/Echo")) == message
    assert run("-d", '{"text": "a"}', greeter.target, "greeter.v1.Greeter/Thrice").count('"a"') == 3


def test_reflection_can_be_switched_off(tmp_path: Path) -> None:
    with Greeter(tmp_path, reflection=False) as greeter, grpc.insecure_channel(greeter.target) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            list(channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")(iter([b""])))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert check(channel) == 1


def test_a_file_without_its_import_serves_but_is_not_described(tmp_path: Path) -> None:
    proto = tmp_path / "greeter.proto"
    proto.write_text(PROTO.read_text().replace("google/protobuf/timestamp.proto", "none/none.proto"))
    with Greeter(tmp_path, proto="greeter.proto") as greeter, grpc.insecure_channel(greeter.target) as channel:
        assert channel.unary_unary("/greeter.v1.Greeter/Echo")(b"", timeout=LIMIT) == b""
        request = ServerReflectionRequest(file_containing_symbol="greeter.v1.Greeter").SerializeToString()
        answers = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")(iter([request]))
        assert ServerReflectionResponse.FromString(next(answers)).error_response.error_code == 5
    assert "the import none/none.proto was not found" in greeter.stderr


# -- start -------------------------------------------------------------------------------------------------------------


def test_a_syntax_error_names_file_line_and_key_and_prevents_the_start(tmp_path: Path) -> None:
    (tmp_path / "a.proto").write_text("service A {\n  rpc M(I) returnz (O);\n}")
    greeter = Greeter(tmp_path, proto=["*.proto", "none.proto"])
    try:
        assert greeter.start().wait() == 1
    finally:
        greeter.kill()
    assert 'grpc.proto[0]: a.proto:2:12: expected "returns", found "returnz"' in greeter.stderr
    assert 'grpc.proto[1]: "none.proto": No such file or directory' in greeter.stderr


def test_a_syntax_error_that_only_the_compiler_finds_prevents_the_start(tmp_path: Path) -> None:
    (tmp_path / "a.proto").write_text('syntax = "proto3";\nmessage A { string a = ; }\nservice S {}')
    greeter = Greeter(tmp_path, proto=["*.proto"])
    try:
        assert greeter.start().wait() == 1
    finally:
        greeter.kill()
    assert "grpc.proto[0]: a.proto:2:24: " in greeter.stderr


# -- gRPC-Web ----------------------------------------------------------------------------------------------------------


def test_a_page_of_an_allowed_site_calls_over_http_1(greeter: Greeter) -> None:
    origin = {"Origin": "https://a.example"}
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-grpc-web"}
    call = {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}
    with closing(HTTPConnection(greeter.target, timeout=LIMIT)) as connection:
        connection.request("OPTIONS", "/greeter.v1.Greeter/Echo", headers={**origin, **ask})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (204, b"")
        assert answer.headers["Access-Control-Allow-Headers"] == "content-type,x-grpc-web"
        connection.request("POST", "/greeter.v1.Greeter/Echo", frame(b"\x0a\x01a"), {**origin, **call})
        answer = connection.getresponse()
        body = answer.read()
    assert body == frame(b"\x0a\x01a") + trailers_frame([(b"grpc-status", b"0"), (b"x-last", b"word")])
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "x-said" in answer.headers["Access-Control-Expose-Headers"]


def test_connect_web_calls_from_node(greeter: Greeter, tmp_path: Path) -> None:
    node, env = require_node()
    descriptors = tmp_path / "greeter.pb"
    descriptors.write_bytes(asyncio.run(greeter_descriptors()).SerializeToString())
    done = subprocess.run(
        [node, str(NODE_CLIENT), f"http://{greeter.target}", str(descriptors)], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "echo": "grüezi",
        "header": "hi",
        "trailer": "word",
        "thrice": ["again"] * 3,
        "fail": [9, "not today, ünd"],
    }


def test_without_its_key_there_is_no_grpc_web(tmp_path: Path) -> None:
    with Greeter(tmp_path) as greeter, closing(HTTPConnection(greeter.target, timeout=LIMIT)) as connection:
        connection.request("POST", "/greeter.v1.Greeter/Echo", frame(b""), {"Content-Type": "application/grpc-web"})
        assert connection.getresponse().status == 415
