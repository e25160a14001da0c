"""``Cookie`` lines and what is read from them; the fast way and the plain one must agree."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyroadrunner.plugins.http.cookies import parse_cookies, size_in_memory

TOKEN = "eyJpdiI6" + "Ab3dE5gH7jK9" * 14
USUAL = st.from_regex(
    r"([a-zA-Z_-]{1,4}=[0-9a-zA-Z+]{0,4}(%3D|%2[0-9a-f]|%C3%A9){0,2}; ){0,4}[a-z]=[a-z]?", fullmatch=True
)
ODD = st.lists(
    st.sampled_from(
        [*"ab=;\"\\ \t%+,\x00\x7f\n\u00e9\ufffd'", "; ", "a=", "%3D", "%3d", "%ff", "%C3%A9", "%zz", "[", "1"]
    ),
    max_size=24,
).map("".join)


def plainly(line: str) -> dict[str, str]:
    """The rules of Go's ``readCookies`` and ``url.QueryUnescape``, one by one."""
    jar: dict[str, str] = {}
    for part in line.split(";"):
        name, _, value = part.strip(" \t").partition("=")
        name = name.strip(" \t")
        if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name):
            continue
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if not re.fullmatch(r"[\x20\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]*", value):
            continue
        if re.search(r"%(?![0-9A-Fa-f]{2})", value):
            continue
        jar[name] = unquote_to_bytes(value.replace("+", " ")).decode("utf-8", "replace")
    return jar


@given(st.one_of(USUAL, ODD, st.text(max_size=40)))
@example("a=%%3D")
@example("a=%3%3D")
@example("a=%253D")
@example("a=1 ; b= 2;  c=3")
@example("a=1; ")
@example("a=1;")
@example("a=1\n")
@example("")
def test_every_line_is_read_by_the_rules(line: str) -> None:
    assert parse_cookies(line) == plainly(line)


@pytest.mark.parametrize(
    ("line", "jar"),
    [
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1;a=2", {"a": "2"}),
        ('q="x y"', {"q": "x y"}),
        ("e=%C3%A9+b", {"e": "é b"}),
        ("e=%zz; ok=1", {"ok": "1"}),
        ("e=%4", {}),
        ('bad=a"b; ok=1', {"ok": "1"}),
        ("bad=a\\b", {}),
        ("bad=é", {}),
        ("empty=; flag; ok=1", {"empty": "", "flag": "", "ok": "1"}),
        ("=x; ok=1", {"ok": "1"}),
        ("a b=1; ok=1", {"ok": "1"}),
        ("a[b]=1", {}),
        ("x.y-z=1=2", {"x.y-z": "1=2"}),
        ("r=%ff", {"r": "\ufffd"}),
        ("", {}),
    ],
)
def test_cookies_are_decoded_as_go_does(line: str, jar: dict[str, str]) -> None:
    assert parse_cookies(line) == jar


def test_more_cookies_than_any_browser_sends_are_not_decoded() -> None:
    assert parse_cookies("; ".join(f"c{n}={n}" for n in range(3000)))["c2999"] == "2999"
    assert parse_cookies("; ".join(f"c{n}={n}" for n in range(3001))) == {}


def test_the_cookies_of_a_framework_are_decoded() -> None:
    line = f"_ga=GA1.2.3; theme=dark; XSRF-TOKEN={TOKEN}%3D; laravel_session={TOKEN}%3D%3D"
    assert parse_cookies(line) == {
        "_ga": "GA1.2.3",
        "theme": "dark",
        "XSRF-TOKEN": f"{TOKEN}=",
        "laravel_session": f"{TOKEN}==",
    }


def test_the_size_in_memory_grows_with_the_line_and_with_its_cookies() -> None:
    assert size_in_memory("a=1", {"a": "1"}) > size_in_memory("a[]", {})
    assert size_in_memory("a=11", {"a": "11"}) > size_in_memory("a=1", {"a": "1"})
