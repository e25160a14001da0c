"""The real ``rr serve`` behind nginx, Apache, HAProxy and Caddy, with the shortest configs of the manual."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.http import Client, request, split
from support.load import Load
from support.php import require_php
from support.pools import run
from support.proxies import Proxy, apache, block, caddy, haproxy, nginx
from support.recorder import Recorder
from support.server import READY, Server, free_port, rr

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs" / "deploy"
WORKER = ROOT / "tests" / "support" / "workers" / "http.php"
CONTEXT = ROOT / "tests" / "support" / "workers" / "context.php"
MB = 1 << 20
WORKERS = 4  # of every page's config
CLIENT = "127.0.0.2"  # another address than the proxy's


@dataclass(frozen=True, kw_only=True)
class Front:
    """A proxy with one config of its page, and what it does with requests by itself."""

    name: str
    start: Callable[[Path, str], AbstractContextManager[Proxy]]
    page: str
    language: str
    number: int = 0
    listen: str  # what the page has for the proxy's address; {port} is the test's
    listens: str
    tcp: str  # what the page has for rr on a port, and on a unix socket
    unix: str
    protocol: str = "HTTP/1.1"  # of its requests to rr
    passes_host: bool = True  # the client's Host; otherwise that of rr
    tells_address: bool = True  # of the client
    passes_utf8: bool = True  # in a path, unescaped; otherwise it answers 400
    passes_upgrade: bool = True
    keeps: bool = True  # connections to rr
    buffers: bool = False  # responses, until they are complete


FRONTS = [
    Front(
        name="nginx",
        start=nginx,
        page="nginx",
        language="nginx",
        number=1,
        listen="listen 80;",
        listens="listen 127.0.0.1:{port};",
        tcp="proxy_pass http://127.0.0.1:8080;",
        unix="proxy_pass http://unix:/run/rr/http.sock;",
        protocol="HTTP/1.0",
        passes_host=False,
        tells_address=False,
        passes_upgrade=False,
        keeps=False,
        buffers=True,
    ),
    Front(
        name="nginx-keepalive",
        start=nginx,
        page="nginx",
        language="nginx",
        listen="listen 80;",
        listens="listen 127.0.0.1:{port};",
        tcp="server 127.0.0.1:8080;",
        unix="server unix:/run/rr/http.sock;",
        passes_upgrade=False,
        buffers=True,
    ),
    Front(
        name="apache",
        start=apache,
        page="apache",
        language="apache",
        listen="<VirtualHost *:80>",
        listens="<VirtualHost 127.0.0.1:{port}>",
        tcp='ProxyPass "/" "http://127.0.0.1:8080/"',
        unix='ProxyPass "/" "unix:/run/rr/http.sock|http://localhost/"',
        passes_host=False,
        passes_upgrade=False,
    ),
    Front(
        name="haproxy",
        start=haproxy,
        page="haproxy",
        language="haproxy",
        listen="bind :80",
        listens="bind 127.0.0.1:{port}",
        tcp="server rr 127.0.0.1:8080",
        unix="server rr unix@/run/rr/http.sock",
        passes_utf8=False,
    ),
    Front(
        name="caddy",
        start=caddy,
        page="caddy",
        language="caddyfile",
        number=1,
        listen="example.com {",
        listens="http://:{port} {{",
        tcp="reverse_proxy 127.0.0.1:8080",
        unix="reverse_proxy unix//run/rr/http.sock",
    ),
]


@dataclass(frozen=True)
class Site:
    """A proxy with ``rr`` behind it."""

    front: Front
    port: int
    server: Server
    options: tuple[str, ...]  # of rr
    backend: str  # the host that rr has for the proxy
    recorder: Recorder | None

    @property
    def connections(self) -> int:
        """Connections from the proxy to ``rr`` so far."""
        assert self.recorder is not None
        return len(self.recorder.connections)

    def connect(self, source: str = "127.0.0.1") -> closing[http.client.HTTPConnection]:
        return closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(source, 0)))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Client]:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            yield client
        finally:
            client.close()

    def talk(self, data: bytes) -> tuple[int, dict[str, list[str]], bytes]:
        """Send the bytes of a request, without any change; they have to end the connection."""

        async def main() -> bytes:
            async with self.open() as client:
                await client.send(data)
                return await client.rest()

        return split(run(main()))


def ask(
    connection: http.client.HTTPConnection, method: str, target: str, body: Any = None, /, **headers: str
) -> tuple[int, bytes]:
    """One request on a connection that is kept; ``content_type="x"`` is the header ``Content-Type``."""
    chunked = body is not None and not isinstance(body, bytes)
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    connection.request(method, target, body, named, encode_chunked=chunked)
    with connection.getresponse() as answer:
        return answer.status, answer.read()


def told(connection: http.client.HTTPConnection, target: str = "/request", /, **headers: str) -> dict[str, Any]:
    """What the worker has received."""
    status, body = ask(connection, "GET", target, **headers)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, as Apache's children are another user than root."""
    with tempfile.TemporaryDirectory(prefix="rr-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def deployed(front: Front, over: str, *, recorded: bool = False) -> Iterator[Site]:
    """Both configs of the page, with the test's paths, ports and worker.

    Args:
        over: "tcp" or "unix".
        recorded: with a recorder between the proxy and ``rr``, which needs TCP.
    """
    page = PAGES / f"{front.page}.md"
    port, own = free_port(), free_port()
    with open_folder() as folder, ExitStack() as stack:
        config = block(page, "yaml", {'"php worker.php"': json.dumps([require_php(), str(WORKER)])})
        recorder = stack.enter_context(Recorder(("127.0.0.1", own))) if recorded else None
        if over == "unix":
            address, target, host = f"unix://{folder}/http.sock", front.unix, "localhost"
        else:
            host = f"127.0.0.1:{recorder.port if recorder else own}"
            address, target = f"127.0.0.1:{own}", front.tcp.replace("127.0.0.1:8080", host)
            config = config.replace('["unix:"]', "[127.0.0.1]")  # as the pages say
        keys = (f"http.address={address}", f"rpc.listen=unix://{folder}/rpc.sock")
        options = tuple(f"-o={key}" for key in (*keys, "http.socket_mode=0666", "endure.retirement=1s"))
        server = stack.enter_context(Server(folder, config, command=("serve", *options)))
        shown = next(form for form in (front.tcp, front.unix) if form in block(page, front.language, {}, front.number))
        changes = {
            shown: target.replace("/run/rr", str(folder)),
            front.listen: front.listens.format(port=port),
        }
        stack.enter_context(front.start(folder, block(page, front.language, changes, front.number)))
        yield Site(front, port, server, options, host, recorder)


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """One site for all tests of a proxy."""
    front, over = request.param
    with deployed(front, over) as site:
        yield site


def sites(*transports: str) -> pytest.MarkDecorator:
    found = [pytest.param((front, over), id=f"{front.name}-{over}") for front in FRONTS for over in transports]
    return pytest.mark.parametrize("site", found, indirect=True, scope="module")


on_both = sites("tcp", "unix")
on_tcp = sites("tcp")


# -- pages ------------------------------------------------------------------------------------------------------------


@on_both
def test_a_page_and_what_the_worker_sees_of_its_request(site: Site) -> None:
    with site.connect() as connection:
        seen = told(connection, "/request?a=1&b[]=2", cookie="c=d", x_own="value")
        assert (seen["method"], seen["protocol"]) == ("GET", site.front.protocol)
        host = f"127.0.0.1:{site.port}" if site.front.passes_host else site.backend
        assert seen["uri"] == f"http://{host}/request?a=1&b[]=2"
        assert seen["query"] == {"a": "1", "b": ["2"]}
        assert (seen["headers"]["X-Own"], seen["headers"]["Cookie"]) == (["value"], ["c=d"])


@on_both
def test_pages_of_every_kind_on_one_connection(site: Site) -> None:
    with site.connect() as connection:
        for _ in range(5):
            assert ask(connection, "GET", "/letters?size=32") == (200, b"abcdefghijklmnop" * 2)
            connection.request("HEAD", "/letters?size=1600")
            with connection.getresponse() as answer:
                assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, "1600", b"")
            assert ask(connection, "GET", "/missing") == (404, b"not here")
            assert ask(connection, "DELETE", "/missing") == (404, b"not here")
            assert ask(connection, "GET", "/letters?size=0") == (200, b"")


