"""Scopes and the contexts made from them, as tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyroadrunner.asgi import ATTRIBUTES, BARE_QUERY
from pyroadrunner.plugins.http.request import (
    FORM,
    MULTIPART,
    NONE,
    RAW,
    UNKNOWN_LENGTH,
    build,
    canonical,
    encode_json,
)


def scope(**changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(b"host", b"ex.com")],
        "client": ("192.0.2.1", 4321),
        "server": ("127.0.0.1", 8080),
        **changes,
    }


def with_headers(*pairs: tuple[bytes, bytes], **changes: Any) -> dict[str, Any]:
    return scope(headers=[(b"host", b"ex.com"), *pairs], **changes)


def test_the_json_context_has_all_ten_keys_in_order_and_is_compact() -> None:
    context, kind, length = build(
        scope(
            method="POST",
            raw_path=b"/a%20b",
            query_string=b"x=1",
            headers=[
                (b"host", b"ex.com:81"),
                (b"cookie", b"a=1; b=2"),
                (b"x-multi", b"1"),
                (b"x-multi", b"2"),
                (b"content-length", b"3"),
            ],
        )
    )
    assert encode_json(context) == (
        b'{"remoteAddr":"192.0.2.1","protocol":"HTTP/1.1","method":"POST","uri":"http://ex.com:81/a%20b?x=1",'
        b'"headers":{"Cookie":["a=1; b=2"],"X-Multi":["1","2"],"Content-Length":["3"]},'
        b'"cookies":{"a":"1","b":"2"},"rawQuery":"x=1","parsed":false,"uploads":null,"attributes":{}}'
    )
    assert (kind, length) == (RAW, 3)


@pytest.mark.parametrize(
    ("changes", "uri"),
    [
        ({}, "http://ex.com/"),
        ({"scheme": "https"}, "https://ex.com/"),
        ({"raw_path": b"/a%2Fb/%e2%82%ac//.."}, "http://ex.com/a%2Fb/%e2%82%ac//.."),
        ({"raw_path": b"/a|b"}, "http://ex.com/a%7Cb"),
        ({"raw_path": b'/a#b"<>^`{}\\'}, "http://ex.com/a%23b%22%3C%3E%5E%60%7B%7D%5C"),
        ({"raw_path": "/é".encode()}, "http://ex.com/%C3%A9"),
        ({"raw_path": b"/\xff"}, "http://ex.com/%FF"),
        ({"raw_path": b"/[x]!$&'()*+,;=:@"}, "http://ex.com/[x]!$&'()*+,;=:@"),
        ({"query_string": b"a=%20&b[]=|"}, "http://ex.com/?a=%20&b[]=|"),
        ({"query_string": b"a=\xff"}, "http://ex.com/?a=%FF"),
        ({"headers": []}, "http://127.0.0.1:8080/"),
        ({"headers": [], "server": ("::1", 80)}, "http://[::1]:80/"),
        ({"headers": [], "server": ("/run/rr.sock", None)}, "http://localhost/"),
        ({"headers": [], "server": None}, "http://localhost/"),
    ],
)
def test_the_uri_is_absolute_and_legal(changes: dict[str, Any], uri: str) -> None:
    context, _, _ = build(scope(**changes))
    assert context.uri == uri


# Recorded from RoadRunner 2025.1.13 with raw sockets: target, then uri (without http://ex.com) and rawQuery.
RECORDED = [
    (b"/a?q=100%", "/a?q=100%", "q=100%"),
    (b"/a?q=%zz", "/a?q=%zz", "q=%zz"),
    (b"/a?q=%00", "/a?q=%00", "q=%00"),
    (b"/a?a=%", "/a?a=%", "a=%"),
    ("/a?q=é".encode(), "/a?q=é", "q=é"),
    (b"/a?b?c", "/a?b?c", "b?c"),
    (b"/a??", "/a??", "?"),
    (b"/?&", "/?&", "&"),
    (b"/a?b#c", "/a?b#c", "b#c"),
    (b'/?q=a"b<>|\\^`{}', '/?q=a"b<>|\\^`{}', 'q=a"b<>|\\^`{}'),
    (b"/?q='()*!", "/?q='()*!", "q='()*!"),
    (b"/100%25", "/100%25", ""),
    (b"/a%25zz", "/a%25zz", ""),
    ("/é".encode(), "/%C3%A9", ""),
    (b"/\xff", "/%FF", ""),
    ("/a%C3%A9é".encode(), "/a%C3%A9%C3%A9", ""),
    ("/%c3%a9é".encode(), "/%C3%A9%C3%A9", ""),
    ("/é%2F".encode(), "/%C3%A9/", ""),
    (b"/%E9\xff", "/%E9%FF", ""),
    (b"/%e9", "/%e9", ""),
    (b"/%41%42", "/%41%42", ""),
    (b"/a%3Fb", "/a%3Fb", ""),
    (b"/a|b", "/a%7Cb", ""),
    (b"/a%7cb", "/a%7cb", ""),
    (b"/a%7cb|", "/a%7Cb%7C", ""),
    (b"/a%2Fb", "/a%2Fb", ""),
    (b"/a%2fb/c|", "/a/b/c%7C", ""),
    (b"/a%00b", "/a%00b", ""),
    (b'/a"b<>\\^`{}', "/a%22b%3C%3E%5C%5E%60%7B%7D", ""),
    (b"/a#b", "/a%23b", ""),
    (b"/#", "/%23", ""),
    (b"/|?|", "/%7C?|", "|"),
    (b"/[]!'()*", "/[]!'()*", ""),
    (b"/|[]!'()*;", "/%7C%5B%5D%21%27%28%29%2A;", ""),
    (b"/a%5Bb%5D|", "/a%5Bb%5D%7C", ""),
    (
        b"/a|%2f%20%41%5b[]!'()*$&+,;=:@~-_.%3f%25%00%e9\"",
        "/a%7C/%20A%5B%5B%5D%21%27%28%29%2A$&+,;=:@~-_.%3F%25%00%E9%22",
        "",
    ),
    (b"/$&+,;=:@~-_.", "/$&+,;=:@~-_.", ""),
    (b"//a/b", "//a/b", ""),
    (b"//x|", "//x%7C", ""),
    (b"/..//a/./b", "/..//a/./b", ""),
    (b"*", "*", ""),
]


@pytest.mark.parametrize(("target", "uri", "query"), RECORDED)
def test_a_target_is_what_roadrunner_makes_of_it(target: bytes, uri: str, query: str) -> None:
    raw_path, _, query_string = target.partition(b"?")
    context, _, _ = build(scope(raw_path=raw_path, query_string=query_string))
    assert (context.uri, context.raw_query) == (f"http://ex.com{uri}", query)


@pytest.mark.parametrize(
    ("path", "written"),
    [(b"/a%", "/a%25"), (b"/a%z/%41", "/a%25z/A"), (b"/%zz|", "/%25zz%7C"), ("/é%4".encode(), "/%C3%A9%254")],
)
def test_the_percent_sign_of_an_invalid_escape_in_the_path_is_escaped(path: bytes, written: str) -> None:
    """RoadRunner refuses them with 400; this is for servers that pass them on."""
    assert build(scope(raw_path=path))[0].uri == f"http://ex.com{written}"


def test_a_question_mark_with_nothing_behind_it_stays_in_the_uri() -> None:
    context, _, _ = build(scope(raw_path=b"/a", **{BARE_QUERY: True}))
    assert (context.uri, context.raw_query) == ("http://ex.com/a?", "")


def test_a_query_stays_raw_and_becomes_unicode() -> None:
    assert build(scope(query_string="a=é&b=+%zz".encode()))[0].raw_query == "a=é&b=+%zz"
    assert build(scope(query_string=b"a=\xff\xfe"))[0].raw_query == "a=%FF%FE"


@pytest.mark.parametrize(
    ("version", "protocol"), [("1.0", "HTTP/1.0"), ("1.1", "HTTP/1.1"), ("2", "HTTP/2.0"), ("3", "HTTP/3.0")]
)
def test_the_protocol_is_written_as_go_writes_it(version: str, protocol: str) -> None:
    assert build(scope(http_version=version))[0].protocol == protocol


@pytest.mark.parametrize(("client", "address"), [(("::1", 1), "::1"), (("1.2.3.4", 1), "1.2.3.4"), (None, "127.0.0.1")])
def test_the_remote_address_has_no_port(client: Any, address: str) -> None:
    assert build(scope(client=client))[0].remote_addr == address


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (b"x-foo_bar-b", "X-Foo_bar-B"),
        (b"authorization", "Authorization"),
        (b"x_under", "X_under"),
        (b"www-authenticate", "Www-Authenticate"),
        (b"--a", "--A"),
        (b"1", "1"),
    ],
)
def test_header_names_are_canonical(name: bytes, written: str) -> None:
    assert canonical(name) == written


def test_host_and_transfer_encoding_are_removed_and_so_is_trailer_if_chunked() -> None:
    context, kind, length = build(
        with_headers((b"transfer-encoding", b"chunked"), (b"trailer", b"X"), (b"connection", b"close"))
    )
    assert context.headers == {"Connection": ["close"]}
    assert (kind, length) == (RAW, UNKNOWN_LENGTH)


def test_trailer_stays_without_chunked_and_an_empty_value_stays() -> None:
    context, _, _ = build(with_headers((b"trailer", b"X"), (b"x-empty", b"")))
    assert context.headers == {"Trailer": ["X"], "X-Empty": [""]}


def test_a_repeated_content_length_counts_once() -> None:
    context, _, length = build(with_headers((b"content-length", b"3"), (b"content-length", b"3")))
    assert context.headers["Content-Length"] == ["3"]
    assert length == 3


@pytest.mark.parametrize("text", [b"-1", b"x", b"9" * 5000, "٣".encode()])
def test_an_invalid_length_is_unknown(text: bytes) -> None:
    assert build(with_headers((b"content-length", text)))[2] == UNKNOWN_LENGTH


def test_invalid_utf8_is_replaced_before_json() -> None:
    context, _, _ = build(with_headers((b"x", b"a\xe9"), (b"y", "é".encode())))
    assert json.loads(encode_json(context))["headers"] == {"X": ["a\ufffd"], "Y": ["é"]}


def test_split_http2_cookies_are_joined() -> None:
    context, _, _ = build(with_headers((b"cookie", b"a=1"), (b"cookie", b"b=2"), http_version="2"))
    assert context.headers["Cookie"] == ["a=1; b=2"]
    assert context.cookies == {"a": "1", "b": "2"}


def test_cookies_of_several_headers_are_one_jar_and_the_last_of_a_name_wins() -> None:
    context, _, _ = build(with_headers((b"cookie", b"a=1; b=1"), (b"cookie", b"a=2")))
    assert context.headers["Cookie"] == ["a=1; b=1", "a=2"]
    assert context.cookies == {"a": "2", "b": "1"}


def test_too_many_cookies_in_several_headers_are_not_decoded() -> None:
    many = "; ".join(f"c{n}={n}" for n in range(3000)).encode()
    assert build(with_headers((b"cookie", many)))[0].cookies["c2999"] == "2999"
    assert build(with_headers((b"cookie", many), (b"cookie", b"d=1")))[0].cookies == {}


def test_equal_requests_get_equal_contexts_of_their_own() -> None:
    first, second = (
        build(with_headers((b"cookie", b"a=1"), (b"x-a", b"1"), (b"x-a", b"2"), query_string=b"q=1"))[0] for _ in "12"
    )
    assert first == second
    assert first.headers is not second.headers
    assert first.headers["X-A"] is not second.headers["X-A"]


@pytest.mark.parametrize(
    ("method", "headers", "version", "kind"),
    [
        ("GET", [], "1.1", NONE),
        ("GET", [], "2", RAW),
        ("GET", [(b"content-length", b"0")], "1.1", NONE),
        ("GET", [(b"content-length", b"1")], "1.1", RAW),
        ("POST", [(b"transfer-encoding", b"chunked")], "1.1", RAW),
        ("POST", [(b"content-type", b"application/x-www-form-urlencoded")], "1.1", FORM),
        ("DELETE", [(b"content-type", b"x; application/x-www-form-urlencoded; charset=utf-8")], "1.1", FORM),
        ("POST", [(b"content-type", b"Application/X-Www-Form-Urlencoded"), (b"content-length", b"1")], "1.1", RAW),
        ("POST", [(b"content-type", b"multipart/form-data; boundary=x")], "1.1", MULTIPART),
        ("POST", [(b"content-type", b"application/json"), (b"content-length", b"2")], "1.1", RAW),
        ("HEAD", [(b"content-length", b"1")], "1.1", NONE),
        ("OPTIONS", [(b"content-type", b"multipart/form-data; boundary=x")], "2", NONE),
    ],
)
def test_bodies_are_classified_by_method_type_and_length(
    method: str, headers: list[tuple[bytes, bytes]], version: str, kind: int
) -> None:
    assert build(with_headers(*headers, method=method, http_version=version))[1] == kind


def test_a_middleware_can_add_attributes() -> None:
    assert build(scope(**{ATTRIBUTES: {"user": "7"}}))[0].attributes == {"user": "7"}
    assert build(scope())[0].attributes == {}
