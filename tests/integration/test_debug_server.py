"""`rr serve -d`: tasks, threads and memory over HTTP."""

from __future__ import annotations

import asyncio
import socket

import pytest

from pyroadrunner.cli.serve.debug_server import debug_server
from support.server import free_port


async def ask(port: int, request: bytes) -> str:
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except ConnectionRefusedError:  # it is still starting
            await asyncio.sleep(0)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/debug/tasks", "200 OK", "a stuck task"),
        ("/debug/threads", "200 OK", "MainThread"),
        ("/debug/memory?x=1", "200 OK", "rss_bytes "),
        ("/debug/", "200 OK", "/debug/tasks\n"),
        ("/other", "404 Not Found", "/debug/tasks\n"),
    ],
)
def test_a_page_is_plain_text(path: str, status: str, text: str) -> None:
    async def live() -> str:
        port = free_port()
        server = asyncio.create_task(debug_server(port))
        stuck = asyncio.create_task(asyncio.Event().wait(), name="a stuck task")
        answer = await ask(port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        for task in (server, stuck):
            task.cancel()
        await asyncio.gather(server, stuck, return_exceptions=True)
        return answer

    answer = asyncio.run(live())
    assert answer.startswith(f"HTTP/1.1 {status}\r\n")
    assert text in answer


def test_malformed_requests_do_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    async def live() -> str:
        port = free_port()
        server = asyncio.create_task(debug_server(port))
        await ask(port, b"x" * 20_000 + b"\r\n\r\n")
        answer = await ask(port, b"x\r\n\r\n")
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        return answer

    assert asyncio.run(live()).startswith("HTTP/1.1 400")
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use_is_only_reported(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        asyncio.run(debug_server(other.getsockname()[1]))
    assert capfd.readouterr().err.startswith("[ERROR] debug server stopped with error: ")
