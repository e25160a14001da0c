"""HTTP for users: the real ``rr serve`` with real PHP workers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.http import Client, request, split
from support.php import require_php
from support.pools import run
from support.server import Server, free_port, rr

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"
MB = 1 << 20
LARGE = 200 * MB


def serving(folder: Path, **http: Any) -> Server:
    return Server(
        folder,
        {
            "server": {"command": [require_php(), str(WORKER)]},
            "http": {"pool": {"num_workers": 1}, **http},
            "logs": {"mode": "production", "output": "stderr"},
        },
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For tests that do not change its state."""
    with serving(tmp_path_factory.mktemp("http")) as running:
        yield running


async def connect(server: Server) -> Client:
    return Client(*await asyncio.open_connection(*server.address))


def ask(server: Server, raw: bytes) -> tuple[int, dict[str, list[str]], bytes]:
    async def main() -> bytes:
        client = await connect(server)
        await client.send(raw)
        answer = await client.rest()
        client.close()
        return answer

    return split(run(main()))


def log_of(server: Server, message: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]
    return [line for line in lines if line["msg"] == message]


def multipart(size: int) -> Iterator[bytes]:
    """A body with a file of ``size`` bytes, in pieces of a megabyte."""
    yield b'--XbX\r\nContent-Disposition: form-data; name="f"; filename="big.bin"\r\nContent-Type: x/y\r\n\r\n'
    for _ in range(size // MB):
        yield b"\0" * MB
    yield b"\r\n--XbX--\r\n"


def test_forms_queries_and_the_request_log(server: Server) -> None:
    form = request("POST", "/form?x[]=1", b"a[b]=1", content_type="application/x-www-form-urlencoded")
    status, headers, body = ask(server, form)
    assert (status, headers["content-type"]) == (200, ["application/json"])
    assert json.loads(body) == {"form": {"a": {"b": "1"}}, "query": {"x": ["1"]}}
    server.wait_for('"URI":"/form?x[]=1"')
    [line] = [line for line in log_of(server, "http log") if line["URI"] == "/form?x[]=1"]
    assert (line["level"], line["status"], line["method"]) == ("info", 200, "POST")
    assert type(line["elapsed"]) is int


def test_a_large_upload_and_a_large_response_take_constant_memory(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    with serving(tmp_path, uploads={"dir": str(folder)}) as server:
        ask(server, request("GET", "/pid"))
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        peak = before

        async def upload() -> bytes:
            nonlocal peak
            client = await connect(server)
            size = sum(map(len, multipart(0))) + LARGE
            await client.send(
                request("POST", "/upload", content_type="multipart/form-data; boundary=XbX", content_length=str(size))
            )
            for number, piece in enumerate(multipart(LARGE)):
                await client.send(piece)
                if number % 20 == 0:
                    peak = max(peak, process.memory_info().rss)
            answer = await client.rest()
            client.close()
            return answer

        told = json.loads(split(run(upload()))[2])["f"]
        assert told["size"] == LARGE
        assert told["sha1"] == hashlib.sha1(b"\0" * LARGE).hexdigest()
        assert Path(told["path"]).parent == folder

        async def download() -> int:
            nonlocal peak
            client = await connect(server)
            await client.send(request("GET", f"/zeros?size={LARGE}"))
            await client.until(b"\r\n\r\n")
            found = 0
            while found < LARGE:
                found += len(await client.exactly(MB))
                if found % (20 * MB) == 0:
                    peak = max(peak, process.memory_info().rss)
            client.abort()
            return found

        assert run(download()) >= LARGE
        assert (peak - before) / MB < 50
        server.stop()
        assert list(folder.iterdir()) == []


def test_a_client_that_disconnects_from_a_stream_frees_the_worker_which_keeps_running(server: Server) -> None:
    pid = ask(server, request("GET", "/pid"))[2]

    async def leave() -> None:
        client = await connect(server)
        await client.send(request("GET", f"/zeros?size={1 << 40}"))
        await client.exactly(MB)
        client.abort()

    for _ in range(3):
        run(leave())
        assert ask(server, request("GET", "/pid"))[2] == pid


def test_a_worker_killed_in_mid_stream_interrupts_the_response_and_the_next_request_is_served(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        status, headers, body = ask(server, request("GET", "/breaking", close=False))
        assert (status, headers["transfer-encoding"]) == (200, ["chunked"])
        assert body == b"6\r\nbefore\r\n"
        assert ask(server, request("GET", "/pid"))[0] == 200
        server.wait_for("read stream")
        assert "Network" in log_of(server, "read stream")[0]["error"]


def test_slow_clients_occupy_no_worker(server: Server) -> None:
    async def main() -> None:
        slow = [await connect(server) for _ in range(50)]
        for number, client in enumerate(slow):
            head = request("POST", "/size", content_type="text/plain", content_length="6")
            await client.send(head[: 20 + number] if number % 2 else head + b"abc")
        quick = await connect(server)
        await quick.send(request("GET", "/pid"))
        assert split(await quick.rest())[0] == 200
        for client in slow[::2]:
            await client.send(b"def")
            assert split(await client.rest())[2] == b"6"
        for client in [*slow, quick]:
            client.close()

    run(main())


def test_a_full_queue_refuses_immediately_with_retry_after(tmp_path: Path) -> None:
    with serving(tmp_path, pool={"num_workers": 1, "max_queue_size": 1}) as server:

        async def main() -> None:
            clients = [await connect(server) for _ in range(3)]
            for client in clients:
                await client.send(request("GET", "/slow?ms=1500"))
            answers = sorted([split(await client.rest())[:2] for client in clients], key=lambda answer: answer[0])
            assert [status for status, _ in answers] == [200, 503, 503]
            assert answers[1][1]["retry-after"] == ["1"]
            for client in clients:
                client.close()

        run(main())
        server.wait_for("requests are refused")


def test_a_large_json_body_arrives_completely(server: Server) -> None:
    assert (
        ask(server, request("POST", "/size", b"x" * (20 * MB), content_type="application/json"))[2]
        == str(20 * MB).encode()
    )


def test_stopping_finishes_the_running_request(tmp_path: Path) -> None:
    with serving(tmp_path) as server:

        async def main() -> None:
            client, idle = await connect(server), await connect(server)
            await idle.send(request("GET", "/pid", close=False))
            await client.send(request("GET", "/slow?ms=500"))
            await idle.until(b"\r\n\r\n")
            os.kill(server.pid, 15)
            assert split(await client.rest())[0] == 200
            idle.close()
            client.close()

        run(main())
        assert server.wait() == 0


def test_a_port_in_use_ends_the_start_with_an_error_message_before_any_worker_boots(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (tmp_path / ".rr.yaml").write_text(
            f'version: "3"\nserver: {{command: "touch started"}}\nhttp: {{address: "127.0.0.1:{port}"}}\n'
        )
        done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert f"http.address: cannot listen on 127.0.0.1:{port}: the address is in use" in done.stderr
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("http", "text"), [("{pool: {}}", "set http.address"), ('{address: "8080"}', "http.address: `8080` is no address")]
)
def test_an_invalid_address_ends_the_start_with_an_error_message(tmp_path: Path, http: str, text: str) -> None:
    (tmp_path / ".rr.yaml").write_text(f'version: "3"\nserver: {{command: "true"}}\nhttp: {http}\n')
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert text in done.stderr


def test_keys_of_missing_features_give_a_warning(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").write_text(
        'version: "3"\nserver: {command: "true"}\n'
        f'http: {{address: "127.0.0.1:{free_port()}", static: {{dir: ".", request: {{X-A: b}}}}}}\n'
    )
    done = rr("config", "check", cwd=tmp_path)
    said = done.stdout + done.stderr
    assert "http.static.request" in said
    assert "no worker sees" in said


def test_a_unix_socket_serves_and_is_removed_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "rr.sock"
    with serving(tmp_path, address=f"unix://{path}") as server:

        async def main() -> bytes:
            client = Client(*await asyncio.open_unix_connection(str(path)))
            await client.send(request("GET", "/pid"))
            answer = await client.rest()
            client.close()
            return answer

        assert split(run(main()))[0] == 200
        server.stop()
    assert not path.exists()
