"""The requests sent to the subjects. ``php/work.php`` creates the responses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Stands in a header for text that differs in every request: ``wrk/load.lua`` puts a number in its place.
SERIAL = "0000000000000000"


@dataclass(frozen=True, kw_only=True)
class Load:
    """One kind of request, sent by several connections; each waits for the response before the next request.

    Attributes:
        name: short name, for ``--only`` and as a key.
        title: title in tables.
        path: path of the request.
        post_bytes: size of the request body; 0 = a GET.
        headers: names and values, without ``Host`` and cookies.
        cookies: names and values as in the ``Cookie`` line, percent-encoded.
        answer_bytes: expected size of the response, unless ``answer`` is set.
        answer: the expected response.
        answer_headers: names of headers that the response must have, a name twice if it comes twice.
    """

    name: str
    title: str
    path: str
    connections: int = 32
    post_bytes: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    answer_bytes: int = 0
    answer: bytes = b""
    answer_headers: tuple[str, ...] = ()

    @property
    def body(self) -> bytes:
        return b"x" * self.post_bytes

    @property
    def sent_headers(self) -> list[tuple[str, str]]:
        """All headers of the request but those that each client adds for itself (``Host``, ``Content-Length``)."""
        sent = [("Content-Type", "application/octet-stream")] if self.post_bytes else []
        sent += self.headers
        if self.cookies:
            sent.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies)))
        return sent

    def accepts(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> bool:
        """Whether a response is correct."""
        expected = Counter(name.lower() for name in self.answer_headers)
        return (
            status == 200
            and expected <= Counter(name.lower() for name, _ in headers)
            and (body == self.answer if self.answer else len(body) == self.answer_bytes)
        )


def token() -> str:
    """A cookie's value of 180 bytes as Laravel encrypts it: base64, percent-encoded, another in each request."""
    return f"eyJpdiI6{SERIAL}{('c2Vzc2lvbiBvZiBhIGJyb3dzZXIg' * 6)[:153]}%3D"


# What Chrome sends for a page, besides ``Host`` and the cookies.
CHROME = (
    ("sec-ch-ua", '"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    ),
    (
        "Accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
        "application/signed-exchange;v=b3;q=0.7",
    ),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
)
COOKIES = (
    ("_ga", "GA1.1.1234567890.1700000000"),
    ("theme", "dark"),
    ("XSRF-TOKEN", token()),
    ("laravel_session", token()),
)

HELLO = Load(name="hello", title="hello", path="/hello", answer=b"Hello world!")
CROWD = Load(name="crowd", title="hello, 256 connections", path="/hello", connections=256, answer=b"Hello world!")
BROWSER = Load(
    name="browser",
    title="page for a browser",
    path="/browser",
    headers=CHROME,
    cookies=COOKIES,
    answer=b"<!doctype html><title>4 cookies</title>\n" + b"<p>A line of the page, of 40 bytes.</p>\n" * 36,
    answer_headers=(
        "Content-Type",
        "Cache-Control",
        "Vary",
        "X-Frame-Options",
        "X-Content-Type-Options",
        "Referrer-Policy",
        "Set-Cookie",
        "Set-Cookie",
    ),
)
POST = Load(name="post", title="POST of 1 KB", path="/post", post_bytes=1024, answer=b"got 1024")
LARGE = Load(name="large", title="answer of 100 KB", path="/large", answer_bytes=102400)
APP = Load(name="app", title="application, 2 ms of PHP", path="/app", answer_bytes=1327)
BOOT = Load(name="boot", title="framework boot, 200 classes", path="/boot", answer=b"booted 200 classes")

LOADS = (HELLO, CROWD, BROWSER, POST, LARGE, APP, BOOT)
