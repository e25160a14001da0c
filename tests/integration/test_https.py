"""HTTPS for users: the real ``rr serve`` with real PHP workers and real TLS clients."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.php import require_php
from support.server import Server, free_port, rr
from support.tls import Authority, Identity, Loop, common_name

WORKER = Path(__file__).parent.parent / "support" / "workers" / "context.php"


class Site(Server):
    """A server with ``http.ssl``.

    Attributes:
        authority: the CA that signed its certificate.
        identity: the files it uses.
        port: of HTTPS.
    """

    def __init__(self, folder: Path, *, workers: int = 1, http: dict[str, Any] | None = None, **ssl: Any) -> None:
        self.authority = Authority(folder)
        self.identity = self.authority.server()
        self.port = free_port()
        files = {"cert": str(self.identity.cert), "key": str(self.identity.key)}
        section = {"address": f"127.0.0.1:{self.port}", **files, **ssl}
        super().__init__(
            folder,
            {
                "server": {"command": [require_php(), str(WORKER)]},
                "http": {"pool": {"num_workers": workers}, "ssl": section, **(http or {})},
            },
        )

    def connect(self, client: Identity | None = None) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            "localhost", self.port, context=self.authority.context(client), timeout=20
        )
        connection.connect()
        return connection

    def ask(self, target: str = "/", client: Identity | None = None) -> dict[str, Any]:
        """The request as the worker received it."""
        connection = self.connect(client)
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            assert answer.status == 200
            told: dict[str, Any] = json.loads(answer.read())
            return told
        finally:
            connection.close()


def test_a_worker_sees_https_and_the_plain_address_is_still_served(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        told = site.ask("/a?b=1")
        assert told["uri"] == f"https://localhost:{site.port}/a?b=1"
        assert (told["protocol"], told["attributes"]) == ("HTTP/1.1", [])  # PHP's empty array
        plain = http.client.HTTPConnection(*site.address, timeout=20)
        plain.request("GET", "/")
        assert json.loads(plain.getresponse().read())["uri"] == f"{site.url}/"
        plain.close()


def test_tls_works_without_a_plain_address(tmp_path: Path) -> None:
    with Site(tmp_path, http={"address": ""}) as site:
        assert site.ask()["method"] == "GET"


def test_a_redirect_leads_to_the_tls_port(tmp_path: Path) -> None:
    with Site(tmp_path, redirect=True) as site:
        plain = http.client.HTTPConnection(*site.address, timeout=20)
        plain.request("POST", "/a%20b?c", body=b"x=1", headers={"Host": "localhost:80"})
        with plain.getresponse() as answer:
            assert answer.status == 308
            assert answer.headers["Location"] == f"https://localhost:{site.port}/a%20b?c"
        plain.close()


def test_http2_and_http1_are_offered_and_old_versions_are_not(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        for alpn in ("h2", "http/1.1"):
            context = site.authority.context(alpn=alpn)
            with (
                socket.create_connection(("127.0.0.1", site.port), 20) as raw,
                context.wrap_socket(raw, server_hostname="localhost") as tls,
            ):
                assert (tls.selected_alpn_protocol(), tls.version()) == (alpn, "TLSv1.3")
        old = site.authority.context()
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = ssl.TLSVersion.TLSv1_1
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", site.port), 20) as raw, pytest.raises(ssl.SSLError):
            old.wrap_socket(raw, server_hostname="localhost")
        twelve = site.authority.context()
        twelve.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection(("127.0.0.1", site.port), 20) as raw,
            twelve.wrap_socket(raw, server_hostname="localhost") as tls,
        ):
            cipher = tls.cipher()
            assert cipher is not None
            assert cipher[0].startswith("ECDHE-")


def test_http2_without_tls_is_served_only_if_enabled(tmp_path: Path) -> None:
    for h2c, by_preface, by_upgrade in ((True, b"2 200", b"2 200"), (False, b"0 000", b"1.1 200")):
        with Site(tmp_path, http={"http2": {"h2c": h2c}}) as site:
            command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", site.url]
            assert subprocess.run([*command, "--http2-prior-knowledge"], stdout=-1).stdout == by_preface
            assert subprocess.check_output([*command, "--http2"]) == by_upgrade
            assert subprocess.check_output(command) == b"1.1 200"


def test_certificates_of_clients_are_verified_and_passed_to_workers(tmp_path: Path) -> None:
    site = Site(tmp_path, root_ca=str(tmp_path / "ca.pem"), client_auth_type="verify_client_cert_if_given")
    with site:
        assert site.ask()["attributes"] == {"SSL_CLIENT_VERIFY": "NONE"}
        told = site.ask(client=site.authority.client("alice"))["attributes"]
        assert told["SSL_CLIENT_VERIFY"] == "SUCCESS"
        assert "CN=alice" in told["SSL_CLIENT_S_DN"]
        assert told["SSL_CLIENT_CERT"].startswith("-----BEGIN CERTIFICATE-----")
        stranger = Authority(tmp_path, "other").client("mallory")
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            site.ask(client=stranger)


def test_a_certificate_can_be_required(tmp_path: Path) -> None:
    site = Site(tmp_path, root_ca=str(tmp_path / "ca.pem"), client_auth_type="require_and_verify_client_cert")
    with site:
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            site.ask()
        assert site.ask(client=site.authority.client("bob"))["attributes"]["SSL_CLIENT_VERIFY"] == "SUCCESS"


def test_a_new_certificate_is_served_and_no_request_fails(tmp_path: Path) -> None:
    with Site(tmp_path, workers=2) as site:
        context = site.authority.context()
        loops = [Loop(site.port, context, keep=number % 2 == 0) for number in range(6)]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.wait_for("server")
        for name in ("second", "third"):
            site.identity.replace_by(site.authority.server(name))
            for loop in loops:
                loop.wait_for(name, 20)
        for loop in loops:
            loop.stop()
        assert [loop.errors for loop in loops] == [[]] * len(loops)
        assert [sorted(loop.answers) for loop in loops] == [["second", "server", "third"]] * len(loops)


def test_a_running_request_and_an_idle_connection_survive_the_change(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        running, idle = site.connect(), site.connect()
        running.request("GET", "/?ms=1800")
        site.identity.replace_by(site.authority.server("second"))
        site.wait_for("certificate loaded")
        fresh = site.connect()
        assert isinstance(fresh.sock, ssl.SSLSocket)
        assert common_name(fresh.sock) == "second"
        fresh.close()
        idle.request("GET", "/")
        for connection in (running, idle):
            with connection.getresponse() as answer:
                assert json.loads(answer.read())["method"] == "GET"
                assert answer.will_close  # so that the next request sees the new certificate
            connection.close()


def test_a_bad_certificate_changes_nothing_and_a_later_good_one_does(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        site.identity.cert.write_bytes(b"garbage")
        site.wait_for("the new certificate can't be loaded; the old one stays in use")
        assert site.ask()["method"] == "GET"
        site.identity.replace_by(site.authority.server("second"))
        site.wait_for("certificate loaded")
        assert site.ask()["method"] == "GET"


@pytest.mark.parametrize(
    ("ssl", "text"),
    [
        ({"key": "/no/such.key"}, "key file '/no/such.key' does not exists"),
        ({"cert": "/no/such.crt"}, "cert file '/no/such.crt' does not exists"),
        ({"root_ca": "/no/ca.pem"}, "root_ca file '/no/ca.pem' does not exists"),
        ({"key": ""}, "http.ssl.cert is set and http.ssl.key is not"),
        (
            {"address": "here"},
            "unknown format, accepted format is [:<port> or <host>:<port>], provided: here",
        ),
    ],
)
def test_unusable_files_are_refused_immediately(tmp_path: Path, ssl: dict[str, str], text: str) -> None:
    Site(tmp_path, **ssl)
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert text in done.stderr


def test_a_config_without_any_address_is_refused(tmp_path: Path) -> None:
    Server(tmp_path, {"server": {"command": [require_php(), str(WORKER)]}, "http": {"address": ""}})
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert "unable to run http service, no method has been specified (http, https, http/2 or FastCGI)" in done.stderr
