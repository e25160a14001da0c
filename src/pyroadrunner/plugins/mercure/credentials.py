"""Where the token of a request is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pyroadrunner.plugins.mercure.errors import BadToken
from pyroadrunner.plugins.mercure.origins import Origins, origin_of

MODERN_COOKIE = "__Secure-mercure_access_token"
_SHORTEST = 41  # characters of a token: that of an empty one

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A token that has not been verified."""

    token: str
    place: Literal["header", "query", "cookie"]

    def __repr__(self) -> str:
        return f"Presented({self.place})"


def find(headers: Headers, query: Sequence[tuple[str, str]], cookie_name: str) -> Presented | None:
    """The token of a request: the header goes first, then the query, then a cookie.

    Raises:
        BadToken: what is there can't be a token.
    """
    authorizations = [value for name, value in headers if name == b"authorization"]
    if authorizations:
        if len(authorizations) > 1:
            raise BadToken("the request has several headers Authorization")
        scheme, _, token = authorizations[0].decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or len(token.strip()) < _SHORTEST:
            raise BadToken("the header Authorization has no bearer token")
        return Presented(token=token.strip(), place="header")
    in_query = [value for name, value in query if name == "authorization"]
    if in_query:
        if len(in_query) > 1 or len(in_query[0]) < _SHORTEST:
            raise BadToken("the query has no token, or several")
        return Presented(token=in_query[0], place="query")
    cookies = _cookies(headers)
    token = cookies.get(cookie_name) or cookies.get(MODERN_COOKIE) or ""
    return Presented(token=token, place="cookie") if token else None


def from_allowed_page(headers: Headers, origins: Origins) -> bool:
    """Whether a request with a cookie comes from a page that may send it: browsers add cookies on their own."""
    found = {name: value.decode("latin-1") for name, value in headers if name in (b"origin", b"referer")}
    origin = found.get(b"origin") or origin_of(found.get(b"referer", ""))
    return bool(origin) and origin != "null" and origins.allow(origin)


def _cookies(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        if name == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                key, sign, text = pair.partition("=")
                if sign:
                    found.setdefault(key.strip(), text.strip().strip('"'))
    return found
