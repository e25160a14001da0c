"""The dashboard over HTTP: what a stranger gets, what attacks do, what programs and operators can do."""

from __future__ import annotations

import base64
import json
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import trustme

from support.dashboard import TOKEN, Client, everything, site
from support.server import READY, Server, rr

READS = ["/api/session", "/api/page?id=overview", "/api/page?id=config", "/api/page?id=logs", "/api/stream?id=overview"]
FILES = ["/assets/app.js", "/assets/index.html", "/assets/vendor/uplot.js", "/nothing"]
ACTION = {"page": "workers", "action": "reset", "row": "http"}
PUBLIC = {"/", "/assets/login.js", "/assets/style.css", "/assets/icon.svg", "/api/login-form"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    users = {"users": {"ann": {"password": "a password"}}}
    with site(tmp_path_factory.mktemp("dashboard"), dashboard=users, **everything()) as server:
        yield server
        assert server.stop() == 0


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server).sign_in()


def refused(answer: tuple[int, dict[str, str], Any], *codes: int) -> str:
    """Assert that the answer is a refusal which says nothing about the server; return its text."""
    status, _, said = answer
    assert status in codes, said
    assert set(said) == {"error"}
    return str(said["error"])


def calls(client: Client) -> int:
    return int(sum(pool["calls"] for pool in client.page("workers")["pools"] if pool["scalable"]))


def pids(client: Client) -> set[int]:
    return {one["pid"] for one in client.page("workers")["workers"] if one["pool"] == "http"}


# -- a stranger --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*READS, *FILES])
def test_a_stranger_reads_nothing(server: Server, path: str) -> None:
    assert refused(Client(server).send("GET", path), 401) == "Sign in first."


def test_a_stranger_does_nothing(server: Server, client: Client) -> None:
    before = pids(client)
    assert refused(Client(server).send("POST", "/api/action", ACTION), 401) == "Sign in first."
    assert pids(client) == before


def test_the_form_and_its_files_say_nothing_about_the_server(server: Server) -> None:
    stranger = Client(server)
    for path in PUBLIC:
        status, headers, said = stranger.send("GET", path)
        assert status == 200
        text = said if isinstance(said, bytes) else json.dumps(said).encode()
        for secret in (socket.gethostname(), str(server.pid), TOKEN, "0.1.0", "2025.1"):
            assert secret.encode() not in text
        assert "server" not in headers


def test_wrong_secrets_are_refused_and_guessing_is_stopped(tmp_path: Path) -> None:
    with site(tmp_path) as server:
        stranger = Client(server)
        for number in range(9):
            given = {"token": f"wrong{number}"} if number % 2 else {"name": "token", "password": TOKEN}
            assert "wrong" in refused(stranger.send("POST", "/api/login", given), 401)
        refused(stranger.send("GET", "/api/session", headers={"Authorization": "Bearer wrong"}), 401)
        status, headers, _ = stranger.send("POST", "/api/login", {"token": TOKEN})
        assert status == 429
        assert 0 < int(headers["retry-after"]) <= 60
        refused(stranger.send("GET", "/api/session", headers={"Authorization": f"Bearer {TOKEN}"}), 429)
        assert TOKEN not in server.stderr


def test_every_answer_forbids_frames_foreign_files_and_caches(client: Client) -> None:
    for path in ("/", "/assets/app.js", "/api/session", "/nothing"):
        _, headers, _ = client.send("GET", path)
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert headers["cache-control"] in ("no-store", "no-cache")


def test_no_file_of_the_front_end_has_foreign_addresses_or_inline_code(client: Client) -> None:
    for name in ("index.html", "login.html"):
        _, _, text = client.send("GET", f"/assets/{name}")
        assert b"://" not in text
        assert b"<script>" not in text
        assert b"<style" not in text
        assert b" on" not in text.replace(b" one", b"").replace(b" only", b"")


# -- attacks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},  # the application on another port of this machine
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-Dashboard-Key": ""},  # what a form of another site can send at most
        {"X-Dashboard-Key": "guessed"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Cookie": ""},
    ],
    ids=str,
)
def test_a_forged_request_does_nothing(client: Client, changes: dict[str, str]) -> None:
    before = pids(client)
    headers = {"Content-Type": "application/json", **client.headers(), **changes}
    body = json.dumps(ACTION).encode()
    with client.open("POST", "/api/action", body, headers) as answer:
        assert answer.status in (401, 403, 415)
        assert answer.getheader("access-control-allow-origin") is None
    assert pids(client) == before


