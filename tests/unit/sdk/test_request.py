"""The server's context is parsed into a Request."""

from __future__ import annotations

import pytest

from pyroadrunner.sdk.request import MalformedRequest, Request, UploadedFile
from support.contexts import context


def test_a_request_has_the_values_of_the_context() -> None:
    request = Request(
        context("/a%20b?x=1&x=2&y=", method="PUT", cookies={"a": "1"}, attributes={"user": "u"}), b"\x00body"
    )
    assert (request.remote_addr, request.protocol, request.method) == ("192.0.2.1", "HTTP/1.1", "PUT")
    assert request.uri == "http://example.com:81/a%20b?x=1&x=2&y="
    assert request.path == "/a%20b"
    assert request.query == {"x": ["1", "2"], "y": [""]}
    assert (request.cookies, request.attributes) == ({"a": "1"}, {"user": "u"})
    assert (request.body, request.parsed, request.uploads) == (b"\x00body", None, {})


@pytest.mark.parametrize("name", ["X-Multi", "x-multi", "X-MULTI"])
def test_a_header_is_found_in_any_case_and_its_values_are_joined(name: str) -> None:
    assert Request(context(headers={"X-Multi": ["1", "2"]})).header(name) == "1, 2"


def test_a_header_with_an_unusual_name_is_found() -> None:
    assert Request(context(headers={"X-Foo_bar-B": ["v"]})).header("x-fOO_bar-b") == "v"


def test_an_absent_header_is_empty() -> None:
    assert Request(context()).header("Accept") == ""


def test_the_fields_of_a_form_are_parsed() -> None:
    assert Request(context(parsed=True), b'{"a":{"b":["1","2"]}}').parsed == {"a": {"b": ["1", "2"]}}


def test_a_form_without_fields_is_empty() -> None:
    assert Request(context(parsed=True), b"").parsed == {}


def test_uploads_become_files_at_their_place_in_the_tree() -> None:
    leaf = {"name": "é.txt", "mime": "text/plain", "size": 3, "error": 0, "tmpName": "/tmp/upload1"}
    file = UploadedFile(name="é.txt", mime="text/plain", size=3, error=0, tmp_name="/tmp/upload1")
    request = Request(context(parsed=True, uploads={"a": leaf, "b": [leaf], "tmpName": {"tmpName": leaf}}), b"{}")
    assert request.uploads == {"a": file, "b": [file], "tmpName": {"tmpName": file}}


def test_keys_that_may_be_null_or_missing_are_empty() -> None:
    request = Request(b'{"remoteAddr":"","protocol":"","method":"","uri":"http://h","headers":null}')
    assert (request.headers, request.cookies, request.path, request.query) == ({}, {}, "/", {})


@pytest.mark.parametrize("bad", [b"", b"[]", b"{}", b"\x80\x01", b'{"remoteAddr":1}', b'{"x":' + b"[" * 200_000])
def test_a_malformed_context_is_refused(bad: bytes) -> None:
    with pytest.raises(MalformedRequest):
        Request(bad)


def test_a_form_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(MalformedRequest):
        Request(context(parsed=True), b'{"a":' + b"[" * 200_000)


@pytest.mark.parametrize("uploads", [{"a": 1}, {"a": {"tmpName": "x"}}])
def test_malformed_uploads_are_refused(uploads: object) -> None:
    with pytest.raises(MalformedRequest):
        Request(context(uploads=uploads))
