"""A worker's reply: metadata and status. (The integration tests send more of them through a real worker.)"""

from __future__ import annotations

import base64
import json

import pytest

from pyroadrunner.grpcd import GrpcStatus, StatusCode
from pyroadrunner.grpcd.status import write_status
from pyroadrunner.plugins.grpc.reply import is_empty, read_head, response_of, worker_error


def encoded(status: bytes) -> str:
    return base64.b64encode(status).decode()


@pytest.mark.parametrize("context", [b"", b"{}", b"null"])
def test_an_empty_context_says_nothing(context: bytes) -> None:
    assert is_empty(context)
    response, dropped = response_of(context, b"body")
    assert (response.message, response.headers, response.trailers, response.code, dropped) == (
        b"body",
        None,
        None,
        0,
        [],
    )


def test_the_flat_style_does_not_leak_its_error() -> None:
    head = read_head(json.dumps({"X-A": "1", "Error": encoded(write_status(5, "no"))}).encode())
    assert head.headers == [(b"x-a", b"1")]
    assert head.error is not None
    assert (head.error.code, head.error.message, head.error.details) == (5, "no", b"")


def test_one_key_is_enough_for_the_split_style_in_any_case() -> None:
    head = read_head(b'{"Headers":"","x-a":"ignored"}')
    assert (head.headers, head.trailers) == ([], [])


@pytest.mark.parametrize("inner", ['{"a":"1"}', '{"a":["1"]}', '{"a":1}'])
def test_values_are_strings_lists_or_numbers(inner: str) -> None:
    assert read_head(json.dumps({"trailers": inner}).encode()).trailers == [(b"a", b"1")]


@pytest.mark.parametrize(
    ("inner", "dropped"),
    [
        ("nonsense", "headers: "),
        ('["a"]', "headers: is no object"),
        ('{"a":null}', "headers.a: is no string"),
        ('{"a":true}', "headers.a: is no string"),
        ('{"a":[{}]}', "headers.a: is no string"),
        ('{"a b":"1"}', "a b: not allowed in metadata"),
    ],
)
def test_other_values_are_dropped_with_a_reason(inner: str, dropped: str) -> None:
    head = read_head(json.dumps({"headers": inner}).encode())
    assert head.headers == []
    assert head.dropped[0].startswith(dropped)


@pytest.mark.parametrize("inner", ["", "[]", "{}", "null"])
def test_nothing_is_nothing(inner: str) -> None:
    head = read_head(json.dumps({"headers": inner}).encode())
    assert (head.headers, head.dropped) == ([], [])


def test_details_are_passed_on_as_they_came() -> None:
    status = write_status(3, "bad", [b"\x0a\x01a"])
    response, _ = response_of(json.dumps({"error": encoded(status)}).encode(), b"dropped")
    assert (response.message, response.code, response.text, response.details) == (None, 3, "bad", status)


def test_a_status_without_a_code_is_a_success() -> None:
    context = json.dumps({"error": encoded(write_status(0, "x"))}).encode()
    response, _ = response_of(context, b"body")
    assert (response.message, response.code, response.text) == (b"body", 0, "")


@pytest.mark.parametrize("error", ["", encoded(write_status(0, "x"))])
def test_a_streaming_method_may_answer_without_a_message(error: str) -> None:
    context = json.dumps({"error": error}).encode()
    assert response_of(context, b"", streams=True)[0].message is None
    assert response_of(context, b"", streams=False)[0].message == b""
    assert response_of(context, b"one", streams=True)[0].message == b"one"


@pytest.mark.parametrize(
    ("context", "body", "streams", "message"),
    [
        ({"error": ""}, b"", True, None),
        ({"error": encoded(write_status(0, "fine"))}, b"", True, None),
        ({"error": ""}, b"one", True, b"one"),
        ({"error": ""}, b"", False, b""),
        ({"headers": "{}"}, b"", True, b""),
    ],
)
def test_a_method_that_streams_may_answer_without_a_message(
    context: dict[str, str], body: bytes, streams: bool, message: bytes | None
) -> None:
    response, _ = response_of(json.dumps(context).encode(), body, streams=streams)
    assert (response.message, response.code) == (message, 0)


def test_a_negative_code_is_unsigned_on_the_wire() -> None:
    response, _ = response_of(json.dumps({"error": encoded(write_status(-1, ""))}).encode(), b"")
    assert response.code == 4294967295


@pytest.mark.parametrize(
    "context",
    [b"[]", b"{", b'{"a":1}', b'{"a":"\xff"}', b'{"error":"_w=="}', b'{"error":"\\u00e9"}', b'{"error":"/w=="}'],
)
def test_what_can_not_be_read_is_unknown(context: bytes) -> None:
    with pytest.raises(GrpcStatus) as caught:
        read_head(context)
    assert caught.value.code == StatusCode.UNKNOWN


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (b"plain", 13, "whole"),
        (b"7|:|denied", 7, "denied"),
        (b"0|:|zero", 13, "zero"),
        (b"007|:|", 7, ""),
        (b"4294967295|:|most", 4294967295, "most"),
        (b"4294967296|:|too much", 2, "whole"),
        (b"-1|:|negative", 2, "whole"),
        (b"|:|none", 2, "whole"),
        (b"7|:|\xff", 7, "\ufffd"),
    ],
)
def test_an_error_frame_has_a_status(text: bytes, code: int, message: str) -> None:
    status = worker_error(text, "whole")
    assert (status.code, status.message, status.details) == (code, message, b"")


def test_an_error_frame_may_have_details() -> None:
    status = worker_error(b"3|:|bad|:|\x0a\x01a|:|\xff", "whole")
    assert status.details == write_status(3, "bad", [b"\x0a\x01a"])