def test_credentials_that_browsers_send_by_themselves_do_not_help_another_site(client: Client) -> None:
    before = pids(client)
    given = base64.b64encode(b"ann:a password").decode()
    for origin in ("http://evil.example", "null"):
        headers = {"Authorization": f"Basic {given}", "Origin": origin}
        refused(client.send("POST", "/api/action", ACTION, headers), 403)
        refused(client.send("GET", "/api/session", headers=headers), 403)
    assert pids(client) == before


def test_an_action_needs_a_post(client: Client) -> None:
    before = pids(client)
    query = "?page=workers&action=reset&row=http"
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        status, headers, _ = client.send(method, f"/api/action{query}")
        assert status in (403, 405, 501)
        assert "access-control-allow-methods" not in headers
    assert pids(client) == before


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "", "a,b"])
def test_a_name_that_was_made_to_point_here_is_refused(client: Client, host: str) -> None:
    """DNS rebinding: the browser believes the dashboard to be a part of the attacker's site."""
    headers = {**client.headers(), "Host": host or ",", "Origin": f"http://{host}"}
    for path in ("/", "/assets/login.js", "/api/session", "/api/login-form"):
        assert "dashboard.hosts" in refused(client.send("GET", path, headers=headers), 403)
    refused(client.send("POST", "/api/login", {"token": TOKEN}, headers), 403)


def test_a_second_host_or_origin_is_refused(client: Client) -> None:
    host, _, port = client.address.rpartition(":")
    for extra in ("Host: evil.example", "Origin: http://evil.example"):
        with socket.create_connection((host, int(port)), timeout=60) as raw:
            head = f"GET /api/login-form HTTP/1.1\r\nHost: {client.address}\r\nOrigin: {client.url}\r\n{extra}\r\n\r\n"
            raw.sendall(head.encode())
            assert raw.recv(4096).split(b" ", 2)[1] in (b"400", b"403")


def test_a_name_of_the_config_is_served(tmp_path: Path) -> None:
    with site(tmp_path, dashboard={"hosts": ["Ops.example.com"]}) as server:
        headers = {"Host": "ops.example.com", "Origin": "https://ops.example.com"}  # a proxy adds HTTPS
        status, sent, _ = Client(server).send("POST", "/api/login", {"token": TOKEN}, headers)
        assert status == 200
        assert "; Secure" in sent["set-cookie"]


def test_a_cookie_alone_reads_no_data(client: Client) -> None:
    """A server on another port of this host gets the cookie: cookies know no ports."""
    headers = {"Cookie": client.cookie}
    for path in READS:
        assert refused(client.send("GET", path, headers=headers), 401) == "Sign in first."
    assert client.send("GET", "/", headers=headers)[2].startswith(b"<!doctype html>")


@pytest.mark.parametrize("form", ['a[b]={{"c": 1}}; {}', "{}; x", "=; x; a=b=c;; {};"])
def test_cookies_of_other_applications_do_not_matter(client: Client, form: str) -> None:
    headers = {**client.headers(), "Cookie": form.format(client.cookie)}
    assert client.send("GET", "/api/session", headers=headers)[0] == 200


def test_the_cookie_is_kept_from_scripts_and_other_sites(server: Server) -> None:
    _, headers, said = Client(server).send("POST", "/api/login", {"token": TOKEN})
    cookie = headers["set-cookie"]
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in cookie
    assert said["key"] not in cookie


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../plugin.py",
        "/assets/%2e%2e/plugin.py",
        "/assets/..%2fplugin.py",
        "/assets//etc/passwd",
        "/assets/vendor/../../plugin.py",
        "/assets/vendor/%00",
        "/assets/vendor/LICENSE.htm",
        "//etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_files(client: Client, path: str) -> None:
    status, _, _ = client.send("GET", path)
    assert status in (400, 404)


def test_bodies_and_parameters_are_bounded(client: Client) -> None:
    before = pids(client)
    too_long = {**ACTION, "row": "x" * 2000}
    refused(client.send("POST", "/api/action", too_long), 400)
    refused(client.send("POST", "/api/action", {**ACTION, "row": "x" * 100_000}), 413)
    for wrong in ([], "text", {"page": 1}, {}, None):
        headers = {"Content-Type": "application/json", **client.headers()}
        with client.open("POST", "/api/action", json.dumps(wrong).encode(), headers) as answer:
            assert answer.status == 400
    refused(client.send("GET", "/api/page?" + "&".join(f"a{n}=1" for n in range(100))), 400)
    assert pids(client) == before


