"""Malformed replies of a server."""

from __future__ import annotations

import pytest

from pyroadrunner.goridge.rpc import Answer
from pyroadrunner.sdk.rpc import encoding
from pyroadrunner.sdk.rpc.errors import RpcError
from support.messages import Order


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 200_000])
def test_a_result_that_is_not_json_fails_the_call(body: bytes) -> None:
    with pytest.raises(RpcError, match=r"the server's reply can't be decoded: ."):
        encoding.json_result(Answer(1, b"lab.Echo", body, failed=False))


@pytest.mark.parametrize("body", [b"\xff", b"\x0b" * 200_000])
def test_a_result_that_is_not_a_message_fails_the_call(body: bytes) -> None:
    with pytest.raises(RpcError, match=r"the server's reply can't be decoded: ."):
        encoding.message_result(Answer(1, b"lab.Echo", body, failed=False), Order)
