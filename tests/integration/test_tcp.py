"""Protocols over raw TCP with real PHP workers: events, verbs, failures, slow clients, stop, reset, limits."""

from __future__ import annotations

import re
import resource
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pyroadrunner.sdk.rpc import RpcClient
from pyroadrunner.sdk.tcp import Connections
from support.metrics import scrape
from support.php import require_php
from support.server import free_port, rr
from support.tcp_clients import LONG, Client, Seen, TcpServer, memory
from support.tls import Authority

MB = 1 << 20


def kinds(seen: list[Seen]) -> list[str]:
    return [one.event for one in seen]


def whole(seen: list[Seen]) -> None:
    """Each connection has one CONNECTED, first, and one CLOSE, last."""
    by_uuid: dict[str, list[str]] = {}
    for one in seen:
        by_uuid.setdefault(one.uuid, []).append(one.event)
    for events in by_uuid.values():
        assert (events[0], events[-1]) == ("CONNECTED", "CLOSE"), by_uuid
        assert set(events[1:-1]) <= {"DATA"}, by_uuid


# -- events and verbs --------------------------------------------------------------------------------------------------


def test_events_and_verbs(tmp_path: Path) -> None:
    servers = {"plain": {}, "greet": {}, "deny": {}, "semi": {"delimiter": ";"}, "long": {"delimiter": "--end--"}}
    with TcpServer(tmp_path, servers) as server:
        with server.connect() as client:
            assert client.ask(b"one") == b"[one]\n"
            assert client.ask(b"two\r\nthree") == b"[two|three]\n"  # together: one message
            client.send(b"pa")
            client.send(b"rt")
            assert client.ask(b"") == b"[part]\n"
            client.send(b"quiet\r\n")
            server.wait_for_events(5)
            assert client.ask(b"after") == b"[after]\n"
            assert client.ask(b"bye") == b"bye\n"
            assert client.rest() == b""
        with server.connect("greet") as client:
            host, port = client.sock.getsockname()
            hello, address, uuid = client.line().split()
            assert (hello, address) == (b"hello", f"{host}:{port}".encode())
            assert re.fullmatch(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", uuid)
        with server.connect("deny") as client:
            assert client.rest() == b""
        for word in (b"close", b"junk"):
            with server.connect() as client:
                client.send(word + b"\r\n")
                assert client.rest() == b""
        with server.connect("semi") as client:
            client.send(b"a;b;")
            assert client.line() == b"[a;b]\n"
        with server.connect("long") as client:
            client.send(b"a--en")
            client.send(b"d--")
            assert client.line() == b"[a--end--]\n"
        whole(server.wait_for_events(7, "CLOSE") and server.seen)
        assert server.stop() == 0


def test_the_end_of_a_client(tmp_path: Path) -> None:
    with TcpServer(tmp_path) as server:
        with server.connect() as client:
            client.end()
            assert client.rest() == b""
        server.wait_for_events(2)
        with server.connect() as client:
            client.send(b"message\r\n")
            client.end()
            assert client.rest() == b"[message]\n"
        server.wait_for_events(5)
        with server.connect() as client:
            client.send(b"rest")
            client.end()
            assert client.rest() == b"[rest]\n"
        server.wait_for_events(8)
        with server.connect() as client:
            client.send(b"quiet\r\n")
        server.wait_for_events(11)
        assert kinds(server.seen) == ["CONNECTED", "CLOSE", *["CONNECTED", "DATA", "CLOSE"] * 3]


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "tcp.sock"
    with TcpServer(tmp_path, {"greet": {"addr": f"unix://{path}"}}) as server:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(LONG)
            sock.connect(str(path))
            client = Client(sock)
            assert client.line().startswith(b"hello @ ")
            assert client.ask(b"x") == b"[x]\n"
        assert server.stop() == 0
    assert not path.exists()


def test_the_python_library(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(
        """
from pyroadrunner.sdk import tcp

handlers = tcp.Handlers()

@handlers.connected
def hello(request):
    return "hello\\n"

@handlers.data
def answer(request):
    if request.body == b"raise\\r\\n":
        raise RuntimeError("no database")
    return tcp.Reply.write_and_close("bye\\n") if request.body == b"bye\\r\\n" else request.body

handlers.serve()
""",
        encoding="utf-8",
    )
    with TcpServer(tmp_path, worker=f"{sys.executable} worker.py") as server:
        with server.connect() as client:
            assert client.line() == b"hello\n"
            assert client.ask(b"one") == b"one\r\n"
            client.send(b"raise\r\n")
            assert client.rest() == b""
        server.wait_for("no database")
        with server.connect() as client:
            assert client.line() == b"hello\n"
            client.send(b"bye\r\n")
            assert client.rest() == b"bye\n"
        assert server.stop() == 0


# -- workers that fail -------------------------------------------------------------------------------------------------


def test_workers_that_fail_in_mid_event(tmp_path: Path) -> None:
    """The connection is closed, other connections stay, each has one CLOSE."""
    with TcpServer(tmp_path, pool={"num_workers": 2}) as server, server.connect() as other:
        assert other.ask(b"pid").strip().isdigit()
        for verb in (b"error", b"exit", b"garbage", b"half", b"stream", b"nothing"):
            with server.connect() as client:
                client.send(verb + b"\r\n")
                assert client.rest() == b"", verb
            assert other.ask(b"still") == b"[still]\n"
        server.wait_for_events(6, "CLOSE")
        assert server.stderr.count("the application says no") >= 1
        other.end()
        assert other.rest() == b""
        server.wait_for_events(7, "CLOSE")
        whole(server.seen)
        assert len(server.wait_for_workers(2, "tcp")) == 2
        assert server.stop() == 0


def test_a_worker_that_exceeds_exec_ttl(tmp_path: Path) -> None:
    with TcpServer(tmp_path, pool={"supervisor": {"exec_ttl": "1s"}}) as server:
        with server.connect() as client:
            client.send(b"loop\r\n")
            assert client.rest() == b""
        server.wait_for("exec_ttl reached")
        with server.connect() as client:
            assert client.ask(b"next") == b"[next]\n"
        server.wait_for_events(2, "CLOSE")
        whole(server.seen)


def test_second_replies_reach_no_other_client(tmp_path: Path) -> None:
    """As the samples of the published package reply: twice to an event, and not at all to CLOSE."""
    with TcpServer(tmp_path, {"noreply": {}}, pool={"num_workers": 2}) as server:
        pids = server.workers("tcp")
        wrong: list[bytes] = []

        def talk(name: int) -> None:
            for turn in range(10):
                with server.connect("noreply") as client:
                    for number in range(5):
                        text = f"{name}.{turn}.{number}".encode()
                        if (answer := client.ask(b"twice " + text)) != b"[" + text + b" ]\n":
                            wrong.append(answer)

        threads = [threading.Thread(target=talk, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        server.wait_for_events(80, "CLOSE")
        assert server.workers("tcp") == pids  # none was lost
        assert server.stderr.count("worker sent a second reply") == len(pids)
        whole(server.seen)
        assert server.stop() == 0


# -- clients that are slow ---------------------------------------------------------------------------------------------


def test_a_client_that_sends_byte_by_byte_holds_no_worker(tmp_path: Path) -> None:
    with TcpServer(tmp_path) as server, server.connect() as slow, server.connect() as other:
        for byte in b"slowly":
            slow.send(bytes([byte]))
            assert other.ask(b"quick") == b"[quick]\n"
        assert slow.ask(b"") == b"[slowly]\n"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_client_that_never_reads_holds_no_worker_and_is_reset(tmp_path: Path) -> None:
    with TcpServer(tmp_path, {"plain": {"write_timeout": "1s"}}) as server, server.connect() as other:
        assert other.ask(b"warm") == b"[warm]\n"
        before = memory(server.pid)
        deaf = server.connect()
        deaf.send(b"big 30000000\r\n")
        deaf.send(b"big 30000000\r\n" * 100)  # not even asked for: the first answer is not read
        server.wait_for_events(4)
        assert other.ask(b"quick") == b"[quick]\n"
        assert memory(server.pid) - before < 200 * MB
        server.wait_for("client does not read")
        deaf.rest()
        deaf.close()
        server.wait_for_events(1, "CLOSE")
        by_uuid = Counter((one.uuid, one.event) for one in server.seen if one.server == "plain")
        assert sorted(by_uuid.values()) == [1, 1, 1, 1, 2]  # CONNECTED, DATA, CLOSE; CONNECTED, two DATA
        assert server.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_client_that_sends_without_an_end_is_bounded(tmp_path: Path) -> None:
    with TcpServer(tmp_path, {"plain": {"max_message_size": 2}}) as server:
        with server.connect() as client:
            assert pour(client) < 100
        server.wait_for("max_message_size")
        with server.connect() as busy:
            before = memory(server.pid)
            go = tmp_path / "go"
            busy.send(b"wait " + str(go).encode() + b"\r\n")
            server.wait_for_events(1, "DATA")
            busy.sock.settimeout(1.0)
            assert pour(busy) < 100  # the server reads 1 MB ahead, then the kernel's buffers fill
            assert memory(server.pid) - before < 20 * MB
            go.touch()
            busy.sock.settimeout(LONG)
            assert busy.line() == b"waited\n"
        server.wait_for_events(2, "CLOSE")


def pour(client: Client) -> int:
    """Send up to 100 MB; returns how many were accepted before an error or a second without progress."""
    client.sock.settimeout(1.0)
    for sent in range(100):
        try:
            client.send(b"x" * MB)
        except OSError:
            return sent
    return 100


def test_a_reset_in_mid_answer(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with TcpServer(tmp_path) as server:
        client = server.connect()
        client.send(b"wait " + str(go).encode() + b"\r\n")
        server.wait_for_events(2)
        client.reset()
        go.touch()
        server.wait_for_events(1, "CLOSE")
        with server.connect() as client:
            assert client.ask(b"next") == b"[next]\n"
        server.wait_for_events(2, "CLOSE")
        whole(server.seen)
        assert server.stop() == 0


# -- many --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def many_files() -> Iterator[int]:
    """Raise the soft limit of open files; returns how many connections it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 6_000 if hard == resource.RLIM_INFINITY else min(hard, 6_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield min(5_000, wanted - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_thousands_of_idle_connections(tmp_path: Path, many_files: int) -> None:
    keys = {"max_connections": many_files + 10}
    with TcpServer(tmp_path, {"plain": keys}, pool={"num_workers": 2, "max_queue_size": 0}) as server:
        with ExitStack() as stack:
            first = stack.enter_context(server.connect())
            assert first.ask(b"warm") == b"[warm]\n"
            before = memory(server.pid)
            for _ in range(many_files - 1):
                stack.enter_context(server.connect())
            server.wait_for_events(many_files, "CONNECTED")
            assert first.ask(b"hello") == b"[hello]\n"
            grown = memory(server.pid) - before
            assert grown / many_files < 6_000, f"{grown / many_files:.0f} bytes for each connection"
        server.wait_for_events(many_files, "CLOSE")
        counts = Counter(one.event for one in server.seen)
        assert counts == {"CONNECTED": many_files, "DATA": 2, "CLOSE": many_files}
        assert server.stop() == 0


def test_a_full_queue_refuses_at_once_and_no_close_is_lost(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with TcpServer(tmp_path, pool={"max_queue_size": 3}) as server, ExitStack() as stack:
        clients = []
        for _ in range(10):
            clients.append(stack.enter_context(server.connect()))
            assert clients[-1].ask(b"in") == b"[in]\n"
        clients[0].send(b"wait " + str(go).encode() + b"\r\n")
        server.wait_for_events(21)
        for client in clients[1:]:
            client.send(b"more\r\n")
        # Two wait, the others are closed at once, and so are new ones.
        refused = [client for client in clients[3:] if client.rest() == b""]
        assert len(refused) == 7
        with server.connect() as late:
            assert late.rest() == b""
        assert kinds(server.seen).count("CLOSE") == 0
        go.touch()
        assert [client.line() for client in clients[:3]] == [b"waited\n", b"[more]\n", b"[more]\n"]
        server.wait_for_events(7, "CLOSE")
        for client in clients[:3]:
            client.end()
            assert client.rest() == b""
        server.wait_for_events(10, "CLOSE")
        whole(server.seen)
        assert "events are refused" in server.stderr
        assert server.stop() == 0


def test_the_limit_of_connections_and_the_idle_timeout(tmp_path: Path) -> None:
    servers = {"few": {"max_connections": 2}, "idle": {"idle_timeout": "1s"}}
    with TcpServer(tmp_path, servers) as server:
        with server.connect("few") as one, server.connect("few") as two:
            assert (one.ask(b"a"), two.ask(b"b")) == (b"[a]\n", b"[b]\n")
            with server.connect("few") as three:
                assert three.rest() == b""
        server.wait_for("connection limit reached")
        with server.connect("idle") as client:
            assert client.ask(b"a") == b"[a]\n"
            assert client.rest() == b""
        server.wait_for_events(3, "CLOSE")
        whole(server.seen)


# -- operation ---------------------------------------------------------------------------------------------------------


def test_a_stop_with_open_connections(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with TcpServer(tmp_path, pool={"num_workers": 2}) as server:
        with server.connect() as idle, server.connect() as busy, server.connect() as half:
            assert idle.ask(b"in") == b"[in]\n"
            half.send(b"half a message")
            busy.send(b"wait " + str(go).encode() + b"\r\n")
            server.wait_for_events(5)
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            assert idle.rest() == b""
            assert half.rest() == b""
            go.touch()
            assert busy.rest() == b"waited\n"
            stopping.join()
        assert server.exit_code == 0
        assert kinds(server.seen).count("CLOSE") == 3
        whole(server.seen)


def test_a_reset_keeps_the_connections(tmp_path: Path) -> None:
    with TcpServer(tmp_path) as server, server.connect() as client:
        before = client.ask(b"pid")
        assert rr("reset", "tcp", cwd=tmp_path).code == 0
        after = client.ask(b"pid")
        assert before != after
        shown = rr("workers", cwd=tmp_path).stdout
        assert after.decode().strip() in shown
        assert "tcp" in shown


def test_a_reload_changes_the_pool(tmp_path: Path) -> None:
    with TcpServer(tmp_path) as server, server.connect() as client:
        assert client.ask(b"in") == b"[in]\n"
        path = tmp_path / ".rr.yaml"
        path.write_text(path.read_text("utf-8").replace("num_workers: 1", "num_workers: 3"), encoding="utf-8")
        assert rr("reload", cwd=tmp_path).code == 0
        server.wait_for_workers(3, "tcp")
        assert client.ask(b"still") == b"[still]\n"


def test_connections_over_rpc(tmp_path: Path) -> None:
    with TcpServer(tmp_path, {"plain": {}, "greet": {}}) as server, RpcClient(server.rpc) as rpc:
        connections = Connections(rpc)
        assert rpc.call("tcp.Close", "3c1b") is True
        assert not connections.write("3c1b", "nothing")
        with server.connect("greet") as client, server.connect() as other:
            uuid = client.line().split()[2].decode()
            assert other.ask(b"in") == b"[in]\n"
            [view] = connections.list("greet")
            assert (view.uuid, view.server, view.state, view.events) == (uuid, "greet", "open", 1)
            assert {one.server for one in connections.list()} == {"plain", "greet"}
            assert connections.write(uuid, b"\x00pushed\n")
            assert client.line() == b"\x00pushed\n"
            assert connections.write(uuid, "last\n", close=True)
            assert client.rest() == b"last\n"
            server.wait_for_events(1, "CLOSE")
            [uuid] = [one.uuid for one in connections.list("plain")]
            connections.close(uuid)
            assert other.rest() == b""
        server.wait_for_events(2, "CLOSE")
        whole(server.seen)


def test_metrics_and_status(tmp_path: Path) -> None:
    metrics, status = (f"127.0.0.1:{free_port()}" for _ in range(2))
    more = {"metrics": {"address": metrics}, "status": {"address": status}}
    go = tmp_path / "go"
    with TcpServer(tmp_path, **more) as server, server.connect() as client:
        assert client.ask(b"in") == b"[in]\n"
        found = scrape(metrics)
        assert found['rr_tcp_connections{server="plain"}'] == 1
        assert found['rr_tcp_received_bytes_total{server="plain"}'] == 4
        assert found['rr_tcp_events_total{event="DATA",server="plain"}'] == 1
        assert found["rr_tcp_total_workers"] == 1
        assert found['rr_tcp_pool_queue{pool="tcp"}'] == 0
        assert (probe(status, "health"), probe(status, "ready")) == (200, 200)
        client.send(b"wait " + str(go).encode() + b"\r\n")
        server.wait_for_events(3)
        assert (probe(status, "health"), probe(status, "ready")) == (200, 503)
        go.touch()
        assert client.line() == b"waited\n"


def probe(address: str, kind: str) -> int:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=LONG) as sock:
        sock.sendall(f"GET /{kind}?plugin=tcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return int(sock.recv(1 << 16).split()[1])


# -- TLS ---------------------------------------------------------------------------------------------------------------


def test_tls_and_a_new_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    mine = authority.server()
    keys = {"tls": {"cert": str(mine.cert), "key": str(mine.key)}}
    with TcpServer(tmp_path, {"plain": keys}) as server:
        old = tls(server, authority)
        assert old.ask(b"one") == b"[one]\n"
        large = b"x" * 300_000
        assert old.ask(large) == b"[" + large + b"]\n"
        plain = server.connect()
        plain.send(b"no handshake\r\n" * 10)
        plain.rest()
        plain.close()
        other = authority.server("other")
        mine.replace_by(other)
        server.wait_for("certificate loaded")
        new = tls(server, authority)
        assert new.ask(b"two") == b"[two]\n"
        assert old.ask(b"three") == b"[three]\n"
        assert names(new) == "other"
        new.send(b"bye\r\n")
        assert new.rest() == b"bye\n"
        old.close()
        new.close()
        server.wait_for_events(2, "CLOSE")
        whole(server.seen)
        assert server.stop() == 0


def test_tls_clients_with_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    mine = authority.server()
    files = {"cert": str(mine.cert), "key": str(mine.key), "root_ca": str(authority.root)}
    servers = {
        "plain": {"tls": {**files, "client_auth_type": "require_and_verify_client_cert"}},
        "optional": {"tls": {**files, "client_auth_type": "verify_client_cert_if_given"}},
    }
    with TcpServer(tmp_path, servers) as server:
        known = tls(server, authority, "anna")
        assert known.ask(b"one") == b"[one]\n"
        known.close()
        assert not gets_in(server, authority)
        anyone = tls(server, authority, server_name="optional")
        assert anyone.ask(b"three") == b"[three]\n"
        anyone.close()
        server.wait_for_events(2, "CLOSE")
        assert [one.message for one in server.seen if one.event == "DATA"] == ["one", "three"]


def tls(server: TcpServer, authority: Authority, client: str = "", server_name: str = "plain") -> Client:
    context = authority.context(authority.client(client) if client else None, alpn="x")
    raw = server.connect(server_name).sock
    return Client(context.wrap_socket(raw, server_hostname="localhost"))


def gets_in(server: TcpServer, authority: Authority) -> bool:
    """Whether a client without a certificate gets an answer. In TLS 1.3 it is refused after its handshake."""
    raw = server.connect().sock
    try:
        with authority.context(alpn="x").wrap_socket(raw, server_hostname="localhost") as sock:
            sock.sendall(b"two\r\n")
            return sock.recv(100) != b""
    except OSError:
        return False
    finally:
        raw.close()


def names(client: Client) -> str:
    subject = client.sock.getpeercert()["subject"]  # type: ignore[attr-defined]
    return next(value for part in subject for key, value in part if key == "commonName")


# -- the start ---------------------------------------------------------------------------------------------------------


HEAD = "version: '3'\nserver: {command: 'php x.php'}\ntcp:\n  servers:\n"


def test_bad_servers_are_refused_with_file_line_and_key(tmp_path: Path) -> None:
    servers = "    a: null\n    b: {addr: nowhere}\n    c:\n      addr: ':9001'\n      delimiter: [1]\n"
    (tmp_path / ".rr.yaml").write_text(HEAD + servers, encoding="utf-8")
    for command in (("serve",), ("config", "check")):
        done = rr(*command, cwd=tmp_path)
        assert done.code == 1
        for line, path in ((5, "tcp.servers.a"), (6, "tcp.servers.b.addr"), (9, "tcp.servers.c.delimiter")):
            assert path in done.stdout + done.stderr
            assert f".rr.yaml:{line}" in done.stdout + done.stderr


def test_two_servers_on_one_port_are_refused_with_file_line_and_key(tmp_path: Path) -> None:
    servers = "    a: {addr: '127.0.0.1:9001'}\n    b: {addr: 'tcp://:9001'}\n"
    (tmp_path / ".rr.yaml").write_text(HEAD + servers, encoding="utf-8")
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert "tcp.servers.b.addr" in done.stderr
    assert ".rr.yaml:6" in done.stderr


def test_a_taken_port_is_named_with_its_key(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = f"server: {{command: '{require_php()} x.php'}}"
        text = f"version: '3'\n{server}\ntcp: {{servers: {{a: {{addr: ':{port}'}}}}}}\n"
        (tmp_path / ".rr.yaml").write_text(text, encoding="utf-8")
        done = rr("serve", cwd=tmp_path)
        assert done.code == 1
        assert "tcp.servers.a.addr" in done.stderr
        assert "in use" in done.stderr
        assert "tcp.servers.a.addr" in rr("doctor", cwd=tmp_path).stdout


def test_a_broken_delimiter_and_a_missing_certificate_are_found_by_a_check(tmp_path: Path) -> None:
    text = (
        "version: '3'\nserver: {command: 'php x.php'}\ntcp:\n  servers:\n    a:\n      addr: ':9001'\n"
        "      delimiter: '\\r\\n'\n      tls: {cert: gone.crt, key: gone.key}\n"
    )
    (tmp_path / ".rr.yaml").write_text(text, encoding="utf-8")
    shown = rr("config", "check", cwd=tmp_path)
    text = shown.stdout + shown.stderr
    assert "tcp.servers.a.delimiter" in text
    assert ".rr.yaml:7" in text
    assert "tcp.servers.a.tls.cert" in text
