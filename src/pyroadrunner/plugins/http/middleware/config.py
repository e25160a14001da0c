"""What the middleware of ``http`` can be told."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from pyroadrunner.config.values import StringList, StringMap, unbuilt

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = ("content-length", "transfer-encoding")  # they say where a message ends, so they must be true

Found = Iterable[tuple[str, str]]


# Name in the config -> module of this package. Each has ``build(setup) -> Around | None``; None = its options are
# absent, so there is nothing to do. They are imported by ``registry.py``.
BUILT_IN: dict[str, str] = {
    "gzip": "compress",
    "headers": "headers",
    "http_metrics": "metrics",
    "otel": "otel",
    "proxy_ip_parser": "proxy_ip",
    "request_id": "request_id",
    "sendfile": "sendfile",
    "static": "static",
}


def is_path(name: str) -> bool:
    """Whether a name of ``http.middleware`` is that of a class in some package."""
    return ":" in name or "." in name


class CorsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.headers.cors``: which pages of other sites may read what is served here."""

    allowed_origin: StringList = msgspec.field(default_factory=list)
    """Origins, such as ``https://example.com``; one `*` in an origin stands for anything. Empty, or `*` = all."""
    allowed_origin_regex: str = ""
    """A regular expression that is searched in the origin (write `^` and `$` for all of it), in place of the list."""
    allowed_methods: StringList = msgspec.field(default_factory=lambda: ["GET", "POST", "HEAD"])
    """Methods, in upper case."""
    allowed_headers: StringList = msgspec.field(default_factory=lambda: ["accept", "content-type", "x-requested-with"])
    """Headers that a request may have; `*` = all."""
    exposed_headers: StringList = msgspec.field(default_factory=list)
    """Headers of an answer that a page may read."""
    allow_credentials: bool = False
    """Whether a page may send cookies along."""
    max_age: int = 0
    """Seconds for which a browser may remember the answer to its question; 0 = it is not told, below 0 = never."""
    options_success_status: Annotated[int, msgspec.Meta(ge=0, le=299)] = 200
    """Status of the answer to a browser's question; 0 = 200."""
    debug: bool = False
    """Log each decision, at level info."""

    def faults(self) -> Found:
        """A pattern that is none."""
        try:
            re.compile(self.allowed_origin_regex)
        except re.error as wrong:
            yield "allowed_origin_regex", f"is no regular expression of Python's: {wrong}"
        for origin in self.allowed_origin:
            if origin.count("*") > 1:
                yield "allowed_origin", f'"{origin}" has more than one `*`; write allowed_origin_regex'

    def warnings(self) -> Found:
        """What no browser takes."""
        if (
            self.allow_credentials
            and not self.allowed_origin_regex
            and (not self.allowed_origin or "*" in self.allowed_origin)
        ):
            yield "allow_credentials", "browsers send no cookies where every origin is allowed; name the origins"


class HeadersConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.headers``: options of the middleware ``headers``."""

    request: StringMap = msgspec.field(default_factory=dict)
    """Added to the headers of each request, for the workers to see."""
    response: StringMap = msgspec.field(default_factory=dict)
    """Set on each answer, before the worker's own; ``Content-Type`` only where the answer has none."""
    cors: CorsConfig | None = None

    def faults(self) -> Found:
        """What can't be sent."""
        yield from _unfit("request", self.request)
        yield from _unfit("response", self.response)


class StaticConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.static``: options of the middleware ``static``."""

    dir: str = ""
    """The folder; required."""
    forbid: StringList = msgspec.field(default_factory=list)
    """Extensions that are not served."""
    allow: StringList = msgspec.field(default_factory=list)
    """When not empty: only these extensions, minus ``forbid``. PHP's source is served only when it is named here."""
    calculate_etag: bool = False
    """Send an ETag."""
    weak: bool = False
    """A weak ETag, of size and time instead of the content."""
    precompressed: bool = False
    """Send the encoded copy beside a file (`app.css.zst`, `.br`, `.gz`) that is not older, to who accepts it (ours)."""
    follow_symlinks: bool = False
    """Follow symbolic links out of the folder wherever they stand, not only those directly in it (ours)."""
    request: Annotated[StringMap, unbuilt("headers for a request that no worker sees; they are not added")] = (
        msgspec.field(default_factory=dict)
    )
    response: StringMap = msgspec.field(default_factory=dict)
    """Headers of each file that is served."""

    def faults(self) -> Found:
        """What can't be sent."""
        yield from _unfit("response", self.response)

    def absent(self) -> Found:
        """A folder that is not there."""
        if not self.dir:
            yield "dir", "is required: name the folder whose files are served, such as public"
        elif not os.path.isdir(self.dir):
            yield "dir", f"{self.dir} is no folder (looked in {os.getcwd()})"


class CustomConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """An entry of ``http.custom``: ASGI middleware of any package, under a name for ``http.middleware`` (ours)."""

    cls: str = msgspec.field(name="class")
    """``package.module:Class``; it is called with the application and the options."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """Keyword arguments for the class."""


def _unfit(key: str, headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            yield f"{key}.{name}", "is no name of a header"
        elif name.lower() in _FRAMING:
            yield f"{key}.{name}", "is the server's own to say"
        elif _CONTROL.search(value.strip()):
            yield f"{key}.{name}", "has a line break or a control character"


def faulty_subnets(key: str, subnets: Iterable[str]) -> Found:
    """What is neither an address nor a block of them."""
    from pyroadrunner.plugins.http.middleware.subnets import Subnets  # only a config that has some pays for it

    for subnet in subnets:
        try:
            Subnets([subnet])
        except ValueError as wrong:
            yield key, f"{wrong}; write an address, a block such as 10.0.0.0/8, or unix:"
