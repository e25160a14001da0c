"""`websocket.address` and `mercure.address`: a port of their own, without the section http."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from test_websocket import PATIENCE, WORKER, ask, on_the_loop
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support import mercure
from support.mercure import HUB
from support.php import require_php
from support.ports import free_port
from support.server import Server, rr
from support.tls import Authority, common_name


def config(**sections: Any) -> dict[str, Any]:
    return {"server": {"command": f"{require_php()} worker.php"}, **sections}


def websocket(port: int, **more: Any) -> dict[str, Any]:
    return {"address": f"127.0.0.1:{port}", "pool": {"num_workers": 1}, "drain_timeout": "1s", **more}


def serving(folder: Path, **sections: Any) -> Server:
    (folder / "worker.php").write_text(WORKER)
    return Server(folder, config(**sections))


def test_sockets_and_hub_without_the_http_section(tmp_path: Path) -> None:
    port, hub_port = free_port(), free_port()
    hub = {"address": f"127.0.0.1:{hub_port}", "publisher_jwt": {"key": mercure.PUBLISHER_KEY}, "anonymous": True}
    topics = [{"match": "news", "public": True}]
    with serving(tmp_path, websocket=websocket(port, sse_path="/sse", topics=topics), mercure=hub) as server:
        server.config["http"] = {"address": hub["address"]}  # where the client of the hub looks for it

        @on_the_loop
        async def scene() -> None:
            async with connect(f"ws://127.0.0.1:{port}/ws?user=own", open_timeout=PATIENCE) as one:
                assert await ask(one, "hello") == "hello"
                os.kill(server.pid, signal.SIGTERM)
                await one.wait_closed()
                assert one.close_code == 1012

        with mercure.subscribed(server, "t") as events:
            assert mercure.publish(server, "t", "update").status == 200
            assert events.data(1) == ["update"]
        for address in (f"127.0.0.1:{port}/other", f"127.0.0.1:{hub_port}/ws", f"127.0.0.1:{port}{HUB}"):
            with pytest.raises(HTTPError) as missing:
                urlopen(f"http://{address}", timeout=PATIENCE)
            with missing.value as response:
                assert (response.code, response.read()) == (404, b"no such path on this port\n")
        stream = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        stream.request("GET", "/sse?topic=news")
        assert stream.getresponse().status == 200
        scene()
        assert server.wait() == 0
        assert "closed own 1012" in server.stderr + server.stdout
        stream.close()


def test_a_unix_socket_is_a_port_too(tmp_path: Path) -> None:
    path = tmp_path / "ws.sock"
    with serving(tmp_path, websocket={"address": f"unix://{path}", "pool": {"num_workers": 1}}) as server:

        @on_the_loop
        async def scene() -> None:
            async with unix_connect(str(path), "ws://local/ws", open_timeout=PATIENCE) as one:
                assert await ask(one, "hello") == "hello"

        scene()
        assert server.stop() == 0
    assert not path.exists()


def test_the_http_port_does_not_serve_what_has_a_port_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, http={"pool": {"num_workers": 1}}, websocket=websocket(port)) as server:
        with urlopen(f"{server.url}/ws", timeout=PATIENCE) as answer:
            assert answer.read() == b"http"

        @on_the_loop
        async def scene() -> None:
            async with connect(f"ws://127.0.0.1:{port}/ws", open_timeout=PATIENCE) as one:
                assert await ask(one, "hello") == "hello"

        scene()


def test_a_new_certificate_is_used_for_new_clients(tmp_path: Path) -> None:
    authority, port = Authority(tmp_path), free_port()
    identity = authority.server("first")
    tls = {"cert": str(identity.cert), "key": str(identity.key)}
    with serving(tmp_path, websocket=websocket(port, tls=tls)):

        def wss(path: str = "/ws") -> connect:
            url = f"wss://localhost:{port}{path}"
            return connect(url, ssl=authority.context(), open_timeout=PATIENCE)

        def name(one: ClientConnection) -> str:
            found = one.transport.get_extra_info("ssl_object")
            assert isinstance(found, ssl.SSLObject)
            return common_name(found)  # type: ignore[arg-type]  # it has getpeercert, too

        @on_the_loop
        async def scene() -> None:
            async with wss() as old:
                assert name(old) == "first"
                identity.replace_by(authority.server("second"))
                done = await asyncio.to_thread(rr, "reload", cwd=tmp_path)
                assert done.code == 0, done
                async with wss() as new:
                    assert name(new) == "second"
                    assert await ask(new, "hello") == "hello"
                assert await ask(old, "hello") == "hello"
            with pytest.raises(InvalidStatus) as missing:
                async with wss("/other"):
                    pass
            assert missing.value.response.status_code == 404

        scene()


def test_another_process_takes_the_port_over(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, websocket=websocket(port), endure={"retirement": "2s"}) as server:

        @on_the_loop
        async def scene() -> None:
            async def come_back() -> ClientConnection:
                return await connect(f"ws://127.0.0.1:{port}/ws", open_timeout=PATIENCE)

            one = await come_back()
            os.kill(server.pid, signal.SIGUSR2)
            for _ in range(2):  # the stand-in, then the process with the old id again
                with pytest.raises(ConnectionClosed):
                    await one.recv()
                assert one.close_code == 1012
                one = await come_back()
                assert await ask(one, "hello") == "hello"
            await one.close()

        scene()
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"address": "nonsense"}, "websocket.address"),
        ({"tls": {"cert": "a.pem", "key": "b.pem"}}, "has no effect without `address`"),
        ({"address": "127.0.0.1:1", "tls": {"cert": "a.pem"}}, "`key` is not: TLS needs both"),
        ({"address": "unix:///tmp/x.sock", "tls": {"cert": "a.pem", "key": "b.pem"}}, "TLS is served over TCP only"),
    ],
)
def test_settings_that_can_not_work_are_refused(tmp_path: Path, section: dict[str, Any], text: str) -> None:
    Server(tmp_path, config(websocket={"pool": {"num_workers": 1}, **section}))
    done = rr("config", "check", cwd=tmp_path)
    assert done.code == 1
    assert text in done.stdout + done.stderr
