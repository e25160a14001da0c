"""The options of the ``http`` middleware."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from pyroadrunner.config.values import StringList, StringMap, unbuilt

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = ("content-length", "transfer-encoding")  # they delimit a message, so they must be correct

Found = Iterable[tuple[str, str]]


# Name in the config -> module of this package. Each module has ``build(setup) -> Around | None``; None = it has no
# options, so there is nothing to do. ``registry.py`` imports the modules.
BUILT_IN: dict[str, str] = {
    "gzip": "compress",
    "headers": "headers",
    "http_metrics": "metrics",
    "otel": "otel",
    "proxy_ip_parser": "proxy_ip",
    "request_id": "request_id",
    "sendfile": "sendfile",
    "static": "static",
    "websockets": "websockets",
}


def is_path(name: str) -> bool:
    """Whether a name in ``http.middleware`` is the path of a class."""
    return ":" in name or "." in name


class CorsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.headers.cors``: which other sites may read the responses of this server."""

    allowed_origin: StringList = msgspec.field(default_factory=list)
    """Origins, such as ``https://example.com``; one `*` in an origin matches any text. Empty, or `*` = all."""
    allowed_origin_regex: str = ""
    """A regular expression that is searched in the origin (use `^` and `$` to match all of it), instead of the list."""
    allowed_methods: StringList = msgspec.field(default_factory=lambda: ["GET", "POST", "HEAD"])
    """Allowed methods, in upper case."""
    allowed_headers: StringList = msgspec.field(default_factory=lambda: ["accept", "content-type", "x-requested-with"])
    """Allowed request headers; `*` = all."""
    exposed_headers: StringList = msgspec.field(default_factory=list)
    """Response headers that a page may read."""
    allow_credentials: bool = False
    """Whether a page may send cookies."""
    max_age: int = 0
    """Seconds for which browsers may cache the response to a preflight; 0 = not sent, below 0 = do not cache."""
    options_success_status: Annotated[int, msgspec.Meta(ge=0, le=299)] = 200
    """Status of the response to a preflight; 0 = 200."""
    debug: bool = False
    """Log each decision, at level info."""

    def faults(self) -> Found:
        """Invalid patterns."""
        try:
            re.compile(self.allowed_origin_regex)
        except re.error as wrong:
            yield "allowed_origin_regex", f"is not a valid Python regular expression: {wrong}"
        for origin in self.allowed_origin:
            if origin.count("*") > 1:
                yield "allowed_origin", f'"{origin}" has more than one `*`; use allowed_origin_regex'

    def warnings(self) -> Found:
        """Settings that no browser accepts."""
        if (
            self.allow_credentials
            and not self.allowed_origin_regex
            and (not self.allowed_origin or "*" in self.allowed_origin)
        ):
            yield "allow_credentials", "browsers send no cookies if every origin is allowed; list the origins"


class HeadersConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.headers``: options of the middleware ``headers``."""

    request: StringMap = msgspec.field(default_factory=dict)
    """Headers added to each request for the workers."""
    response: StringMap = msgspec.field(default_factory=dict)
    """Headers set on each response, before the worker's own; ``Content-Type`` only if the response has none."""
    cors: CorsConfig | None = None

    def faults(self) -> Found:
        """Headers that can't be sent."""
        yield from _unfit("request", self.request)
        yield from _unfit("response", self.response)


class StaticConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.static``: options of the middleware ``static``."""

    dir: str = ""
    """Folder of the files; required."""
    forbid: StringList = msgspec.field(default_factory=list)
    """Extensions that are not served."""
    allow: StringList = msgspec.field(default_factory=list)
    """If not empty: serve only these extensions, minus ``forbid``. PHP files are served only if listed here."""
    calculate_etag: bool = False
    """Send an ETag."""
    weak: bool = False
    """Make the ETag weak: from size and time instead of the content."""
    precompressed: bool = False
    """Send the compressed copy of a file (`app.css.zst`, `.br`, `.gz`) to clients that accept it, unless it is older
    than the file (not in RoadRunner)."""
    follow_symlinks: bool = False
    """Follow all symbolic links out of the folder, not only those directly in it (not in RoadRunner)."""
    request: Annotated[StringMap, unbuilt("headers for a request that no worker sees; they are not added")] = (
        msgspec.field(default_factory=dict)
    )
    response: StringMap = msgspec.field(default_factory=dict)
    """Headers of each served file."""

    def faults(self) -> Found:
        """Headers that can't be sent."""
        yield from _unfit("response", self.response)

    def absent(self) -> Found:
        """A missing folder."""
        if not self.dir:
            yield "dir", "is required: set the folder with the files to serve, such as public"
        elif not os.path.isdir(self.dir):
            yield "dir", f"{self.dir} is not a folder (looked in {os.getcwd()})"


class CustomConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """An entry of ``http.custom``: ASGI middleware of another package, with a name for ``http.middleware`` (not in
    RoadRunner)."""

    cls: str = msgspec.field(name="class")
    """``package.module:Class``, called with the application and the options."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """Keyword arguments for the class."""


def _unfit(key: str, headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            yield f"{key}.{name}", "is not a valid header name"
        elif name.lower() in _FRAMING:
            yield f"{key}.{name}", "is set by the server"
        elif _CONTROL.search(value.strip()):
            yield f"{key}.{name}", "has a line break or a control character"


def faulty_subnets(key: str, subnets: Iterable[str]) -> Found:
    """Entries that are neither an address nor a CIDR block."""
    from pyroadrunner.plugins.http.middleware.subnets import Subnets  # imported only if configured

    for subnet in subnets:
        try:
            Subnets([subnet])
        except ValueError as wrong:
            yield key, f"{wrong}; write an address, a block such as 10.0.0.0/8, or unix:"
