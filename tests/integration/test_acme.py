"""Certificates from a real ACME server: obtained before the first connection, stored, renewed while requests run."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from support.pebble import Pebble
from support.php import require_php
from support.server import Server, free_port, rr
from support.tls import Loop

WORKER = Path(__file__).parent.parent / "support" / "workers" / "context.php"


class Site(Server):
    """A server whose certificate comes from an ACME server."""

    def __init__(
        self,
        folder: Path,
        pebble: Pebble,
        http_port: int = 1,
        *,
        port: int = 0,
        challenge: dict[str, Any] | None = None,
        **http: Any,
    ) -> None:
        self.port = port or free_port()
        acme = {
            "email": "admin@example.org",
            "domains": ["localhost"],
            "cache_dir": "certificates",
            "alt_http_port": http_port,
            "directory_url": pebble.directory,
            "directory_ca": str(pebble.root),
            **(challenge or {}),
        }
        super().__init__(
            folder,
            {
                "server": {"command": [require_php(), str(WORKER)]},
                "http": {
                    "pool": {"num_workers": 1},
                    "ssl": {"address": f"127.0.0.1:{self.port}", "acme": acme, **http.pop("ssl", {})},
                    **http,
                },
            },
        )

    def serial(self, issuer: Path) -> int:
        """Serial number of the certificate that it serves, after a request."""
        context = ssl.create_default_context(cafile=str(issuer))
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=20)
        try:
            connection.request("GET", "/")
            assert isinstance(connection.sock, ssl.SSLSocket)
            der = connection.sock.getpeercert(True)
            with connection.getresponse() as answer:
                assert json.loads(answer.read())["uri"] == f"https://localhost:{self.port}/"
            assert der is not None
            return x509.load_der_x509_certificate(der).serial_number
        finally:
            connection.close()


def test_a_certificate_is_obtained_stored_and_used_again(tmp_path: Path) -> None:
    http_port = free_port()
    with Pebble(tmp_path, http_port) as pebble:
        with Site(tmp_path, pebble, http_port) as site:
            first = site.serial(pebble.issuer(tmp_path))
            assert site.stderr.count("acme: certificate obtained") == 1
        files = [path for path in (tmp_path / "certificates").rglob("*") if path.is_file()]
        assert sorted(path.name for path in files) == ["account.key", "localhost.pem"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        with Site(tmp_path, pebble, http_port) as site:
            assert site.serial(pebble.issuer(tmp_path)) == first
            assert "acme: asking" not in site.stderr


def test_a_certificate_is_renewed_in_time_and_no_request_fails(tmp_path: Path) -> None:
    """The challenge arrives on ``http.address``, before its redirect."""
    http_port = free_port()
    plain = {"address": f"127.0.0.1:{http_port}", "ssl": {"redirect": True}}
    with Pebble(tmp_path, http_port, lifetime=24) as pebble, Site(tmp_path, pebble, http_port, **plain) as site:
        issuer = pebble.issuer(tmp_path)
        first = site.serial(issuer)
        loop = Loop(site.port, ssl.create_default_context(cafile=str(issuer)), keep=True)
        loop.start()
        connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=20)
        connection.request("GET", "/.well-known/acme-challenge/nobody-asks")
        with connection.getresponse() as answer:
            assert answer.status == 308
        connection.close()
        site.wait_for("acme: certificate obtained", times=2)
        site.wait_for("certificate loaded")
        assert site.serial(issuer) != first
        loop.stop()
        assert loop.errors == []


def test_a_certificate_is_obtained_with_a_handshake_on_the_https_port(tmp_path: Path) -> None:
    port = free_port()
    challenge = {"challenge_type": "tlsalpn-01", "alt_tlsalpn_port": port}
    with (
        Pebble(tmp_path, tls_port=port) as pebble,
        Site(tmp_path, pebble, port=port, challenge=challenge) as site,
    ):
        assert site.serial(pebble.issuer(tmp_path))


def test_a_certificate_is_obtained_with_a_handshake_on_its_own_port(tmp_path: Path) -> None:
    port = free_port()
    challenge = {"challenge_type": "tlsalpn-01", "alt_tlsalpn_port": port}
    with Pebble(tmp_path, tls_port=port) as pebble, Site(tmp_path, pebble, challenge=challenge) as site:
        assert site.serial(pebble.issuer(tmp_path))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_a_certificate_is_renewed_with_a_handshake_and_no_request_fails(tmp_path: Path) -> None:
    """During the challenge, the interceptor accepts all connections and forwards most of them to the engine."""
    port = free_port()
    challenge = {"challenge_type": "tlsalpn-01", "alt_tlsalpn_port": port}
    with (
        Pebble(tmp_path, lifetime=24, tls_port=port) as pebble,
        Site(tmp_path, pebble, port=port, challenge=challenge) as site,
    ):
        issuer = pebble.issuer(tmp_path)
        first = site.serial(issuer)
        context = ssl.create_default_context(cafile=str(issuer))
        loops = [Loop(port, context, keep=keep) for keep in (True, False)]
        for loop in loops:
            loop.start()
        site.wait_for("acme: certificate obtained", times=2)
        site.wait_for("certificate loaded")
        assert site.serial(issuer) != first
        for loop in loops:
            loop.stop()
            assert loop.errors == []


def test_a_name_of_another_server_ends_the_start_with_an_error_message(tmp_path: Path) -> None:
    other = free_port()  # no server listens there
    with Pebble(tmp_path, other) as pebble:
        Site(tmp_path, pebble, free_port())
        done = rr("serve", cwd=tmp_path, timeout=60)
    assert done.code == 1
    assert f"no certificate from {pebble.directory} for localhost: localhost: " in done.stderr


def test_an_unreachable_acme_server_ends_the_start_with_an_error_message(tmp_path: Path) -> None:
    Site(tmp_path, Pebble(tmp_path, 1), free_port())
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert "no certificate from https://localhost:" in done.stderr


@pytest.mark.parametrize(
    ("acme", "text"),
    [
        ("{domains: [a.org]}", "email could not be empty"),
        ("{email: a@a.org}", "should be at least 1 domain"),
        ('{email: a@a.org, domains: ["*.a.org"]}', "`*.a.org` can't be validated"),
    ],
)
def test_missing_values_are_reported(tmp_path: Path, acme: str, text: str) -> None:
    (tmp_path / ".rr.yaml").write_text(f'version: "3"\nserver: {{command: "true"}}\nhttp: {{ssl: {{acme: {acme}}}}}\n')
    done = rr("config", "check", cwd=tmp_path)
    assert done.code == 1
    assert text in done.stdout + done.stderr
