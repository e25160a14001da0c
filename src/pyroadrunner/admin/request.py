"""Parse a request head into an :class:`AdminRequest`, or into the response that refuses it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from pyroadrunner.admin.response import NOT_ALLOWED, AdminResponse

# RFC 9112, section 3: method SP request-target SP HTTP-version. The target's octets are visible ASCII.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/(\d)\.(\d)")
# RFC 9112, section 5: no blank before the colon; no control characters in the value.
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_MOST_PARAMETERS = 256


class RequestRefused(Exception):
    """A refused request. The server sends ``response`` and closes the connection: it can't find the next request."""

    def __init__(self, response: AdminResponse) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """A parsed request.

    Attributes:
        path: decoded, without the query.
        query: the values of each parameter, in order.
        head: whether the method is HEAD.
        keep_alive: whether the client may send another request on this connection.
    """

    path: str
    query: Mapping[str, Sequence[str]]
    head: bool
    keep_alive: bool


def read_request(data: bytes) -> AdminRequest:
    """Parse a request head.

    Args:
        data: the head with the empty line at its end.

    Raises:
        RequestRefused: it is not HTTP/1 (400, 505), neither GET nor HEAD (405), or has a body (413).
    """
    first, *lines = data[:-4].split(b"\r\n")
    found = _REQUEST_LINE.fullmatch(first)
    if found is None:
        raise RequestRefused(AdminResponse(400, "400 bad request\n"))
    method, target, major, minor = found.groups()
    if major != b"1":
        raise RequestRefused(AdminResponse(505, "505 only HTTP/1 is supported\n"))
    fields = _fields(lines)
    if method not in (b"GET", b"HEAD"):
        raise RequestRefused(NOT_ALLOWED)
    if "transfer-encoding" in fields or fields.get("content-length", b"0").strip(b"0"):
        raise RequestRefused(AdminResponse(413, "413 a request body is not allowed\n"))
    path, _, query = _origin_form(target).partition("?")
    wishes = {wish.strip().lower() for wish in fields.get("connection", b"").split(b",")}
    return AdminRequest(
        path=unquote(path),
        query=_parameters(query),
        head=method == b"HEAD",
        keep_alive=b"close" not in wishes if minor != b"0" else b"keep-alive" in wishes,
    )


def _fields(lines: list[bytes]) -> dict[str, bytes]:
    """Header fields by lower-case name. Repeated fields are joined with a comma (RFC 9110, section 5.2)."""
    fields: dict[str, bytes] = {}
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise RequestRefused(AdminResponse(400, "400 bad request\n"))
        name, value = found[1].decode().lower(), found[2].strip(b" \t")
        fields[name] = fields[name] + b"," + value if name in fields else value
    return fields


def _origin_form(target: bytes) -> str:
    """Path and query of the target; a proxy may send the whole URL (RFC 9112, section 3.2.2)."""
    text = target.decode("ascii")
    if text.lower().startswith(("http://", "https://")):
        host, slash, rest = text.partition("://")[2].partition("/")
        return slash + rest if slash else f"/{host[host.find('?') :] if '?' in host else ''}"
    if not text.startswith("/"):
        raise RequestRefused(AdminResponse(400, "400 bad request\n"))
    return text


def _parameters(query: str) -> Mapping[str, Sequence[str]]:
    try:
        return parse_qs(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:  # more than _MOST_PARAMETERS
        raise RequestRefused(AdminResponse(400, "400 bad request\n")) from None