@pytest.mark.parametrize(
    ("page", "action", "row", "text"),
    [
        ("workers", "kill", "http/1", "has no worker with the pid 1"),
        ("workers", "kill", "http/-1", "has no worker"),
        ("workers", "kill", "http/99999999999999999999", "has no worker"),
        ("workers", "kill", "other/1", "no pool"),
        ("workers", "stop", "http", "no action"),
        ("workers", "reset", "", "no pool"),
        ("jobs/pipelines", "pause", "none", "none"),
        ("jobs/pipelines", "destroy", "mail", "no action"),
        ("jobs/failed", "retry", "none/x", "none"),
        ("schedule/entries", "run", "none", "none"),
        ("schedule/entries", "stop", "clean", "no action"),
        ("kv/storages", "clear", "none", "none"),
        ("kv/storages", "drop", "cache", "no action"),
        ("lock/locks", "take", "x", "no action"),
        ("service/services", "restart", "none/0", "none"),
        ("service/services", "create", "clock/0", "no action"),
        ("websocket/connections", "close", "none", "not open"),
        ("websocket/connections", "send", "none", "no action"),
    ],
)
def test_what_does_not_exist_is_refused_with_its_reason(
    client: Client, page: str, action: str, row: str, text: str
) -> None:
    status, _, said = client.send("POST", "/api/action", {"page": page, "action": action, "row": row})
    assert status == 409
    assert text in said["error"]


@pytest.mark.parametrize("page", ["", "none", "jobs", "jobs/none", "kv/../config", "overview/x"])
def test_an_unknown_page_is_not_found(client: Client, page: str) -> None:
    refused(client.send("GET", f"/api/page?id={page}"), 404)
    refused(client.send("GET", f"/api/stream?id={page}"), 404)
    refused(client.send("POST", "/api/action", {"page": page, "action": "reset", "row": "http"}), 404)


# -- programs and operators --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "secret"), [("Bearer", TOKEN), ("Basic", base64.b64encode(b"ann:a password").decode())]
)
def test_a_program_sends_its_secret_with_each_request(server: Server, scheme: str, secret: str) -> None:
    program = Client(server)
    headers = {"Authorization": f"{scheme} {secret}"}
    status, _, said = program.send("GET", "/api/page?id=workers", headers=headers)
    assert status == 200
    assert {"http", "jobs"} <= {pool["name"] for pool in said["pools"]}
    status, _, said = program.send("POST", "/api/action", ACTION, headers)
    assert (status, said) == (200, {"message": "The workers of http were replaced."})


def test_a_user_signs_in_and_out(server: Server) -> None:
    ann = Client(server).sign_in(name="Ann", password="a password")
    assert ann.get("/api/session")["user"] == "ann"
    status, headers, _ = ann.send("POST", "/api/logout", {})
    assert status == 200
    assert "Max-Age=0" in headers["set-cookie"]
    refused(ann.send("GET", "/api/session"), 401)


def test_actions_are_in_the_log_with_their_user(server: Server, client: Client) -> None:
    client.act("kv/storages", "clear", "cache")
    server.wait_for('"msg":"action was run","user":"token","page":"kv/storages","action":"clear","row":"cache"')


def test_read_only_refuses_every_action(tmp_path: Path) -> None:
    with site(tmp_path, dashboard={"read_only": True}) as server:
        client = Client(server).sign_in()
        before = pids(client)
        assert "read-only" in refused(client.send("POST", "/api/action", ACTION), 403)
        assert pids(client) == before


def test_pages_of_absent_sections_are_not_in_the_menu(tmp_path: Path) -> None:
    with site(tmp_path) as server:
        menu = Client(server).sign_in().get("/api/session")["menu"]
        assert [entry["id"] for entry in menu] == ["overview", "workers", "logs", "config"]