@on_tcp
@pytest.mark.parametrize(
    "query",
    [
        "q=100%",
        "q=100%&p=1",
        "q=%zz",
        "q=a+b%20c",
        "a[b][]=1&a[b][]=2",
        "q=1;2",
        "q=a|b^c`d'e",
        "q={x}",
        "=&&",
        "q=?/:@",
        "",
    ],
)
def test_an_odd_query_is_passed_on(site: Site, query: str) -> None:
    status, _, body = site.talk(request("GET", f"/request?{query}"))
    assert status == 200
    assert json.loads(body)["raw_query"] == query


@on_both
def test_a_path_with_raw_utf_8(site: Site) -> None:
    raw = request("GET", "/{path}").replace(b"{path}", "grüße".encode())
    status, _, body = site.talk(raw)
    assert status == (200 if site.front.passes_utf8 else 400)
    raw = request("GET", "/request?q={query}").replace(b"{query}", "grüße".encode())
    status, _, body = site.talk(raw)
    assert status == (200 if site.front.passes_utf8 else 400)
    if site.front.passes_utf8:
        assert json.loads(body)["query"] == {"q": "grüße"}


@on_both
def test_an_escaped_path_is_the_same_behind_the_proxy(site: Site) -> None:
    with site.connect() as connection:
        status, body = ask(connection, "POST", "/request%3Fx/a%20b/gr%C3%BC%C3%9Fe?q=gr%C3%BC%C3%9Fe")
    assert (status, json.loads(body)["query"]) == (200, {"q": "grüße"})


