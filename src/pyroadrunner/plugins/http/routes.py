"""Routes with their own workers (``http.routes``): select the pool of a request. Pure.

RoadRunner has one pool for all requests, so slow requests block fast ones. With routes, slow paths get their own pool.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.config.values import StringList
from pyroadrunner.httpd.http1.whole import ServeWhole, WholeExchange
from pyroadrunner.workers.partial_config import PartialPoolConfig

_NAME = re.compile(r"[\w.-]+", re.ASCII)
_NO_NAME = re.compile(r"[^\w]+", re.ASCII)
_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class RouteConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An entry of ``http.routes``: requests with a pool of their own."""

    match: StringList
    """Paths: ``/report``, or with stars that match any text including slashes: ``/api/*``, ``*.pdf``. They are compared
    with the decoded path without its query, case-sensitively."""
    methods: StringList = msgspec.field(default_factory=list)
    """Methods; empty = all."""
    name: str = ""
    """Name of the pool after ``http.``; empty = made from the first path: ``/api/v1/*`` is ``http.api-v1``."""
    pool: PartialPoolConfig = PartialPoolConfig()
    """The pool; missing keys have the values of ``http.pool``."""

    @property
    def pool_name(self) -> str:
        """``http.NAME``; ends with the dot if no name can be made from the path."""
        return f"http.{self.name or _NO_NAME.sub('-', self.match[0]).strip('-')}"

    def faults(self) -> Iterator[tuple[str, str]]:
        """Paths that match no request, names with characters that are hard to type, unknown methods."""
        for number, path in enumerate(self.match):
            if not path.startswith(("/", "*")):
                yield f"match.{number}", f'"{path}" matches no request: a path starts with / (or a star)'
        for number, method in enumerate(self.methods):
            if not _METHOD.fullmatch(method) or method != method.upper():
                yield f"methods.{number}", f'"{method}" is not a method: write GET, POST, ...'
        if self.name and not _NAME.fullmatch(self.name):
            yield "name", f'"{self.name}" has characters other than letters, digits, ".", "_", "-"'
        elif self.pool_name == "http.":
            yield "name", "is required: the path has no letters to make a name from"

    def pattern(self) -> str:
        """A regular expression for ``METHOD /path``. Stars use atomic groups, so there is no backtracking: matching
        takes linear time, even for long paths."""
        methods = "|".join(map(re.escape, self.methods)) or "[^ ]*"
        return f"(?:{methods}) (?:{'|'.join(map(_glob, self.match))})"


def same_names(routes: Sequence[RouteConfig]) -> Iterator[tuple[str, str]]:
    """Errors for routes whose pools have the same name."""
    seen: dict[str, int] = {}
    for number, route in enumerate(routes):
        first = seen.setdefault(route.pool_name, number)
        if first != number:
            message = (
                f"the pool of routes[{first}] is named {route.pool_name} too: set `name`, or list both paths in one"
            )
            yield f"routes.{number}.{'name' if route.name else 'match'}", message


class Router:
    """Passes a request to the application of the first matching route, or to the default one.

    Args:
        routes: each with its application.
    """

    def __init__(self, default: ASGIApp, routes: Iterable[tuple[RouteConfig, ASGIApp]]) -> None:
        pairs = list(routes)
        self._match = re.compile("|".join(f"({route.pattern()})" for route, _ in pairs), re.DOTALL).fullmatch
        self._apps = [default, *(app for _, app in pairs)]

    def __repr__(self) -> str:
        return f"Router({self._apps})"

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._app_of(scope)(scope, receive, send)

    def serve_whole(self, exchange: WholeExchange, body: bytes) -> bool:
        """Pass a request on; see ``httpd.http1.whole``."""
        serve_whole: ServeWhole | None = getattr(self._app_of(exchange.scope), "serve_whole", None)
        return serve_whole is not None and serve_whole(exchange, body)

    def _app_of(self, scope: Scope) -> ASGIApp:
        found = self._match(f"{scope['method']} {scope['path']}")
        return self._apps[(found.lastindex or 0) if found else 0]


def _glob(path: str) -> str:
    first, *rest = map(re.escape, path.split("*"))
    if not rest:
        return first
    middle = "".join(f"(?>.*?{text})" for text, _ in pairwise(rest))
    return f"{first}{middle}.*{rest[-1]}"
