"""Connections of gRPC clients: TLS, client certificates, age, idle time, keep-alive, take-over."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from support.grpc_site import Client, GrpcSite, wait_until
from support.http2 import GOAWAY, SETTINGS, Http2, frame
from support.php import require_php
from support.server import rr
from support.tls import Authority, Identity


class TlsSite(GrpcSite):
    """A server with ``grpc.tls``.

    Attributes:
        authority: signed its certificate.
    """

    def __init__(self, folder: Path, auth: str = "", **section: Any) -> None:
        self.authority = Authority(folder)
        self.identity = self.authority.server()
        tls = {"cert": str(self.identity.cert), "key": str(self.identity.key)}
        if auth:
            tls |= {"root_ca": str(self.authority.root), "client_auth_type": auth}
        super().__init__(folder, tls=tls, **section)

    def secure(self, identity: Identity | None = None) -> Client:
        return Client(f"localhost:{self.port}", credentials=credentials(self.authority, identity))


def credentials(authority: Authority, identity: Identity | None = None) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        authority.root.read_bytes(),
        identity.key.read_bytes() if identity else None,
        identity.cert.read_bytes() if identity else None,
    )


def served(client: Client) -> bool:
    """Whether a call succeeds; its connection may be refused."""
    try:
        client.call("Echo", timeout=20)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


def test_tls_is_served_and_the_worker_is_told(tmp_path: Path) -> None:
    with TlsSite(tmp_path) as site:
        with site.secure() as client:
            context = json.loads(client.ask("Context"))["context"]
            assert context[":peer.auth-type"] == ["tls"]
            assert context[":authority"] == [f"localhost:{site.port}"]
        with site.client() as plain:
            assert not served(plain)


@pytest.mark.parametrize(
    ("auth", "without", "stranger"),
    [
        ("no_client_cert", True, True),
        ("request_client_cert", True, False),
        ("verify_client_cert_if_given", True, False),
        ("require_any_client_cert", False, False),
        ("require_and_verify_client_cert", False, False),
    ],
)
def test_each_client_auth_type(tmp_path: Path, auth: str, without: bool, stranger: bool) -> None:
    with TlsSite(tmp_path, auth) as site:
        with site.secure(site.authority.client("good")) as client:
            assert served(client)
        with site.secure() as client:
            assert served(client) is without
        other = Authority(tmp_path, "other")
        with site.secure(other.client("bad")) as client:
            assert served(client) is stranger


def test_a_changed_certificate_serves_new_connections(tmp_path: Path) -> None:
    with TlsSite(tmp_path) as site, site.secure() as old:
        assert served(old)
        other = Authority(tmp_path, "other")
        site.identity.replace_by(other.server("next"))
        wait_until(lambda: site.logged("certificate loaded"))
        with Client(f"localhost:{site.port}", credentials=credentials(other)) as new:
            assert served(new)
        assert served(old)  # its connection stays


def test_a_connection_is_closed_gracefully_at_its_age(tmp_path: Path) -> None:
    with (
        GrpcSite(tmp_path, max_connection_age="1s") as site,
        Http2(("127.0.0.1", site.port), timeout=60) as raw,
        site.client(options=[("grpc.enable_retries", 1)]) as client,  # of calls that the server has not seen
    ):
        done = time.monotonic() + 4
        while time.monotonic() < done:  # several ages, and no call fails
            client.ask("Echo")
        end = raw.until((GOAWAY,))
        assert end is not None
        assert end.error == 0
        assert raw.until(()) is None  # the connection is closed


def test_the_calls_of_an_old_connection_end_at_last(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with (
        GrpcSite(tmp_path, max_connection_age="1s", max_connection_age_grace="1s") as site,
        site.client() as client,
    ):
        stream = client.stream("Count", str(told).encode())
        with pytest.raises(grpc.RpcError):
            for _ in stream:
                pass
        assert stream.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        wait_until(told.exists)


def test_an_idle_connection_is_closed_and_one_in_use_is_not(tmp_path: Path) -> None:
    with (
        GrpcSite(tmp_path, workers=2, max_connection_idle="1s") as site,
        site.client() as client,
        Http2(("127.0.0.1", site.port), timeout=60) as raw,
    ):
        running = client.later("Sleep", b"3000")
        end = raw.until((GOAWAY,))
        assert end is None or end.error == 0
        assert raw.until(()) is None
        assert running.result()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the options of another process's sockets with ss")
def test_the_kernel_probes_silent_connections(tmp_path: Path) -> None:
    with (
        GrpcSite(tmp_path, ping_time="30s", timeout="6s") as site,
        socket.create_connection(("127.0.0.1", site.port)) as silent,
    ):
        silent.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS))
        assert silent.recv(9)
        port = silent.getsockname()[1]
        shown = subprocess.run(
            ["ss", "-tno", f"( dport = :{port} )"], capture_output=True, text=True, check=True
        ).stdout
        assert "timer:(keepalive," in shown


def test_a_restart_without_a_gap(tmp_path: Path) -> None:
    """SIGUSR2: a new process takes over; calls of the old connection and new ones succeed."""
    with GrpcSite(tmp_path) as site, site.client() as client:
        first = client.ask("Pid")
        site.send(signal.SIGUSR2)
        seen = set()
        done = time.monotonic() + 60
        while not seen - {first}:
            with site.client() as other:
                seen.add(other.ask("Pid"))
            client.ask("Echo")
            assert time.monotonic() < done
        assert client.ask("Echo", b"x") == b"x"


@pytest.fixture
def unix_site(tmp_path: Path) -> Iterator[tuple[GrpcSite, str]]:
    path = f"{tmp_path}/grpc.sock"
    with GrpcSite(tmp_path, listen=f"unix://{path}") as site:
        yield site, path


def test_a_unix_socket_is_served(unix_site: tuple[GrpcSite, str]) -> None:
    _, path = unix_site
    with Client(f"unix://{path}") as client:
        context = json.loads(client.ask("Context"))["context"]
        assert context[":peer.address"] == ["@"]


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / ".rr.yaml").write_text(
            f"version: '3'\nserver: {{command: [{require_php()}, x.php]}}\ngrpc: {{listen: '127.0.0.1:{port}'}}\n"
        )
        done = rr("serve", cwd=tmp_path)
        assert done.code == 1
        assert "grpc.listen" in done.stderr
        assert str(port) in done.stderr
