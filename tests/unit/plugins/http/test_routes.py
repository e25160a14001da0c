"""Selecting the pool of a request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.routes import RouteConfig, Router
from support.asgi import http_scope


def route(*match: str, **keys: Any) -> RouteConfig:
    return RouteConfig(match=list(match), **keys)


def taken(routes: list[RouteConfig], method: str, path: str) -> int:
    """Number of the matching route, from 1; 0 = the default pool."""
    seen: list[int] = []

    def app(number: int) -> Any:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(number)

        return call

    router = Router(app(0), [(one, app(number)) for number, one in enumerate(routes, 1)])
    asyncio.run(router({**http_scope(method), "path": path}, None, None))  # type: ignore[arg-type, call-arg]
    return seen[0]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/a", "/a", True),
        ("/a", "/a/", False),
        ("/a", "/ab", False),
        ("/a", "/A", False),
        ("/a.b", "/axb", False),
        ("/slow/*", "/slow/", True),
        ("/slow/*", "/slow/a/b", True),
        ("/slow/*", "/slow", False),
        ("/slow*", "/slow", True),
        ("/slow*", "/slower", True),
        ("*.pdf", "/a/b.pdf", True),
        ("*.pdf", "/a.pdf/b", False),
        ("/a/*/c", "/a/b/c", True),
        ("/a/*/c", "/a/b/c/d/c", True),
        ("/a/*/c", "/a/b/c/d", False),
        ("/*x*y", "/1x2y3y", True),
        ("/*x*y", "/1y2x", False),
        ("/*x*", "/1x", True),
        ("/**", "/a", True),
        ("*", "/", True),
        ("/é/*", "/é/b", True),
        ("/a/*", "/a/\n", True),
        ("/a/[b]?", "/a/[b]?", True),
    ],
)
def test_paths(pattern: str, path: str, matches: bool) -> None:
    assert taken([route(pattern, name="x")], "GET", path) == matches


def test_the_first_matching_route_wins() -> None:
    routes = [route("/a/b", "/x/*"), route("/a/*"), route("*", name="rest", methods=["POST", "PUT"])]
    assert [taken(routes, "GET", path) for path in ("/a/b", "/x/1", "/a/c", "/", "/b")] == [1, 1, 2, 0, 0]
    assert [taken(routes, method, "/b") for method in ("POST", "PUT", "PUTS", "UT")] == [3, 3, 0, 0]


def test_a_long_path_with_many_stars_is_matched_in_linear_time() -> None:
    routes = [route("/*a*b*c*d*e*f*g", name="x")]
    assert taken(routes, "GET", "/" + "abcdef" * 20_000) == 0  # with backtracking this would take far too long


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"match": ["/slow/*"]}, "http.slow"),
        ({"match": ["/api/v1/*", "/x"]}, "http.api-v1"),
        ({"match": ["*.pdf"]}, "http.pdf"),
        ({"match": ["/*"], "name": "all"}, "http.all"),
    ],
)
def test_a_pool_has_its_configured_name_or_one_made_from_the_path(keys: dict[str, Any], name: str) -> None:
    assert RouteConfig(**keys).pool_name == name


def read(*routes: dict[str, Any], **http: Any) -> tuple[HttpConfig | None, list[str]]:
    reader = SectionReader(lambda path: Origin(kind="file", source=".rr.yaml"))
    made = reader.read(HttpConfig, {"routes": list(routes), **http}, ("http",))
    assert made is None or isinstance(made, HttpConfig)
    return made, [f"{fault.path}: {fault.message}" for fault in [*reader.faults, *reader.warnings]]


@pytest.mark.parametrize(
    ("routes", "fault"),
    [
        ([{}], "http.routes[0].match: is required"),
        ([{"match": []}], "http.routes[0].match: should not be empty"),
        (
            [{"match": "/a,slow"}],
            'http.routes[0].match[1]: "slow" matches no request: a path starts with / (or a star)',
        ),
        ([{"match": "/*"}], "http.routes[0].name: is required: the path has no letters to make a name from"),
        (
            [{"match": "/a", "name": "a b"}],
            'http.routes[0].name: "a b" has characters other than letters, digits, ".", "_", "-"',
        ),
        ([{"match": "/a", "methods": "get"}], 'http.routes[0].methods[0]: "get" is not a method: write GET, POST, ...'),
        (
            [{"match": "/a/*"}, {"match": "/a"}],
            "http.routes[1].match: the pool of routes[0] is named http.a too: set `name`, or list both paths in one",
        ),
        ([{"match": "/a", "pool": {"num_workers": 501}}], "number of workers can't be more than 500"),
        ([{"match": "/a", "pool": {"num_worker": 5}}], "http.routes[0].pool.num_worker: unknown key"),
    ],
)
def test_faults_of_a_route_are_reported_with_their_key(routes: list[dict[str, Any]], fault: str) -> None:
    _, [found] = read(*routes)
    assert fault in found


def test_a_routes_pool_inherits_from_the_default_pool() -> None:
    pool = {"num_workers": 4, "max_jobs": 10, "command": "php a.php", "supervisor": {"exec_ttl": "5s", "ttl": "1h"}}
    slow = {"match": "/slow/*", "pool": {"num_workers": 1, "supervisor": {"exec_ttl": "60s"}}}
    made, faults = read(slow, pool=pool)
    assert made is not None, faults
    default, own = made.pools().values()
    assert list(made.pools()) == ["http", "http.slow"]
    assert (own.num_workers, own.max_jobs, own.command) == (1, 10, ["php", "a.php"])
    assert own.supervisor is not None
    assert (own.supervisor.exec_ttl, own.supervisor.ttl) == (60.0, 3600.0)
    assert default.num_workers == 4
