"""Middleware of other packages: import, construction and failures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.gateway import chain
from pyroadrunner.plugins.http.middleware.config import CustomConfig
from pyroadrunner.plugins.http.middleware.custom import MiddlewareError
from pyroadrunner.plugins.http.middleware.registry import Setup, layers
from support.asgi import Exchange, ScriptedPool, http_scope, worker_app
from support.http_section import read_http
from support.log import logged


def through(inner: ASGIApp, middleware: list[str], **custom: CustomConfig) -> ASGIApp:
    config = HttpConfig(middleware=middleware, custom=custom, internal_error_code=502)
    return chain(inner, layers(Setup(config=config, effective={})))


def marks(**options: Any) -> CustomConfig:
    return CustomConfig(cls="support.layers:Marks", options=options)


def test_a_class_gets_the_application_and_its_options() -> None:
    pool = ScriptedPool()
    exchange = Exchange(http_scope()).run(through(worker_app(pool), ["mark"], mark=marks(size=1, names=["a"])))
    assert ("x-mark", "{'size': 1, 'names': ['a']}") in exchange.headers
    assert pool.context["attributes"] == {"mark": "set"}


@pytest.mark.parametrize("path", ["support.layers:Marks", "support.layers.Marks"])
def test_a_bare_path_needs_no_entry(path: str) -> None:
    exchange = Exchange(http_scope()).run(through(worker_app(ScriptedPool()), [path]))
    assert ("x-mark", "{}") in exchange.headers


def test_one_class_may_be_listed_twice_and_the_last_is_the_outermost() -> None:
    app = through(worker_app(ScriptedPool()), ["one", "two"], one=marks(n=1), two=marks(n=2))
    exchange = Exchange(http_scope()).run(app)
    assert [value for name, value in exchange.headers if name == "x-mark"] == ["{'n': 1}", "{'n': 2}"]


def test_the_config_reads_it() -> None:
    config, faults, warnings = read_http(
        {"middleware": "mark", "custom": {"mark": {"class": "support.layers:Marks", "options": {"size": 1}}}}
    )
    assert (faults, warnings) == ([], [])
    assert config is not None
    assert config.custom["mark"] == marks(size=1)
    [fault] = read_http({"custom": {"mark": {"options": {}}}})[1]
    assert "http.custom.mark.class: is required" in fault


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("no.such.package:Class", "No module named 'no'"),
        ("support.layers:Missing", "has no attribute 'Missing'"),
        ("support.layers:", "write package.module:Class"),
        (":Class", "write package.module:Class"),
        ("support.layers:number", "is not an ASGI middleware class"),
    ],
)
def test_a_class_that_can_not_be_imported_is_reported(path: str, why: str) -> None:
    with pytest.raises(MiddlewareError, match=why) as caught:
        through(worker_app(ScriptedPool()), [path])
    assert path in str(caught.value)


def test_options_that_the_class_does_not_accept_are_reported() -> None:
    with pytest.raises(MiddlewareError, match=r"http\.middleware: bad: TypeError: .*'size'"):
        through(worker_app(ScriptedPool()), ["bad"], bad=CustomConfig(cls="support.layers:Fails", options={"size": 1}))


def test_a_class_may_be_in_the_folder_of_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_layer_of_ours.py").write_text("from support.layers import Marks\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    exchange = Exchange(http_scope()).run(through(worker_app(ScriptedPool()), ["a_layer_of_ours:Marks"]))
    assert ("x-mark", "{}") in exchange.headers
    assert sys.path[-1] == str(tmp_path)


def test_a_failure_before_the_response_gives_a_response_and_a_log_line() -> None:
    with logged("http") as log:
        exchange = Exchange(http_scope()).run(through(worker_app(ScriptedPool()), ["support.layers:Fails"]))
    assert (exchange.status, exchange.body, exchange.ended) == (502, b"", True)
    [line] = log.of("middleware failed")
    assert line == {"middleware": "support.layers:Fails", "error": "ConnectionRefusedError: redis is away"}


def test_a_failure_after_the_head_leaves_the_response_incomplete() -> None:
    late = CustomConfig(cls="support.layers:Fails", options={"late": True})
    with logged("http") as log:
        exchange = Exchange(http_scope()).run(through(worker_app(ScriptedPool()), ["late"], late=late))
    assert (exchange.status, exchange.ended) == (200, False)
    assert len(log.of("middleware failed")) == 1


def test_a_client_that_disconnects_is_no_failure_of_the_middleware() -> None:
    class Gone(Exchange):
        async def send(self, message: Any) -> None:
            raise ConnectionResetError

    async def careless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    with logged("http") as log:
        Gone(http_scope()).run(through(careless, ["support.layers:Marks"]))
    assert log.messages == []


def test_the_application_inside_does_not_see_the_servers_extensions() -> None:
    seen: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["extensions"])

    scope = http_scope(extensions=["http.response.zerocopysend", "http.response.trailers", "tls"])
    Exchange(scope).run(through(inner, ["support.layers.reveal"]))
    assert seen == [{"tls": {}}]
    assert len(scope["extensions"]) == 3


def test_an_unknown_name_is_skipped() -> None:
    assert layers(Setup(config=HttpConfig(middleware=["cache"]), effective={})) == []


def test_a_built_in_name_can_not_be_overridden() -> None:
    with logged("http") as log:
        through(worker_app(ScriptedPool()), ["gzip"], gzip=marks())
    assert log.of("http.custom has the name of a built-in middleware; using the built-in one") == [{"name": "gzip"}]
