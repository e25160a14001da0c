"""Which requests reach a handler, and which response the others get."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.admin.app import AdminApp, AdminRequest
from pyroadrunner.admin.response import AdminResponse
from pyroadrunner.log import Log
from support.asgi import Exchange, http_scope
from support.log import logged


class Desk:
    """A handler that records its requests."""

    def __init__(self) -> None:
        self.asked: list[AdminRequest] = []

    async def answer(self, request: AdminRequest) -> AdminResponse:
        self.asked.append(request)
        if request.path == "/break":
            raise ZeroDivisionError("a bug")
        return AdminResponse(555, "answered")


def ask(desk: Desk, method: str = "GET", target: str = "/", **options: Any) -> Exchange:
    return Exchange(http_scope(method, target, **options)).run(AdminApp(desk.answer, Log("test")))


def test_a_handler_gets_the_path_and_the_values_of_each_parameter() -> None:
    desk = Desk()
    exchange = ask(desk, target="/a?plugin=http&plugin=jobs&empty=")
    assert (exchange.status, exchange.body) == (555, b"answered")
    assert desk.asked == [AdminRequest("/a", {"plugin": ["http", "jobs"], "empty": [""]})]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_only_get_and_head_are_allowed(method: str) -> None:
    desk = Desk()
    exchange = ask(desk, method)
    assert exchange.status == 405
    assert ("allow", "GET, HEAD") in exchange.headers
    assert ("connection", "close") in exchange.headers
    assert ask(desk, "HEAD").status == 555
    assert len(desk.asked) == 1


@pytest.mark.parametrize(
    "header", [("content-length", "1"), ("content-length", "010"), ("transfer-encoding", "chunked")]
)
def test_a_body_is_refused(header: tuple[str, str]) -> None:
    desk = Desk()
    exchange = ask(desk, headers=[header])
    assert (exchange.status, desk.asked) == (413, [])
    assert ("connection", "close") in exchange.headers


def test_a_content_length_of_zero_is_no_body() -> None:
    assert ask(Desk(), headers=[("content-length", "00")]).status == 555


def test_hundreds_of_parameters_are_a_bad_request() -> None:
    assert ask(Desk(), target=f"/?{'a&' * 300}a").status == 400


def test_a_bug_in_a_handler_is_logged_and_a_500() -> None:
    with logged("test") as log:
        assert ask(Desk(), target="/break").status == 500
    assert log.of("request failed") == [{"path": "/break", "error": "ZeroDivisionError: a bug"}]
