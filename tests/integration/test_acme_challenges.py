"""Responses to challenges on the plain address, and on their own port."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest

from pyroadrunner.httpd.errors import TlsError
from pyroadrunner.plugins.http.tls.acme.http01 import Answers, ChallengeAnswers, answering
from support.asgi import Exchange, ScriptedPool, http_scope, worker_app
from support.ports import free_port

PATH = "/.well-known/acme-challenge/token"


def test_only_open_challenges_get_a_response_before_the_workers() -> None:
    pool = ScriptedPool()
    answers: Answers = {}
    app = ChallengeAnswers(worker_app(pool), answers)
    assert (
        Exchange(http_scope("GET", PATH)).run(app).body == b"ok"
    )  # no open challenge: the request goes to the workers
    answers[PATH] = b"token.thumbprint"
    assert Exchange(http_scope("GET", PATH)).run(app).body == b"token.thumbprint"
    assert Exchange(http_scope("GET", PATH + "x")).run(app).body == b"ok"
    assert len(pool.asked) == 2


def test_their_own_port_serves_only_challenges() -> None:
    port = free_port()
    with answering(port, {PATH: b"content"}):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{PATH}", timeout=20) as answer:
            assert answer.read() == b"content"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/etc/passwd", timeout=20)
        caught.value.close()
        assert caught.value.code == 404
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), 20)


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(TlsError, match=rf"alt_http_port {port} can't be listened on"), answering(port, {}):
            pass
