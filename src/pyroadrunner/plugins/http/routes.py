"""Paths with workers of their own (``http.routes``): which pool a request goes to. Pure.

RoadRunner has one pool for all requests: a slow report starves the start page. Here a path may have its own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.config.values import StringList
from pyroadrunner.workers.partial_config import PartialPoolConfig

_NAME = re.compile(r"[\w.-]+", re.ASCII)
_NO_NAME = re.compile(r"[^\w]+", re.ASCII)
_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class RouteConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of ``http.routes``: requests that have a pool of their own."""

    match: StringList
    """Paths of the requests: ``/report``, or with stars for any text, slashes too: ``/api/*``, ``*.pdf``. They are
    compared with the decoded path without its query; case counts."""
    methods: StringList = msgspec.field(default_factory=list)
    """Methods of the requests; empty = all."""
    name: str = ""
    """Its pool is named ``http.NAME``; empty = made from the first path: ``/api/v1/*`` is ``http.api-v1``."""
    pool: PartialPoolConfig = PartialPoolConfig()
    """Its workers; a key that is not set is as in ``http.pool``."""

    @property
    def pool_name(self) -> str:
        """``http.NAME``; ends with the dot when there is no name to be had."""
        return f"http.{self.name or _NO_NAME.sub('-', self.match[0]).strip('-')}"

    def faults(self) -> Iterator[tuple[str, str]]:
        """Paths no request has, names nobody could type, methods that are none."""
        for number, path in enumerate(self.match):
            if not path.startswith(("/", "*")):
                yield f"match.{number}", f'"{path}" matches no request: a path starts with / (or a star)'
        for number, method in enumerate(self.methods):
            if not _METHOD.fullmatch(method) or method != method.upper():
                yield f"methods.{number}", f'"{method}" is no method: write GET, POST, ...'
        if self.name and not _NAME.fullmatch(self.name):
            yield "name", f'"{self.name}" has characters other than letters, digits, ".", "_", "-"'
        elif self.pool_name == "http.":
            yield "name", "is required where the path has no letters to make one from"

    def pattern(self) -> str:
        """A regular expression for ``METHOD /path``. A star gives nothing back once the text behind it was found, so no
        path, however long, takes more than one walk through it."""
        methods = "|".join(map(re.escape, self.methods)) or "[^ ]*"
        return f"(?:{methods}) (?:{'|'.join(map(_glob, self.match))})"


def same_names(routes: Sequence[RouteConfig]) -> Iterator[tuple[str, str]]:
    """Faults of routes whose pools would have one name."""
    seen: dict[str, int] = {}
    for number, route in enumerate(routes):
        first = seen.setdefault(route.pool_name, number)
        if first != number:
            message = (
                f"the pool of routes[{first}] is named {route.pool_name} too: set `name`, or list both paths in one"
            )
            yield f"routes.{number}.{'name' if route.name else 'match'}", message


class Router:
    """Gives a request to the application of the first route that matches, or to the default one.

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
        found = self._match(f"{scope['method']} {scope['path']}")
        return self._apps[(found.lastindex or 0) if found else 0](scope, receive, send)


def _glob(path: str) -> str:
    first, *rest = map(re.escape, path.split("*"))
    if not rest:
        return first
    middle = "".join(f"(?>.*?{text})" for text, _ in pairwise(rest))
    return f"{first}{middle}.*{rest[-1]}"
