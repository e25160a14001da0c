"""Request targets."""

from __future__ import annotations

import pytest

from pyroadrunner.httpd.http1.refusals import Refusal
from pyroadrunner.httpd.http1.target import is_host, split_target


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (b"/", b"/", b"", None),
        (b"/a?b", b"/a", b"b", None),
        (b"/a?", b"/a", None, None),
        (b"/a?b?c", b"/a", b"b?c", None),
        (b"//a//b", b"//a//b", b"", None),
        (b"/%41", b"/%41", b"", None),
        (b"/a?q=100%", b"/a", b"q=100%", None),
        ("/é?ü".encode(), "/é".encode(), "ü".encode(), None),
        (b"/a#b", b"/a#b", b"", None),
        (b"http://a", b"/", b"", b"a"),
        (b"HTTP://a:80/b?c", b"/b", b"c", b"a:80"),
        (b"https://[::1]:8/b", b"/b", b"", b"[::1]:8"),
        (b"http://a?b", b"/", b"b", b"a"),
    ],
)
def test_a_target_is_split(target: bytes, path: bytes, query: bytes | None, host: bytes | None) -> None:
    assert split_target(b"GET", target) == (path, query, host)


def test_the_asterisk_is_for_options() -> None:
    assert split_target(b"OPTIONS", b"*") == (b"*", b"", None)


@pytest.mark.parametrize("target", [b"*", b"a", b"a:80", b"ftp://a/", b"?b", b"/%", b"/%4", b"/%4g", b"/a%zz?b"])
def test_other_targets_are_refused(target: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        split_target(b"GET", target)
    assert (refusal.value.status, refusal.value.kind) == (400, "target")


@pytest.mark.parametrize("host", [b"", b"a", b"a.b:80", b"a:", b"127.0.0.1", b"[::1]", b"[fe80::1%25eth0]:1", b"a_b"])
def test_a_host(host: bytes) -> None:
    assert is_host(host)


@pytest.mark.parametrize("host", [b"a b", b"a@b", b"a/b", b"a:b", b"a:1:2", b"[::1", b"::1", b"a,b/", b"a\x00", b"[]"])
def test_no_host(host: bytes) -> None:
    assert not is_host(host)
