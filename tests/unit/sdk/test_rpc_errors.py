"""Errors of RPC say what to do next."""

from __future__ import annotations

import errno

import pytest

from pyroadrunner.net.address import parse_address
from pyroadrunner.sdk.rpc.errors import not_connected


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.EACCES, "run this as that user, or with sudo"),
        (errno.ENOENT, "is the server running"),
        (errno.ECONNREFUSED, "is the server running"),
    ],
)
def test_a_socket_that_does_not_answer(code: int, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RR_MODE", raising=False)
    first, second = str(not_connected(parse_address("unix:///run/rr.sock"), OSError(code, "why"))).split("\n")
    assert first == "dial unix /run/rr.sock: connect: why"
    assert advice in second
