"""The PHP library under a real ``php``, frame by frame: over pipes, tcp and unix sockets."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.goridge.frame import PONG, STOP_STREAM, STOP_WORKER, Flag, Frame, Stream, encode, encode_payload
from pyroadrunner.proto.http.v1.http_pb2 import HeaderValue, Request, Response
from support.contexts import context
from support.peer import ServerPeer
from support.php import require_php

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "php" / "examples"
HEAD = b'{"status":200,"headers":{}}'
PRELUDE = f"""<?php
declare(strict_types=1);
require '{ROOT}/php/autoload.php';
use PyRoadRunner\\Worker;
use PyRoadRunner\\Http\\{{HttpWorker, Request, Response, Server}};
"""


class PhpChild:
    """One php process and the server's end of its relay."""

    def __init__(self, process: subprocess.Popen[bytes], server: ServerPeer) -> None:
        self.process = process
        self.server = server

    def handshake(self) -> None:
        """The handshake: the worker answers with its own pid."""
        self.server.send(encode(Flag.CONTROL | Flag.JSON, b'{"pid":1}'))
        assert self.server.receive() == Frame(Flag.CONTROL, b'{"pid":%d}' % self.process.pid)

    def end(self) -> tuple[int, str]:
        """Wait for the exit: its code, and what was written to stderr."""
        assert self.process.stderr is not None
        text = self.process.stderr.read().decode()
        return self.process.wait(), text


Spawn = Callable[..., PhpChild]


@pytest.fixture
def spawn(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Spawn]:
    """Start a script (a path, or PHP code after the prelude) on a relay: pipes, tcp or unix."""
    php = require_php()
    children: list[PhpChild] = []

    def start(script: Path | str, relay: str = "pipes", env: dict[str, str] | None = None) -> PhpChild:
        if isinstance(script, str):
            path = tmp_path / "worker.php"
            path.write_text(PRELUDE + script)
            script = path
        children.append(_start(php, script, relay, tmp_path, env or {}))
        children[-1].handshake()
        return children[-1]

    yield start
    for child in children:
        child.server.close()
        child.process.kill()
        child.process.wait()
        assert child.process.stderr is not None
        child.process.stderr.close()


def _start(php: str, script: Path, relay: str, folder: Path, env: dict[str, str]) -> PhpChild:
    if relay == "pipes":
        to_php, from_server = os.pipe()
        to_server, from_php = os.pipe()
        process = _popen(php, script, {"RR_RELAY": "pipes"} | env, to_php, from_php)
        os.close(to_php)
        os.close(from_php)
        return PhpChild(process, ServerPeer(to_server, from_server))
    if relay == "tcp":
        listener = socket.create_server(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "rr.sock"))
        listener.listen()
        address = f"unix://{folder}/rr.sock"
    with listener:
        process = _popen(php, script, {"RR_RELAY": address} | env, subprocess.DEVNULL, subprocess.DEVNULL)
        descriptor = listener.accept()[0].detach()
    return PhpChild(process, ServerPeer(descriptor, descriptor))


