"""Responses to challenges on the plain address, and on their own port."""

from __future__ import annotations

import socket

import pytest

from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.errors import ListenError
from pyroadrunner.plugins.http.tls.acme.http01 import Answers, ChallengeAnswers, answering
from support.admin import browser_of
from support.asgi import Exchange, ScriptedPool, http_scope, worker_app
from support.pools import run
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


async def get(port: int, path: str) -> tuple[int, bytes]:
    async with browser_of(TcpAddress("127.0.0.1", port)) as browser:
        answer = await browser.get(path)
        return answer.status, answer.body


def test_their_own_port_serves_only_challenges_and_is_closed_afterwards() -> None:
    async def main() -> None:
        port = free_port()
        async with answering(port, {PATH: b"content"}), browser_of(TcpAddress("127.0.0.1", port)) as idle:
            assert await get(port, PATH) == (200, b"content")
            assert await get(port, "/etc/passwd") == (404, b"")
            assert (await idle.get(PATH)).status == 200
        with pytest.raises(OSError):
            await get(port, PATH)

    run(main())


def test_a_port_in_use_is_named() -> None:
    async def main(port: int) -> None:
        with pytest.raises(ListenError, match=rf"alt_http_port: cannot listen on :{port}: the address is in use"):
            async with answering(port, {}):
                pass

    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        run(main(other.getsockname()[1]))
