"""The libraries for gRPC workers in PHP and Python, against a client of grpcio."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import yaml

from support.packages import EXAMPLES
from support.php import require_php
from support.server import Server, free_port

PATIENCE = 60.0
PROTO = """syntax = "proto3";
package test;
service Test {
  rpc Echo (M) returns (M);
  rpc Metadata (M) returns (M);
  rpc Fail (M) returns (M);
  rpc Throw (M) returns (M);
  rpc Missing (M) returns (M);
  rpc Remaining (M) returns (M);
  rpc Numbers (M) returns (stream M);
  rpc Nothing (M) returns (stream M);
  rpc FailLate (M) returns (stream M);
  rpc Endless (M) returns (stream M);
}
message M {}
"""
PHP = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\Grpc\\{Call, Code, GrpcException, GrpcWorker};

$service = new class {
    public function Echo(string $message): string { return $message; }
    public function Metadata(string $message, Call $call): string {
        $call->addHeader('x-header', $call->header('X-Text') . ' ' . bin2hex($call->header('x-raw-bin')));
        $call->addTrailer('x-trailer-bin', "\\xff\\x00");
        $call->addTrailer('x-list', 'a');
        $call->addTrailer('x-list', 'b');
        return $call->service . '/' . $call->method . ' ' . explode(':', $call->peer())[0];
    }
    public function Fail(string $message, Call $call): string {
        $call->addTrailer('x-why', 'because');
        throw (new GrpcException(Code::FAILED_PRECONDITION, "not tödäy"))->with('test.Detail', "\\x08\\x01");
    }
    public function Throw(string $message): string { throw new RuntimeException('unexpected'); }
    public function Remaining(string $message, Call $call): string { return json_encode($call->remaining()); }
    public function Nothing(string $message): iterable { return []; }
    public function FailLate(string $message): iterable {
        yield '1';
        throw new GrpcException(Code::ABORTED, 'late');
    }
    public function Endless(string $message): iterable {
        try {
            for ($i = 0; ; ++$i) {
                yield str_repeat('x', 1000);
            }
        } finally {
            touch($message);
        }
    }
};
GrpcWorker::create()->service('test.Test', $service)
    ->method('test.Test', 'Numbers', function (string $message, Call $call): iterable {
        $call->addHeader('x-first', 'yes');
        for ($i = 0; $i < (int) $message; ++$i) {
            yield (string) $i;
        }
        $call->addTrailer('x-count', $message);
    })
    ->run();
"""
PYTHON = """
import asyncio
import json
from pathlib import Path

from google.protobuf.wrappers_pb2 import Int32Value

from pyroadrunner.sdk import grpc
from pyroadrunner.sdk.grpc import Code, GrpcError


class Test:
    async def Echo(self, message, call):
        await asyncio.sleep(0)
        return message

    def Metadata(self, message, call):
        call.add_header("x-header", f"{call.header('X-Text')} {call.binary('x-raw-bin')[0].hex()}")
        call.add_trailer("x-trailer-bin", b"\\xff\\x00")
        call.add_trailer("x-list", "a")
        call.add_trailer("x-list", "b")
        return f"{call.service}/{call.method} {call.peer.split(':')[0]}".encode()

    def Fail(self, message, call):
        call.add_trailer("x-why", "because")
        raise GrpcError(Code.FAILED_PRECONDITION, "not tödäy", Int32Value(value=1))

    def Throw(self, message, call):
        raise RuntimeError("unexpected")

    def Remaining(self, message, call):
        return json.dumps(call.remaining).encode()

    async def Numbers(self, message, call):
        call.add_header("x-first", "yes")
        for number in range(int(message)):
            await asyncio.sleep(0)
            yield str(number).encode()
        call.add_trailer("x-count", message.decode())

    def Nothing(self, message, call):
        yield from ()

    def FailLate(self, message, call):
        yield b"1"
        raise GrpcError(Code.ABORTED, "late")

    def Endless(self, message, call):
        try:
            while True:
                yield b"x" * 1000
        finally:
            Path(message.decode()).touch()


grpc.serve({"test.Test": Test()})
"""


