"""Heads of requests and first lines of responses."""

from __future__ import annotations

import pytest

from pyroadrunner.httpd.http1.refusals import Refusal
from pyroadrunner.httpd.http1.request_head import parse
from pyroadrunner.httpd.http1.response_head import status_line


def head(target: bytes = b"/", *lines: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: ex.com\r\n" % target + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


@pytest.mark.parametrize("target", [b"http://", b"http:///", b"http:///a", b"https://?a", b"http://:80/a"])
def test_an_absolute_target_without_a_host_is_refused(target: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse(head(target))
    assert (refused.value.status, refused.value.kind) == (400, "host")


def test_the_host_of_an_absolute_target_counts() -> None:
    assert parse(head(b"http://other.org:81/a")).headers == [(b"host", b"other.org:81")]
    assert parse(head(b"http://[::1]/a")).headers == [(b"host", b"[::1]")]