@pytest.mark.parametrize("middleware", [[], ["headers"]], ids=["short way", "with middleware"])
def test_requests_are_counted_by_status(tmp_path: Path, middleware: list[str]) -> None:
    http = {"pool": {"num_workers": 1}, "middleware": middleware, "headers": {"response": {"X-A": "b"}}}
    with site(tmp_path, http=http, logs={"level": "warn"}) as server:
        client = Client(server).sign_in()
        for _ in range(3):
            urlopen(server.url, timeout=60).close()
        with pytest.raises(HTTPError) as failed:
            urlopen(f"{server.url}/fail", timeout=60)
        failed.value.close()
        assert calls(client) == 4
        fine: dict[str, list[Any]] = {}
        while total(fine, "requests") < 3.5:  # the rate of a second that is a little longer is lower
            fine = client.page("overview")["fine"]
        assert 0.5 < total(fine, "errors") <= 1.5
        assert any(fine["p99"])


def total(columns: dict[str, list[Any]], name: str) -> float:
    return float(sum(value or 0 for value in columns.get(name, [])))


def events(client: Client, path: str) -> Iterator[tuple[str, Any]]:
    """The events of a stream until it ends."""
    name = ""
    with client.open("GET", path, None, client.headers()) as answer:
        assert answer.getheader("content-type") == "text/event-stream"
        for line in answer:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:])


def test_open_streams_do_not_hold_up_the_stop(tmp_path: Path) -> None:
    with site(tmp_path, endure={"grace_period": "600s"}) as server:
        client = Client(server).sign_in()
        streams = [events(client, f"/api/stream?id={page}") for page in ("overview", "workers", "logs")]
        for stream in streams:
            next(stream)
        assert server.stop() == 0
        for stream in streams:
            list(stream)


def test_a_stream_begins_before_there_is_something_to_show(client: Client) -> None:
    with client.open("GET", "/api/stream?id=logs&text=nothing+has+this+text", None, client.headers()) as answer:
        assert answer.readline() == b": open\n"


def test_a_stream_brings_a_change_after_an_action(client: Client) -> None:
    stream = events(client, "/api/stream?id=workers")
    name, first = next(stream)
    assert name == "first"
    assert "curves" in first
    before = {pool["name"]: pool["workers"] for pool in first["pools"]}["http"]
    client.act("workers", "add", "http")
    for name, page in stream:
        assert name == "page"
        if {pool["name"]: pool["workers"] for pool in page["pools"]}["http"] == before + 1:
            break
    client.act("workers", "remove", "http")


def test_the_dashboard_outlives_a_reload_and_a_replaced_server(tmp_path: Path) -> None:
    with site(tmp_path, endure={"retirement": "300ms"}) as server:
        client = Client(server).sign_in()
        text = (tmp_path / ".rr.yaml").read_text()
        (tmp_path / ".rr.yaml").write_text(text.replace("num_workers: 2", "num_workers: 3"))
        assert rr("reload", cwd=tmp_path).code == 0
        [value] = [one for one in client.page("config")["values"] if one["key"] == "http.pool.num_workers"]
        assert (value["value"], value["source"]) == ("3", "reload")
        assert "the config was reloaded" in [line["message"] for line in client.page("logs")["lines"]]
        server.send(signal.SIGUSR2)
        server.wait_for(READY, times=2)
        assert Client(server).sign_in().get("/api/session")["server"]["pid"] == server.pid


def test_it_serves_https(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    for at, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(tmp_path / "cert.pem", append=at > 0)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with site(tmp_path, dashboard={"ssl": {"cert": "cert.pem", "key": "key.pem"}}) as server:
        host, _, port = server.config["dashboard"]["address"].rpartition(":")
        connection = HTTPSConnection(host, int(port), context=context, timeout=60)
        headers = {"Content-Type": "application/json", "Origin": f"https://{host}:{port}"}
        connection.request("POST", "/api/login", json.dumps({"token": TOKEN}), headers)
        with connection.getresponse() as answer:
            assert answer.status == 200
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-rr-dashboard=")
            assert "; Secure" in cookie
        connection.close()
        assert server.stop() == 0


def test_many_streams_are_refused_and_the_others_go_on(client: Client) -> None:
    streams = [events(client, "/api/stream?id=overview") for _ in range(64)]
    threads = [threading.Thread(target=next, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    status, _, said = client.send("GET", "/api/stream?id=overview")
    assert (status, said) == (503, {"error": "Too many pages are open."})
    for stream in streams:
        stream.close()
    while client.open("GET", "/api/stream?id=overview", None, client.headers()).status == 503:
        pass  # until the server has seen them leave