def _popen(php: str, script: Path, env: dict[str, str], stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [php, str(script)],
        env=os.environ | {"RR_PHP_LIBRARY": str(ROOT / "php")} | env,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def answer(body: bytes, head: bytes = HEAD, stream: int = 0, codec: int = Flag.JSON) -> Frame:
    return Frame(codec, head + body, (len(head),), stream)


def head_of(frame: Frame) -> Any:
    return json.loads(frame.payload[: frame.options[0]])


def body_of(frame: Frame) -> bytes:
    return frame.payload[frame.options[0] :]


@pytest.mark.parametrize("relay", ["pipes", "tcp", "unix"])
def test_the_handshake_works_over_every_relay_and_stop_ends_the_worker(spawn: Spawn, relay: str) -> None:
    child = spawn(EXAMPLES / "hello.php", relay)
    for _ in range(3):
        assert child.server.ask(context()) == answer(b"Hello, world!\n")
    child.server.send(STOP_WORKER)
    assert child.end() == (0, "")


@pytest.mark.parametrize("relay", ["pipes", "tcp"])
def test_a_worker_exits_quietly_without_its_server(spawn: Spawn, relay: str) -> None:
    child = spawn(EXAMPLES / "hello.php", relay)
    child.server.close()
    assert child.end() == (0, "")


def test_the_answer_is_the_same_byte_for_byte_as_goridge_builds_it(spawn: Spawn) -> None:
    child = spawn(EXAMPLES / "hello.php")
    before = len(child.server.received)
    child.server.ask(context())
    assert child.server.received[before:] == encode_payload(HEAD, b"Hello, world!\n", Flag.JSON)


@pytest.mark.parametrize("codec", [0, Flag.RAW, Flag.JSON])
def test_a_plain_worker_gets_context_and_body_and_answers_in_the_codec_it_was_asked_in(
    spawn: Spawn, codec: int
) -> None:
    child = spawn(
        "$w = Worker::create();"
        "while ($p = $w->waitPayload()) { $w->respond(strrev($p->body), strtoupper($p->context)); }"
    )
    assert child.server.ask(b"ctx", b"body", codec) == answer(b"ydob", b"CTX", codec=codec)


@pytest.mark.parametrize("relay", ["pipes", "tcp", "unix"])
def test_large_bodies_arrive_complete_in_both_directions(spawn: Spawn, relay: str) -> None:
    child = spawn("$w = Worker::create(); while ($p = $w->waitPayload()) { $w->respond($p->body . 'x'); }", relay)
    body = os.urandom(3_000_000)
    assert child.server.ask(b"c", body).payload == body + b"x"


def test_a_frame_split_anywhere_is_read_completely(spawn: Spawn) -> None:
    child = spawn(EXAMPLES / "hello.php")
    frame = encode_payload(context(), b"", Flag.JSON)
    for byte in frame:
        child.server.send(bytes([byte]))
    assert child.server.receive() == answer(b"Hello, world!\n")


def test_asking_to_be_replaced_is_the_exact_text_the_server_looks_for(spawn: Spawn) -> None:
    child = spawn("$w = Worker::create(); while ($w->waitPayload()) { $w->stop(); }")
    before = len(child.server.received)
    child.server.ask(b"c", b"", 0)
    assert child.server.received[before:].hex() == "14000d000000f339efdb00000d0000007b2273746f70223a747275657d"  # V8


@pytest.mark.parametrize("relay", ["pipes", "unix"])
def test_printed_text_goes_to_stderr_and_never_into_the_stream(spawn: Spawn, relay: str) -> None:
    child = spawn(
        "ob_start(); echo 'early ';"
        "Server::run(function () { echo 'stray '; var_dump(1); print($undefined); ob_end_clean(); return 'ok'; });",
        relay,
    )
    assert child.server.ask(context()) == answer(b"ok")
    assert child.server.ask(context()) == answer(b"ok")
    child.server.send(STOP_WORKER)
    code, text = child.end()
    assert code == 0
    assert "early " in text
    assert text.count("stray int(1)") == 2
    assert "Undefined variable $undefined" in text
    assert child.server.receive() is None


def test_output_after_the_application_closed_every_buffer_is_still_kept_out(spawn: Spawn) -> None:
    child = spawn("Server::run(function () { while (ob_get_level()) { ob_end_clean(); } return 'ok'; });")
    assert child.server.ask(context()) == answer(b"ok")
    assert child.server.ask(context()) == answer(b"ok")


def test_an_exception_is_an_error_frame_and_the_worker_keeps_running(spawn: Spawn) -> None:
    child = spawn(EXAMPLES / "app.php")
    frame = child.server.ask(context("/error"))
    assert (frame.flags, frame.options) == (Flag.ERROR, ())
    assert b"RuntimeException: this text is in the log of the server" in frame.payload
    assert child.server.ask(context("/")) == answer(b"Hello, world!\n")


def test_a_request_has_the_data_of_the_server(spawn: Spawn) -> None:
    child = spawn("Server::run(fn (Request $r) => Response::json(get_object_vars($r) + ['path' => $r->path()]));")
    head = context("/a%20b?x[]=1&x[]=2", headers={"X-Multi": ["1", "2"]}, cookies={"a": "1"}, method="PUT")
    assert json.loads(body_of(child.server.ask(head, b"raw"))) == {
        "remoteAddr": "192.0.2.1",
        "protocol": "HTTP/1.1",
        "method": "PUT",
        "uri": "http://example.com:81/a%20b?x[]=1&x[]=2",
        "headers": {"X-Multi": ["1", "2"]},
        "cookies": {"a": "1"},
        "query": {"x": ["1", "2"]},
        "rawQuery": "x[]=1&x[]=2",
        "parsed": None,
        "body": "raw",
        "uploads": [],
        "attributes": [],
        "path": "/a%20b",
    }


def test_header_names_are_case_insensitive(spawn: Spawn) -> None:
    child = spawn(
        "Server::run(fn (Request $r) => $r->header('x-FOO_bar') . '|' . $r->header('accept') . $r->header('No'));"
    )
    head = context(headers={"X-Foo_bar": ["1", "2"], "Accept": ["*/*"]})
    assert body_of(child.server.ask(head)) == b"1, 2|*/*"


def test_the_routes_of_the_example_application_answer(spawn: Spawn, tmp_path: Path) -> None:
    child = spawn(EXAMPLES / "app.php")
    told = child.server.ask(context("/json?a=1"))
    assert head_of(told) == {"status": 200, "headers": {"Content-Type": ["application/json"]}}
    assert json.loads(body_of(told)) == {"method": "GET", "query": {"a": "1"}, "agent": "test"}

    form = child.server.ask(context("/form", parsed=True, method="POST"), b'{"a":{"b":"1"}}')
    assert json.loads(body_of(form)) == {"a": {"b": "1"}}

    file = tmp_path / "upload1"
    file.write_bytes(b"abc")
    leaf = {"name": "a.txt", "mime": "text/plain", "size": 3, "error": 0, "tmpName": str(file)}
    upload = child.server.ask(context("/upload", parsed=True, uploads={"file": leaf}), b"{}")
    assert json.loads(body_of(upload))["sha1"] == "a9993e364706816aba3e25717850c26c9cd0d89d"
    assert head_of(child.server.ask(context("/upload")))["status"] == 400
    assert head_of(child.server.ask(context("/nowhere")))["status"] == 404


def test_an_upload_is_moved_and_a_failed_one_has_an_error(spawn: Spawn, tmp_path: Path) -> None:
    child = spawn(
        "Server::run(function (Request $r): string {"
        "  $r->uploads['a']['tmpName']->moveTo($r->header('Target')); $r->uploads['b'][0]->contents(); return ''; });"
    )
    (tmp_path / "upload1").write_bytes(b"abc")
    good = {"name": "a", "mime": "", "size": 3, "error": 0, "tmpName": str(tmp_path / "upload1")}
    failed = {"name": "b", "mime": "", "size": 0, "error": 7, "tmpName": ""}
    uploads = {"a": {"tmpName": good}, "b": [failed]}
    head = context(parsed=True, uploads=uploads, headers={"Target": [str(tmp_path / "kept")]})
    frame = child.server.ask(head, b"{}")
    assert b'cannot read upload "b" (error 7)' in frame.payload
    assert (tmp_path / "kept").read_bytes() == b"abc"


def test_headers_are_lists_and_broken_utf8_in_them_is_replaced(spawn: Spawn) -> None:
    child = spawn("Server::run(fn () => new Response(201, '', ['A' => '1', 'B' => ['2', '3'], 'C' => \"\\xff\"]));")
    assert head_of(child.server.ask(context())) == {"status": 201, "headers": {"A": ["1"], "B": ["2", "3"], "C": ["�"]}}


STREAM_OF_8 = "Server::run(fn () => new Response(body: (function () { for ($i = 0; $i < 8; ++$i) { yield 'x'; } })()));"


@pytest.mark.parametrize(("relay", "sixth"), [("pipes", Stream.STREAM | Stream.PING), ("tcp", Stream.STREAM)])
def test_the_sixth_chunk_asks_for_a_pong_over_pipes_only(spawn: Spawn, relay: str, sixth: int) -> None:
    child = spawn(STREAM_OF_8, relay)
    child.server.request(context())
    plain = Stream.STREAM
    bits = [plain] * 5 + [sixth] + [plain] * 2
    expected = [answer(b"x", HEAD if i == 0 else b"", bit) for i, bit in enumerate(bits)] + [answer(b"", b"")]
    assert [child.server.receive() for _ in range(9)] == expected
    child.server.send(PONG)  # too late, and skipped
    assert child.server.ask(context()) == answer(b"x", stream=Stream.STREAM)


@pytest.mark.parametrize("relay", ["pipes", "unix"])
def test_a_stopped_stream_is_closed_with_an_empty_frame_and_the_worker_keeps_running(spawn: Spawn, relay: str) -> None:
    child = spawn(
        "Server::run(fn (Request $r) => $r->path() === '/' ? 'ok' : new Response(body: (function () {"
        "  try { while (true) { yield 'x'; } } finally { fwrite(STDERR, 'closed'); } })()));",
        relay,
    )
    child.server.ask(context("/stream"))
    child.server.send(STOP_STREAM)
    while (frame := child.server.receive()) is not None and frame.stream & Stream.STREAM:
        assert frame.payload == b"x"
    assert frame == answer(b"", b"")
    assert child.server.ask(context()) == answer(b"ok")
    child.server.send(STOP_WORKER)
    assert child.end() == (0, "closed")


def test_a_stop_during_a_stream_takes_effect_after_it(spawn: Spawn) -> None:
    child = spawn("Server::run(fn () => new Response(body: (function () { yield 'a'; yield 'b'; })()));")
    child.server.send(encode_payload(context(), b"", Flag.JSON) + STOP_WORKER)
    frames = []
    while (frame := child.server.receive()) is not None:
        frames.append(frame)
    assert [frame.stream for frame in frames] == [Stream.STREAM, Stream.STREAM, 0]
    assert child.end() == (0, "")


def test_a_stream_that_fails_halfway_ends_with_an_error(spawn: Spawn) -> None:
    child = spawn(
        "Server::run(fn () => new Response(body: (function () { yield 'a'; throw new Exception('half'); })()));"
    )
    assert child.server.ask(context()) == answer(b"a", stream=Stream.STREAM)
    frame = child.server.receive()
    assert frame is not None
    assert frame.flags == Flag.ERROR
    assert b"half" in frame.payload


def test_early_hints_precede_the_response(spawn: Spawn) -> None:
    child = spawn(EXAMPLES / "app.php")
    hints = child.server.ask(context("/hints"))
    assert (head_of(hints)["status"], body_of(hints), hints.stream) == (103, b"", Stream.STREAM)
    assert child.server.receive() == answer(b"Hello after the hints!\n")


def in_protobuf(head: bytes) -> bytes:
    """The same context as http.v1.Request, as RoadRunner sends it: empty fields are left out."""
    told = json.loads(head)

    def listed(values: dict[str, Any]) -> dict[str, HeaderValue]:
        lists = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
        return {name: HeaderValue(value=[text.encode() for text in texts]) for name, texts in lists.items()}

    message = Request(
        remote_addr=told["remoteAddr"],
        protocol=told["protocol"],
        method=told["method"],
        uri=told["uri"],
        header=listed(told["headers"]),
        cookies=listed(told["cookies"]),
        raw_query=told["rawQuery"],
        parsed=told["parsed"],
        uploads=b"" if told["uploads"] is None else json.dumps(told["uploads"]).encode(),
        attributes=listed(told["attributes"]),
    )
    return message.SerializeToString()


def response_of(frame: Frame) -> tuple[int, dict[str, list[bytes]], bytes]:
    """Status, headers and body of a protobuf response. RoadRunner accepts only these flags."""
    assert frame.flags == Flag.PROTO
    told = Response.FromString(frame.payload[: frame.options[0]])
    return told.status, {name: list(values.value) for name, values in told.headers.items()}, body_of(frame)


DUMPS_THE_REQUEST = (
    "Server::run(fn (Request $r) => Response::json(['uploads' => array_map(get_object_vars(...), $r->uploads)]"
    " + get_object_vars($r)));"
)


@pytest.mark.parametrize(
    "head",
    [
        context(),
        context("/a%20b?x[]=1&x[]=2", headers={"X-Multi": ["1", "2"], "X-Empty": [""]}, cookies={"a": "ä", "b": ""}),
        context("/form", method="POST", parsed=True, attributes={"id": "7"}),
        context(
            parsed=True,
            uploads={"f": {"name": "a", "mime": "text/plain", "size": 3, "error": 0, "tmpName": "/tmp/a"}},
            headers={f"X-{number}": [str(number) * 200] for number in range(30)},
        ),
        context(parsed=True, uploads={}),
    ],
)
def test_a_request_in_protobuf_is_the_same_as_in_json(spawn: Spawn, head: bytes) -> None:
    child = spawn(DUMPS_THE_REQUEST)
    in_json = json.loads(body_of(child.server.ask(head, b'{"a":"1"}')))
    of_a_later_version = b"\x79" + b"8" * 8 + b"\x7d" + b"4" * 4 + b"\xf8\x01\x07"  # fields 15, 15 and 31
    asked = in_protobuf(head) + of_a_later_version
    status, headers, body = response_of(child.server.ask(asked, b'{"a":"1"}', Flag.PROTO))
    assert json.loads(body) == in_json
    assert (status, headers) == (200, {"Content-Type": [b"application/json"]})
    assert head_of(child.server.ask(head, b"{}"))["status"] == 200  # and JSON again: each request has its own codec


def test_an_answer_in_protobuf_has_all_headers_and_their_bytes(spawn: Spawn) -> None:
    child = spawn("Server::run(fn () => new Response(299, 'b', ['A' => '1', 'B' => ['2', '3'], 'C' => \"\\xff\"]));")
    expected = {"A": [b"1"], "B": [b"2", b"3"], "C": [b"\xff"]}
    assert response_of(child.server.ask(in_protobuf(context()), b"", Flag.PROTO)) == (299, expected, b"b")


def test_streams_hints_and_errors_work_in_protobuf(spawn: Spawn) -> None:
    child = spawn(EXAMPLES / "app.php")
    hints = child.server.ask(in_protobuf(context("/hints")), b"", Flag.PROTO)
    assert (response_of(hints)[0], hints.stream) == (103, Stream.STREAM)
    answered = child.server.receive()
    assert answered is not None
    assert response_of(answered) == (200, {}, b"Hello after the hints!\n")

    first = child.server.ask(in_protobuf(context("/stream?from=1")), b"", Flag.PROTO)
    assert (response_of(first), first.stream) == ((200, {}, b"1\n"), Stream.STREAM)
    rest = [child.server.receive() for _ in range(2)]
    assert rest == [answer(b"lift-off\n", b"", Stream.STREAM, Flag.PROTO), answer(b"", b"", 0, Flag.PROTO)]

    assert child.server.ask(in_protobuf(context("/error")), b"", Flag.PROTO).flags == Flag.ERROR
    assert response_of(child.server.ask(in_protobuf(context()), b"", Flag.PROTO))[2] == b"Hello, world!\n"


@pytest.mark.parametrize(
    "bad", [b"\x0a\x01x", b"\x0a\x7fx", b"\x0b", b"\xff" * 12, b'{"method":"GET"}', b"\x2a\x02\x12\x05"]
)
def test_an_invalid_protobuf_context_is_an_error_and_the_worker_keeps_running(spawn: Spawn, bad: bytes) -> None:
    child = spawn(EXAMPLES / "hello.php")
    assert child.server.ask(bad, b"", Flag.PROTO).payload.startswith(b"cannot read the request: ")
    assert response_of(child.server.ask(in_protobuf(context()), b"", Flag.PROTO))[2] == b"Hello, world!\n"


@pytest.mark.parametrize("bad", [b"{not json", b"{}", b"7"])
def test_an_invalid_context_is_an_error_and_the_worker_keeps_running(spawn: Spawn, bad: bytes) -> None:
    child = spawn(EXAMPLES / "hello.php")
    assert child.server.ask(bad).payload.startswith(b"cannot read the request: ")
    assert child.server.ask(context()) == answer(b"Hello, world!\n")


def test_rpc_calls_are_numbered_and_return_results_or_the_errors_of_the_server(spawn: Spawn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = spawn(
            "use PyRoadRunner\\Rpc\\{Rpc, RpcException};"
            "Server::run(function () { $rpc = Rpc::create(); $out = [$rpc->call('informer.Workers', 'http')];"
            " try { $rpc->call('nope.Nope'); } catch (RpcException $e) { $out[] = $e->getMessage(); }"
            " $out[] = $rpc->callRaw('rpc.Config', 'abc'); return Response::json($out); });",
            env={"RR_RPC": f"tcp://127.0.0.1:{listener.getsockname()[1]}"},
        )
        child.server.request(context())
        descriptor = listener.accept()[0].detach()
    with ServerPeer(descriptor, descriptor) as rpc:
        assert rpc.receive() == Frame(Flag.JSON, b'informer.Workers"http"', (1, 16))
        rpc.send(encode(Flag.JSON, b'informer.Workers{"workers":null}', [1, 16]))
        assert rpc.receive() == Frame(Flag.JSON, b"nope.Nope", (2, 9))
        rpc.send(encode(Flag.JSON | Flag.ERROR, b"nope.Noperpc: can't find service nope.Nope", [2, 9]))
        assert rpc.receive() == Frame(Flag.RAW, b"rpc.Configabc", (3, 10))
        rpc.send(encode(Flag.RAW, b"rpc.Config{}", [3, 10]))
        frame = child.server.receive()
    assert frame is not None
    assert json.loads(body_of(frame)) == [{"workers": None}, "rpc: can't find service nope.Nope", "{}"]


@pytest.mark.parametrize("page", ["docs/php.md", "docs/symfony.md", "docs/plain-php.md"])
def test_every_example_in_the_manual_is_a_file_that_these_tests_run(page: str) -> None:
    shipped = {path.read_text() for path in [*EXAMPLES.glob("*.php"), *(ROOT / "examples").glob("*/*.php")]}
    shown = re.findall(r"```php\n(<\?php\n.*?)```", (ROOT / page).read_text(), re.S)
    assert shown
    assert set(shown) <= shipped