@pytest.fixture(scope="module", params=["php", "python"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("grpc")
    (folder / "test.proto").write_text(PROTO)
    (folder / "worker.php").write_text(PHP)
    (folder / "worker.py").write_text(PYTHON)
    command = f"{require_php()} worker.php" if request.param == "php" else f"{sys.executable} worker.py"
    address = f"127.0.0.1:{free_port()}"
    section = {"listen": address, "proto": "test.proto", "reflection": False, "pool": {"num_workers": 1}}
    with Server(folder, {"server": {"command": command}, "grpc": section}) as server:
        yield server


@pytest.fixture
def call(server: Server) -> Iterator[Callable[..., grpc.Call]]:
    with grpc.insecure_channel(server.config["grpc"]["listen"]) as channel:

        def make(method: str, message: bytes = b"", **options: object) -> grpc.Call:
            stream = method in ("Numbers", "Nothing", "FailLate", "Endless")
            if stream:
                return channel.unary_stream(f"/test.Test/{method}")(message, **{"timeout": PATIENCE, **options})
            _, found = channel.unary_unary(f"/test.Test/{method}").with_call(
                message, **{"timeout": PATIENCE, **options}
            )
            return _, found

        yield make


def test_messages_go_both_ways(call: Callable[..., grpc.Call]) -> None:
    for message in (b"", b"hello", b"\x00\xff" * 100_000):
        assert call("Echo", message)[0] == message


def test_metadata_goes_both_ways(call: Callable[..., grpc.Call]) -> None:
    answer, found = call("Metadata", metadata=[("x-text", "text"), ("x-raw-bin", b"\xfe\x01")])
    assert answer == b"test.Test/Metadata 127.0.0.1"
    assert ("x-header", "text fe01") in found.initial_metadata()
    trailers = list(found.trailing_metadata())
    assert ("x-trailer-bin", b"\xff\x00") in trailers
    assert [value for name, value in trailers if name == "x-list"] == ["a", "b"]


def test_a_status_has_a_code_a_message_and_details(call: Callable[..., grpc.Call]) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call("Fail")
    error = failed.value
    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not tödäy")
    trailers = dict(error.trailing_metadata())
    assert trailers["x-why"] == "because"
    assert b"type.googleapis.com/" in trailers["grpc-status-details-bin"]


def test_an_unexpected_error_is_internal_and_the_worker_stays(call: Callable[..., grpc.Call], server: Server) -> None:
    before = server.workers("grpc")
    with pytest.raises(grpc.RpcError) as failed:
        call("Throw")
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "unexpected" in failed.value.details()
    assert call("Echo", b"again")[0] == b"again"
    assert server.workers("grpc") == before


def test_a_method_that_the_worker_lacks_is_unimplemented(call: Callable[..., grpc.Call]) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call("Missing")
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "test.Test/Missing" in failed.value.details()


def test_the_deadline_of_the_client_is_known(call: Callable[..., grpc.Call]) -> None:
    assert 0 < float(call("Remaining", timeout=PATIENCE)[0]) <= PATIENCE + 1  # grpcio rounds up


def test_a_stream_has_its_messages_headers_and_trailers(call: Callable[..., grpc.Call]) -> None:
    stream = call("Numbers", b"50")
    assert [int(one) for one in stream] == list(range(50))
    assert ("x-first", "yes") in stream.initial_metadata()
    assert ("x-count", "50") in stream.trailing_metadata()
    empty = call("Nothing")
    assert list(empty) == []
    assert empty.code() is grpc.StatusCode.OK


def test_a_stream_can_fail_after_messages(call: Callable[..., grpc.Call]) -> None:
    stream = call("FailLate")
    assert next(stream) == b"1"
    with pytest.raises(grpc.RpcError) as failed:
        next(stream)
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.ABORTED, "late")


def test_a_generator_ends_when_its_client_leaves(call: Callable[..., grpc.Call], server: Server) -> None:
    ended = server.folder / "ended"
    stream = call("Endless", str(ended).encode())
    next(stream)
    stream.cancel()
    deadline = time.monotonic() + PATIENCE
    while not ended.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert call("Echo", b"free again")[0] == b"free again"


@pytest.mark.parametrize(("name", "worker"), [("grpc", "worker.php"), ("grpc-python", "greeter.py")])
def test_the_examples_greet(tmp_path: Path, name: str, worker: str) -> None:
    shutil.copytree(EXAMPLES / name, tmp_path, dirs_exist_ok=True)
    given = yaml.safe_load((EXAMPLES / name / ".rr.yaml").read_text("utf-8"))
    given["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    given["grpc"]["listen"] = f"127.0.0.1:{free_port()}"
    given["server"]["command"] = f"{require_php() if worker.endswith('php') else sys.executable} {worker}"
    with Server(tmp_path, given) as server, grpc.insecure_channel(given["grpc"]["listen"]) as channel:
        greet = channel.unary_unary("/greeter.Greeter/Greet")
        answer, found = greet.with_call(b"\x0a\x03Ann", timeout=PATIENCE)
        assert answer == b"\x0a\x0bHello, Ann!"
        assert dict(found.trailing_metadata())["x-worker"].isdecimal()
        counted = channel.unary_stream("/greeter.Greeter/Count")(b"\x0a\x03Ann\x10\x02", timeout=PATIENCE)
        assert [one[2:] for one in counted] == [b"1: Ann", b"2: Ann"]
        with pytest.raises(grpc.RpcError) as failed:
            greet(b"", timeout=PATIENCE)
        assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert server.stop() == 0