@on_both
def test_the_address_of_the_client(site: Site) -> None:
    with site.connect(CLIENT) as connection:
        if not site.front.tells_address:
            assert told(connection)["address"] == "127.0.0.1"
        else:
            assert told(connection)["address"] == CLIENT
            assert told(connection, x_forwarded_for="6.6.6.6", x_real_ip="7.7.7.7")["address"] == CLIENT


# -- bodies -----------------------------------------------------------------------------------------------------------


def multipart(files: dict[str, bytes], fields: dict[str, str]) -> tuple[str, bytes]:
    """The content type and the body of a form."""
    parts = [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts += [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.bin"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in files.items()
    ]
    return "multipart/form-data; boundary=edge", b"".join([*parts, b"--edge--\r\n"])


@on_both
def test_a_form(site: Site) -> None:
    with site.connect() as connection:
        form = {"content_type": "application/x-www-form-urlencoded"}
        for _ in range(3):
            status, body = ask(connection, "POST", "/", b"a[b]=1&c=gr%C3%BC%C3%9Fe", **form)
            assert (status, json.loads(body)["form"]) == (200, {"a": {"b": "1"}, "c": "grüße"})


@on_both
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_upload_of_5_mb(site: Site, chunked: bool) -> None:
    data = bytes(range(256)) * (5 * MB // 256)
    kind, form = multipart({"file": data}, {"note": "x"})
    body = (form[start : start + 100_000] for start in range(0, len(form), 100_000)) if chunked else form
    with site.connect() as connection:
        status, answer = ask(connection, "POST", "/upload", body, content_type=kind)
        assert status == 200, answer
        [(name, file)] = json.loads(answer).items()
        assert (name, file["size"], file["sha1"]) == ("file", 5 * MB, hashlib.sha1(data).hexdigest())
        assert ask(connection, "GET", "/missing") == (404, b"not here")


@on_both
def test_a_chunked_body(site: Site) -> None:
    with site.connect() as connection:
        for size in (0, 1, 1000, 300_000):
            body = iter([b"x" * size] if size else [])
            assert ask(connection, "POST", "/size", body) == (200, b"%d" % size)


@on_both
def test_responses_of_10_mb(site: Site) -> None:
    with site.connect() as connection:
        assert ask(connection, "GET", f"/letters?size={10 * MB}") == (200, b"abcdefghijklmnop" * (10 * MB // 16))
        assert ask(connection, "GET", f"/zeros?size={10 * MB}") == (200, bytes(10 * MB))
        assert ask(connection, "GET", "/missing") == (404, b"not here")


@on_both
def test_events_are_not_held_back(site: Site, tmp_path: Path) -> None:
    """With the headers of server-sent events, and ``X-Accel-Buffering: no`` for nginx."""
    gate = tmp_path / "gate"

    async def main() -> None:
        async with site.open() as client:
            await client.send(request("GET", f"/events?for={gate}"))
            await client.until(b"data: first")
            gate.touch()
            await client.until(b"data: second")
            await client.rest()

    run(main())


@on_both
def test_a_stream_arrives_piece_by_piece_unless_the_proxy_buffers(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def main() -> None:
        async with site.open() as client:
            await client.send(request("GET", f"/stream?for={gate}"))
            if not site.front.buffers:
                await client.until(b"data: first\n\n")
            gate.touch()
            answer = await client.until(b"data: second\n\n")
            if site.front.buffers:
                assert answer.count(b"data: first\n\n") == 1
            await client.rest()

    run(main())


# -- connections ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
def test_the_proxy_keeps_connections_and_no_request_is_lost(front: Front) -> None:
    with deployed(front, "tcp", recorded=True) as site:
        with site.connect() as connection:
            for number in range(30):
                assert ask(connection, "POST", "/size", b"x" * number) == (200, b"%d" % number)
                assert ask(connection, "GET", "/missing") == (404, b"not here")
        if front.keeps:
            assert site.connections <= 2
        else:
            assert site.connections == 60

        def post(size: int) -> bool:
            with site.connect() as connection:
                answers = [ask(connection, "POST", "/size", b"x" * (size + number)) for number in range(40)]
            return answers == [(200, b"%d" % (size + number)) for number in range(40)]

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(post, range(0, 80_000, 10_000)))
        if front.keeps:
            assert site.connections <= 32


@on_both
def test_a_reset_and_a_restart_behind_the_proxy_fail_no_request(site: Site) -> None:
    with Load(("127.0.0.1", site.port), "/pid") as load:
        assert rr("reset", *site.options, cwd=site.server.folder).code == 0
        load.wait_for_more(50)
        site.server.send(signal.SIGUSR2)
        site.server.wait_for(READY, times=site.server.stdout.count(READY) + 1)
        load.wait_for_more(50)
    assert load.failures == []
    assert len(load.bodies) > WORKERS


@on_tcp
def test_clients_that_leave_in_the_middle_of_a_body(site: Site) -> None:
    async def leave() -> None:
        for _ in range(2 * WORKERS):
            async with site.open() as client:
                head = b"POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (5 * MB)
                await client.send(head + bytes(MB))
                client.abort()

    run(leave())
    with site.connect() as connection:
        assert ask(connection, "POST", "/size", b"abc") == (200, b"3")


@on_tcp
def test_clients_that_leave_in_the_middle_of_a_response_free_the_workers(site: Site) -> None:
    async def leave() -> None:
        for _ in range(2 * WORKERS):
            async with site.open() as client:
                await client.send(request("GET", f"/zeros?size={4000 * MB}"))
                await client.exactly(MB)
                client.abort()

    run(leave())
    with site.connect() as connection:
        for _ in range(WORKERS):
            assert ask(connection, "GET", "/missing") == (404, b"not here")


@on_tcp
def test_a_request_to_upgrade_is_a_get_request(site: Site) -> None:
    with site.connect() as connection:
        for _ in range(3):
            key = {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==", "sec_websocket_version": "13"}
            seen = told(connection, connection="Upgrade", upgrade="websocket", **key)
            assert seen["method"] == "GET"
            assert seen["headers"].get("Upgrade") == (["websocket"] if site.front.passes_upgrade else None)
            h2c = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2_settings": "AAMAAABkAAQAAP__"}
            assert ask(connection, "POST", "/size", b"abc", **h2c) == (200, b"3")
            assert ask(connection, "POST", "/size", b"abcd") == (200, b"4")


@on_tcp
def test_a_client_that_waits_for_100_before_it_sends_the_body(site: Site) -> None:
    async def main() -> None:
        async with site.open() as client:
            for _ in range(2):
                await client.send(
                    b"POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
                )
                assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
                await client.send(b"12345")
                while (head := await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 "):
                    pass  # Caddy sends its own and that of rr
                assert head.startswith(b"HTTP/1.1 200 ")
                assert await client.exactly(1) == b"5"

    run(main())


def test_apache_with_files_and_unchanged_paths(tmp_path: Path) -> None:
    """The second config of its page."""
    port = free_port()
    config = {"server": {"command": [require_php(), str(CONTEXT)]}, "http": {"pool": {"num_workers": 1}}}
    with open_folder() as folder, Server(tmp_path, config) as server:
        (folder / "assets").mkdir()
        (folder / "assets" / "app.css").write_text("body {}")
        changes = {
            "<VirtualHost *:80>": f"<VirtualHost 127.0.0.1:{port}>",
            "/srv/app/public": str(folder),
            "127.0.0.1:8080": server.config["http"]["address"],
        }
        with (
            apache(folder, block(PAGES / "apache.md", "apache", changes, 1)),
            closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection,
        ):
            assert ask(connection, "GET", "/assets/app.css") == (200, b"body {}")
            for path in ("/", "/a//b/../c", "/a%2Fb", "/a%20b;c=1", "/gr%C3%BC%C3%9Fe?q=100%25"):
                assert told(connection, path)["uri"] == f"http://127.0.0.1:{port}{path}"


@pytest.mark.parametrize("page", ["application", "status"])
def test_a_health_check_of_haproxy(tmp_path: Path, page: str) -> None:
    """Its requests are in HTTP/1.0, without any header."""
    status = f"127.0.0.1:{free_port()}"
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 1}},
        "status": {"address": status},
    }
    with Server(tmp_path, config) as server:
        target, port = ("/ready", f"port {status.rpartition(':')[2]}") if page == "status" else ("/pid", "")
        site = f"""
listen app
    bind 127.0.0.1:{free_port()}
    log stderr format raw local0
    option log-health-checks
    option httpchk GET {target}
    server rr {server.config["http"]["address"]} check {port} inter 100ms
"""
        with haproxy(tmp_path, site) as proxy:
            proxy.wait_for("Health check for server app/rr succeeded, reason: Layer7 check passed, code: 200")
