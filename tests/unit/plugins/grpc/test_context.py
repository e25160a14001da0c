"""The context of a call for its worker."""

from __future__ import annotations

import json

import pytest

from pyroadrunner.grpcd import GrpcStatus, Pairs, Request, StatusCode
from pyroadrunner.plugins.grpc.context import ContextEncoder, peer_address


def context(headers: Pairs, **more: object) -> dict[str, list[str]]:
    request = Request("/s/M", b"", headers, peer=("1.2.3.4", 5), **more)  # type: ignore[arg-type]
    found: dict[str, list[str]] = json.loads(ContextEncoder("s", "M").encode(request))["context"]
    return found


def test_the_order_of_the_keys_is_that_of_roadrunner() -> None:
    data = ContextEncoder('a."b', "M").encode(Request("/s/M", b"", []))
    assert data == b'{"service":"a.\\"b","method":"M","context":{":peer.address":["@"]}}'


def test_metadata_are_lists_in_their_order() -> None:
    assert context([(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3")]) == {
        "x-a": ["1", "3"],
        "x-b": ["2"],
        ":peer.address": ["1.2.3.4:5"],
    }


def test_fields_of_the_protocol_are_hidden_and_others_are_not() -> None:
    hidden = [b"te", b"host", b"grpc-timeout", b"grpc-encoding", b"grpc-message", b"grpc-message-type", b"grpc-status"]
    shown = [b"content-type", b"user-agent", b"grpc-accept-encoding", b"grpc-previous-rpc-attempts"]
    found = context([(name, b"x") for name in hidden + shown], authority="a:1")
    assert list(found) == [*(name.decode() for name in shown), ":authority", ":peer.address"]
    assert found[":authority"] == ["a:1"]


def test_tls_is_told() -> None:
    assert context([], tls=True)[":peer.auth-type"] == ["tls"]
    assert ":peer.auth-type" not in context([])


def test_the_worker_learns_how_long_the_client_waits() -> None:
    assert context([], timeout=1.2345)[":timeout-ms"] == ["1234"]
    assert ":timeout-ms" not in context([])


def test_binary_metadata_is_there_as_text_and_as_base64() -> None:
    found = context([(b"a-bin", b"/w"), (b"a-bin", b"YQ==,YWI")])
    assert found["a-bin"] == ["\ufffd", "a", "ab"]
    assert found["a-bin:base64"] == ["/w==", "YQ==", "YWI="]


def test_binary_metadata_that_is_none_is_refused() -> None:
    with pytest.raises(GrpcStatus) as caught:
        context([(b"a-bin", b"*")])
    assert caught.value.code == StatusCode.INTERNAL


def test_values_that_are_no_utf8_do_not_break_the_context() -> None:
    assert context([(b"x-a", b"\xff")])["x-a"] == ["\ufffd"]


def test_without_tracing_the_worker_continues_the_trace_of_the_client() -> None:
    found = context([(b"traceparent", b"00-a"), (b"uber-trace-id", b"b")])
    assert (found["traceparent"], found["Traceparent"]) == (["00-a"], ["00-a"])
    assert (found["uber-trace-id"], found["Uber-Trace-Id"]) == (["b"], ["b"])
    assert "Baggage" not in found


def test_with_tracing_it_continues_the_span_of_the_server() -> None:
    request = Request("/s/M", b"", [(b"traceparent", b"00-client")])
    data = ContextEncoder("s", "M").encode(request, [(b"traceparent", b"00-server"), (b"baggage", b"a=1")])
    found = json.loads(data)["context"]
    assert found["traceparent"] == ["00-client"]
    assert found["Traceparent"] == ["00-server"]
    assert found["Baggage"] == ["a=1"]


@pytest.mark.parametrize(
    ("peer", "text"),
    [(None, "@"), (("127.0.0.1", 1), "127.0.0.1:1"), (("::1", 2), "[::1]:2"), (("fe80::1", 3), "[fe80::1]:3")],
)
def test_addresses_have_gos_form(peer: tuple[str, int] | None, text: str) -> None:
    assert peer_address(peer) == text
