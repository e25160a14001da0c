"""The requests sent to the subjects. ``php/work.php`` creates the responses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Load:
    """One kind of request, sent by several connections; each waits for the response before the next request.

    Attributes:
        name: short name, for ``--only`` and as a key.
        title: title in tables.
        path: path of the request.
        post_bytes: size of the request body; 0 = a GET.
        answer_bytes: expected size of the response, unless ``answer`` is set.
        answer: the expected response.
    """

    name: str
    title: str
    path: str
    connections: int = 32
    post_bytes: int = 0
    answer_bytes: int = 0
    answer: bytes = b""

    @property
    def body(self) -> bytes:
        return b"x" * self.post_bytes

    def accepts(self, status: int, body: bytes) -> bool:
        """Whether a response is correct."""
        return status == 200 and (body == self.answer if self.answer else len(body) == self.answer_bytes)


HELLO = Load(name="hello", title="hello", path="/hello", answer=b"Hello world!")
CROWD = Load(name="crowd", title="hello, 256 connections", path="/hello", connections=256, answer=b"Hello world!")
POST = Load(name="post", title="POST of 1 KB", path="/post", post_bytes=1024, answer=b"got 1024")
LARGE = Load(name="large", title="answer of 100 KB", path="/large", answer_bytes=102400)
APP = Load(name="app", title="application, 2 ms of PHP", path="/app", answer_bytes=1327)

LOADS = (HELLO, CROWD, POST, LARGE, APP)
