"""Interceptors, found by entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from pyroadrunner.grpcd import Handler, Request, Response, chain
from pyroadrunner.plugins.grpc.errors import InterceptorNotFound
from pyroadrunner.plugins.grpc.interceptors import GROUP, load_interceptors, unknown_interceptors
from support.pools import run


async def outer(request: Request, proceed: Handler) -> Response:
    request.message += b" outer"
    return await proceed(request)


class Inner:
    async def __call__(self, request: Request, proceed: Handler) -> Response:
        response = await proceed(request)
        return Response((response.message or b"") + b" inner")


no_callable = 3


class Broken:
    def __init__(self) -> None:
        raise RuntimeError("no key")


def entry(name: str, what: str) -> EntryPoint:
    return EntryPoint(name, f"{__name__}:{what}", GROUP)


ENTRIES = [entry("outer", "outer"), entry("inner", "Inner"), entry("three", "no_callable"), entry("broken", "Broken")]


async def handler(request: Request) -> Response:
    return Response(request.message)


def test_the_first_is_the_outermost() -> None:
    async def main() -> None:
        chained = chain(handler, load_interceptors(["outer", "inner"], ENTRIES))
        assert (await chained(Request("/s/M", b"a", []))).message == b"a outer inner"

    run(main())


def test_without_names_nothing_is_loaded() -> None:
    assert load_interceptors([], None) == []
    assert chain(handler, []) is handler


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("outr", "grpc.interceptors.0: interceptor outr is not registered; did you mean"),
        ("zzz", "grpc.interceptors.0: interceptor zzz is not registered; there are broken, inner, outer, three"),
        ("three", "is not callable"),
        ("broken", "RuntimeError: no key"),
    ],
)
def test_the_server_does_not_start_without_one(name: str, message: str) -> None:
    with pytest.raises(InterceptorNotFound, match=message):
        load_interceptors([name], ENTRIES)


def test_a_check_names_the_key() -> None:
    assert list(unknown_interceptors(["outer"], ENTRIES)) == []
    [(key, message)] = unknown_interceptors(["zzz"], [])
    assert key == "interceptors.0"
    assert message == f"interceptor zzz is not registered; no package has an entry point of {GROUP}"
