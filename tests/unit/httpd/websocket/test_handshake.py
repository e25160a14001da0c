"""Which handshakes are well-formed, and how the others are refused."""

from __future__ import annotations

import pytest

from pyroadrunner.asgi import Scope
from pyroadrunner.httpd.websocket.contract import Refused
from pyroadrunner.httpd.websocket.handshake import Opening, is_handshake, open_handshake, subprotocols

# RFC 6455, section 1.3
KEY, ACCEPT = b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
GOOD = {
    b"upgrade": b"websocket",
    b"connection": b"keep-alive, Upgrade",
    b"sec-websocket-key": KEY,
    b"sec-websocket-version": b"13",
}


def scope(headers: dict[bytes, bytes | None] | None = None, method: str = "GET") -> Scope:
    merged = {**GOOD, **(headers or {})}
    pairs = [(name, value) for name, value in merged.items() if value is not None]
    return {"type": "http", "method": method, "http_version": "1.1", "headers": pairs}


def test_the_example_of_the_standard_is_accepted() -> None:
    opening = open_handshake(scope(), compression=True)
    assert isinstance(opening, Opening)
    assert (opening.accept, opening.extension_header, opening.extensions) == (ACCEPT, b"", [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({b"upgrade": b"h2c"}, 426),
        ({b"connection": b"close"}, 426),
        ({b"sec-websocket-key": None}, 400),
        ({b"sec-websocket-key": b"short"}, 400),
        ({b"sec-websocket-version": b"8"}, 426),
        ({b"sec-websocket-version": None}, 400),
        ({b"sec-websocket-extensions": b"=;,"}, 400),
    ],
)
def test_a_malformed_handshake_is_refused(headers: dict[bytes, bytes | None], status: int) -> None:
    answer = open_handshake(scope(headers), compression=True)
    assert isinstance(answer, Refused)
    assert answer.status == status
    assert answer.body


def test_another_method_is_refused() -> None:
    answer = open_handshake(scope(method="POST"), compression=True)
    assert isinstance(answer, Refused)
    assert (answer.status, (b"allow", b"GET") in answer.headers) == (405, True)


def test_an_old_version_is_told_the_right_one() -> None:
    answer = open_handshake(scope({b"sec-websocket-version": b"8"}), compression=True)
    assert isinstance(answer, Refused)
    assert (b"sec-websocket-version", b"13") in answer.headers


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (
            b"permessage-deflate; client_max_window_bits",
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        (b"x-webkit-deflate-frame", b""),
        (
            b"permessage-deflate; server_max_window_bits=10",
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
        ),
    ],
)
def test_compression_keeps_no_state_between_messages(offer: bytes, answer: bytes) -> None:
    opening = open_handshake(scope({b"sec-websocket-extensions": offer}), compression=True)
    assert isinstance(opening, Opening)
    assert opening.extension_header == answer


def test_compression_can_be_switched_off() -> None:
    opening = open_handshake(scope({b"sec-websocket-extensions": b"permessage-deflate"}), compression=False)
    assert isinstance(opening, Opening)
    assert (opening.extension_header, opening.extensions) == (b"", [])


def test_subprotocols_keep_the_order_of_the_client() -> None:
    pairs = [(b"sec-websocket-protocol", b"chat, superchat"), (b"x", b"y"), (b"sec-websocket-protocol", b"third")]
    assert subprotocols(pairs) == ["chat", "superchat", "third"]


def test_only_websocket_is_a_handshake() -> None:
    assert is_handshake(scope())
    assert is_handshake(scope({b"upgrade": b" WebSocket"}))
    assert not is_handshake(scope({b"upgrade": b"h2c"}))
    assert not is_handshake({"headers": []})
