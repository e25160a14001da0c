"""An HTTP response of a worker, and its head for the server (spec of http, "Response"). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, overload

import msgspec

Headers: TypeAlias = Mapping[str, str | Sequence[str]]
"""One value or several per name."""

Body: TypeAlias = bytes | str | Iterable[bytes]
"""Other bodies than bytes and text are streamed: each piece is sent when the iterable yields it."""

_encode = msgspec.json.Encoder().encode
_NO_HEADERS: dict[str, str] = {}


class Response:
    """A response: ``Response(404, "not found")``, or the body first: ``Response("hello")``, ``Response(page, 404)``.

    Args:
        status: 100 to 599.
        body: bytes, text (UTF-8), or an iterable of bytes, which is streamed and closed when the client disconnects.
        headers: one value or a list of values per name. Text without a ``Content-Type`` is ``text/plain``.

    Raises:
        TypeError: the status is not a number.
    """

    __slots__ = ("body", "headers", "status")

    status: int
    body: Body
    headers: Headers

    @overload
    def __init__(self, status: int = 200, body: Body = b"", headers: Headers = _NO_HEADERS) -> None: ...

    @overload
    def __init__(self, body: Body, status: int = 200, headers: Headers = _NO_HEADERS) -> None: ...

    def __init__(self, *given: Any, **named: Any) -> None:
        self.status, self.body, self.headers = 200, b"", _NO_HEADERS
        first = ("status", "body", "headers") if given and isinstance(given[0], int) else ("body", "status", "headers")
        if len(given) > len(first):
            raise TypeError(f"Response takes at most 3 arguments, not {len(given)}")
        for name, value in [*zip(first, given, strict=False), *named.items()]:
            if name not in first or (name in named and name in first[: len(given)]):
                raise TypeError(f"Response got an unknown or repeated argument: {name}")
            setattr(self, name, value)
        if not isinstance(self.status, int):
            raise TypeError(f"the status of a Response is a number, not {self.status!r}")

    def __repr__(self) -> str:
        size = f"{len(self.body)}" if isinstance(self.body, bytes | str) else "streamed"
        return f"Response({self.status}, body={size})"


def encode_head(status: int, headers: Headers) -> bytes:
    """The context of a response, in JSON."""
    values = {name: [each] if isinstance(each, str) else list(each) for name, each in headers.items()}
    return _encode({"status": status, "headers": values})


def for_text(headers: Headers) -> Headers:
    """The headers of a response with a text body: adds a ``Content-Type`` if it is missing."""
    if any(name.lower() == "content-type" for name in headers):
        return headers
    return {**headers, "Content-Type": "text/plain; charset=utf-8"}
